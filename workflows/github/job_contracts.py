"""A job: one goal that somebody asked for on GitHub, run as a child workflow and shown where it was asked for.

It is no goal that people type: the gateway starts it for what came from GitHub, in the name of who asked. Its goal was
asked for by the same person, as each step of a plan is.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from temporalio.common import SearchAttributeKey

from hitl.protocol import Effect
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    TRIGGER_ATTRIBUTE,
    GoalInput,
    GoalResult,
    GoalStatus,
    RepositoryName,
)
from workflows.goal_type import GoalType

GITHUB_JOB_PREFIX: Final = "github-job/"
CANCEL: Final = "cancel"
APPROVE: Final = "approve"
RETRY: Final = "retry"
"""Identifiers of the buttons on a check run, as GitHub tells of a press."""

Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
_Delivery = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
_Part = Annotated[str, StringConstraints(max_length=60, pattern=r"^[A-Za-z0-9._-]*$")]
_Origin = Annotated[str, StringConstraints(max_length=300, pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+$")]


class JobTrigger(StrEnum):
    """What on GitHub began a job, as people look for it."""

    COMMENT = "comment"
    BUTTON = "button"
    LABEL = "label"
    ISSUE = "issue"
    PULL_REQUEST = "pull_request"
    PUSH = "push"
    SCHEDULE = "schedule"


class GitHubJobInput(GoalInput):
    """Run a goal that was asked for on GitHub, and show there how it goes."""

    repository: RepositoryName = Field(description="OWNER/NAME of the repository where it was asked for.")
    goal: _Name = Field(description="The goal.")
    inputs: dict[str, JsonValue] = Field(default_factory=dict, description="What the goal is given.")
    delivery: _Delivery = Field(description="By which delivery of GitHub's it was asked for.")
    once: _Part = Field(default="", description="What it is begun once by, where several deliveries ask for the same.")
    part: _Part = Field(default="", description="Which one, where a delivery begins several.")
    number: int | None = Field(default=None, ge=1, description="The issue or pull request that it was asked for on.")
    commit: Sha | None = Field(default=None, description="The commit that its check run is on; none without one.")
    console: _Origin | None = Field(default=None, description="Where people reach the console.")
    trigger: JobTrigger | None = Field(default=None, description="What began it; none of a job of an older release.")
    asked_in: int | None = Field(default=None, ge=1, description="The comment that asked for it.")

    def business_key(self) -> str:
        """`github-job/DELIVERY`, and the part where there are several: asked for once however often it is delivered.

        With `once` in the delivery's place: a review and its comments come as many deliveries.
        """
        return f"{GITHUB_JOB_PREFIX}{self.once or self.delivery}" + (f"/{self.part}" if self.part else "")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        on = f"#{self.number} of " if self.number is not None else ""
        return f"{self.goal} for {on}{self.repository}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository, and by what began it."""
        began = {TRIGGER_ATTRIBUTE: self.trigger.value} if self.trigger is not None else {}
        return {REPOSITORY_ATTRIBUTE: self.repository, **began}

    def goal_id(self, job: str) -> str:
        """The id of its goal, below that of the job."""
        return f"{job}/goal"

    def details_url(self, job: str) -> str | None:
        """The page on the console with the whole log; None where there is no console."""
        return f"{self.console}/goal?id={quote(self.goal_id(job), safe='')}" if self.console else None


class GitHubJobResult(GoalResult):
    """How the goal ended, and what was shown of it."""

    goal: str = Field(description="Its name.")
    workflow_id: str = Field(description="Its workflow id.")
    conclusion: str | None = Field(default=None, description="What its check run says.")
    check: int | None = Field(default=None, description="The check run's number.")
    comment: int | None = Field(default=None, description="The result comment's number.")
    not_shown: tuple[str, ...] = Field(default=(), description="Why something of it could not be shown on GitHub.")


class GitHubJobStatus(GoalStatus):
    """Where a job stands, and what is shown of it by now."""

    check: int | None = Field(default=None, description="The check run's number.")
    comment: int | None = Field(default=None, description="The result comment's number.")
    not_shown: tuple[str, ...] = Field(default=(), description="Why something of it could not be shown on GitHub.")


class HeadMoved(BaseModel):
    """The signal `head_moved`: the pull request's branch stands elsewhere than where the job began."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    head: str


GITHUB_JOB: Final = GoalType(
    name="GitHubJob",
    input=GitHubJobInput,
    result=GitHubJobResult,
    effect=Effect.WRITE,
    example=GitHubJobInput(
        repository="acme/shop",
        goal="ReadFile",
        inputs={"repository": "acme/shop", "path": "README.md"},
        delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    ),
)
"""Not in the catalogue, and so in no list of what people can ask for."""
