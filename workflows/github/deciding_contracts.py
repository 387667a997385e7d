"""The step that decides what becomes of a delivery and carries it out, as the delivery's workflow calls it.

What the workflow says counts for nothing: which event it is, and what GitHub said of its sender, the gateway reads from
the server. So the step is asked twice: where GitHub has to be asked first, it says so and does nothing.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.github.changed_contracts import MatchChangedFilesRequest, Patterns
from activities.github.contracts import LookAtPullRequestRequest, ReadFileRequest
from activities.github.people_contracts import FindPermissionRequest
from activities.queues import TaskQueue
from activities.step import Step
from connectors.github.ours import CONFIG
from hitl.protocol import Effect
from workflows.github.contracts import Done


def permission_question(repository: str, login: str) -> FindPermissionRequest:
    """What GitHub is asked of who caused an event."""
    return FindPermissionRequest(repository=repository, login=login)


def config_question(repository: str) -> ReadFileRequest:
    """What GitHub is asked for a repository's own file: as it is at the default branch now."""
    return ReadFileRequest(repository=repository, path=CONFIG)


def pull_question(repository: str, number: int) -> LookAtPullRequestRequest:
    """What GitHub is asked of a pull request that a comment says nothing of but its number."""
    return LookAtPullRequestRequest(repository=repository, number=number)


def changed_question(repository: str, number: int, filters: tuple[Patterns, ...]) -> MatchChangedFilesRequest:
    """What GitHub is asked of a pull request where tasks are about some files alone."""
    return MatchChangedFilesRequest(repository=repository, number=number, filters=filters)


class DecideDelivery(BaseModel):
    """`hitl.decide_delivery`: nothing. Which delivery it is, the server says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class GoalBegun(BaseModel):
    """A goal that was begun for a delivery, with its job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    workflow_id: str = Field(description="The job's.")
    run_id: str
    name: str = Field(description="The goal's.")


class ConfigMistake(BaseModel):
    """One thing wrong with a repository's file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    line: int
    column: int
    where: str
    message: str


class TaskLeftOut(BaseModel):
    """A task of a repository's file that is about other files than those that changed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: str
    goal: str
    why: str


class ScheduleTold(BaseModel):
    """What became of a schedule of a repository's new file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    line: str
    refused: bool = False


class DeliveryDecided(BaseModel):
    """What was decided and done."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    look: str = Field(default="", description="The login whose permission GitHub has to be asked for first.")
    filters: tuple[Patterns, ...] = Field(
        default=(), description="Where this alone is missing: `paths`, of which GitHub has to be asked which fit."
    )
    done: Done = Done.IGNORED
    why: str = Field(default="", description="In a sentence or some lines; a stranger's words are in it.")
    goals: tuple[GoalBegun, ...] = ()
    say: str = Field(default="", description="A comment in GitHub's markdown; empty for none.")
    reaction: Literal["eyes", "rocket", "+1", "-1", "confused"] | None = None
    mistakes: tuple[ConfigMistake, ...] = Field(default=(), description="For the lines of a check run.")
    left_out: tuple[TaskLeftOut, ...] = Field(default=(), description="For a check run each.")
    schedules: tuple[ScheduleTold, ...] = Field(default=(), description="For one check run, of a push.")


DECIDE_DELIVERY: Final = Step(
    name="hitl.decide_delivery",
    request=DecideDelivery,
    response=DeliveryDecided,
    # What it begins are goals, each step of which is guarded by itself; what it decides on is signed as every decision.
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
