"""Steps that show on GitHub how a job stands: its check run, its one comment, its label, a reaction.

A check run and a comment are known by the workflow whose step it is, as Temporal says it: no request can name another
job's, and what somebody else made under the same name is not touched.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.github.contracts import WriteRequest
from activities.step import Step
from connectors.github import manifest
from connectors.github.shown import Action, Annotation, Conclusion, Reacted, Reaction, Status
from hitl.protocol import Effect

LABELS: Final = {
    "banksman:pending": ("fbca04", "Banksman is at work on this"),
    "banksman:applied": ("0e8a16", "Banksman did what was asked for here"),
    "banksman:failed": ("d73a4a", "What was asked of Banksman here failed"),
}
"""Color and description of each."""
JobLabel = Literal["banksman:pending", "banksman:applied", "banksman:failed"]


class PutCheckRequest(WriteRequest):
    """How the job's check run shall be."""

    commit: str
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    check: int | None = Field(default=None, description="Its number on GitHub; None where it may have to be made.")
    status: Status
    conclusion: Conclusion | None = None
    title: str
    summary: str
    text: str = Field(default="", description="Its log; the end of it is shown where it is too long.")
    details_url: str | None = None
    actions: tuple[Action, ...] = Field(default=(), max_length=3)
    annotations: tuple[Annotation, ...] = Field(
        default=(), description="All of them by now: those that are there already are not added again."
    )
    progress: bool = Field(default=False, description="It may be left out where GitHub's limits are near.")

    def recognised_by(self) -> tuple[str, ...]:
        """Which check of which commit: it is changed many times in its place."""
        return (f"check {self.name}", f"commit {self.commit}")


class CheckPut(BaseModel):
    """The check run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    check: int | None = Field(description="None where it was left out and never made.")
    url: str | None = None
    shown: bool = Field(default=True, description="Whether it was shown, and not left out for GitHub's limits.")


class PutCommentRequest(WriteRequest):
    """What the job's one comment shall say."""

    number: int = Field(description="Of the issue or the pull request.")
    text: str

    def recognised_by(self) -> tuple[str, ...]:
        """Where it is said: what it says may hold times."""
        return (f"comment on #{self.number}",)


class CommentPut(BaseModel):
    """The comment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    comment: int
    url: str | None = None


class PutLabelRequest(WriteRequest):
    """Which of the labels of jobs an issue or a pull request shall have; the others are taken off."""

    number: int
    label: JobLabel | None = Field(description="None for none of them.")

    def recognised_by(self) -> tuple[str, ...]:
        """On what, and which."""
        return (f"label of #{self.number}", self.label or "none")


class LabelPut(BaseModel):
    """That it is so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int


class AddReactionRequest(WriteRequest):
    """What to react to, and how."""

    to: Reacted
    id: int = Field(description="The comment's id, or the issue's number.")
    reaction: Reaction

    def recognised_by(self) -> tuple[str, ...]:
        """To what, and how."""
        return (f"reaction to {self.to} {self.id}", self.reaction)


class ReactionAdded(BaseModel):
    """The reaction."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int


PUT_CHECK: Final = Step(
    name="github.put_check",
    request=PutCheckRequest,
    response=CheckPut,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
PUT_COMMENT: Final = Step(
    name="github.put_comment",
    request=PutCommentRequest,
    response=CommentPut,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
PUT_LABEL: Final = Step(
    name="github.put_label",
    request=PutLabelRequest,
    response=LabelPut,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
ADD_REACTION: Final = Step(
    name="github.add_reaction",
    request=AddReactionRequest,
    response=ReactionAdded,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
