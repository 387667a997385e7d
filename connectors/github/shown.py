"""What check runs and reactions are made of, apart from the client: workflow code reaches no network by these."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["queued", "in_progress", "completed"]
Conclusion = Literal["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"]
"""Those that an App may set: `stale` is GitHub's own."""
Level = Literal["notice", "warning", "failure"]

Reaction = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]
Reacted = Literal["issue_comment", "review_comment", "issue"]
"""What one reacts to; a pull request counts as an issue."""


class Annotation(BaseModel):
    """A remark on lines of a file of the commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    start_line: int = Field(ge=1)
    end_line: int = Field(ge=1)
    annotation_level: Level
    message: str
    title: str | None = Field(default=None, max_length=255)


class Action(BaseModel):
    """A button on a check run. GitHub tells us of a press by the identifier."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str = Field(min_length=1, max_length=20)
    description: str = Field(min_length=1, max_length=40)
    identifier: str = Field(min_length=1, max_length=20)
