"""What a repository's schedules start, and what the gateway's steps say to it.

A schedule starts a workflow that may do nothing but look: which task it is, whether it may be, and in which name, the
gateway decides by the repository's file as it is then and by the policy. Whoever starts one by hand has begun what the
schedule would have, no sooner after the last one than the policy lets it.
"""

from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect
from workflows.contracts import RepositoryName
from workflows.github.contracts import Done

SCHEDULED_WORKFLOW: Final = "GitHubScheduled"
SWEEP_SCHEDULES: Final = "SweepGitHubSchedules"

_SCHEDULES: Final = "github-schedule/"


def schedule_id(repository: str, name: str) -> str:
    """The id of a repository's schedule at Temporal."""
    return f"{_SCHEDULES}{repository}/{name}"


def read_schedule_id(schedule: str) -> tuple[str, str] | None:
    """The repository and the name of a schedule of this id; None of one that is nobody's."""
    repository, _, name = schedule.removeprefix(_SCHEDULES).rpartition("/")
    return (repository, name) if schedule.startswith(_SCHEDULES) and "/" in repository else None


def job_prefix(repository: str, name: str) -> str:
    """How the delivery of each job of this schedule begins: a job has room for no longer name."""
    return f"schedule-{sha256(f'{repository.lower()}/{name}'.encode()).hexdigest()[:16]}-"


def requester_for(repository: str) -> str:
    """Who asks where the time does: nobody, for no login has a slash in it, and so no person of the policy."""
    return f"github:schedule/{repository}"


class ScheduledInput(BaseModel):
    """What a schedule starts its workflow with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: RepositoryName
    schedule: str = Field(default="", description="Its name; without one the schedules are held against the file.")


class DecideSchedule(BaseModel):
    """`hitl.decide_schedule`: nothing. Which schedule it is, the server says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ScheduleDecided(BaseModel):
    """What was decided and done."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    look: bool = Field(default=False, description="Whether the repository's file has to be read first.")
    done: Done = Done.IGNORED
    why: str = Field(default="", description="In a sentence or some lines; a stranger's words are in it.")
    goal: str | None = Field(default=None, description="The workflow id of the job that was started.")


class FindScheduling(BaseModel):
    """`hitl.find_scheduling`: of these repositories, those that may have schedules."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: tuple[RepositoryName, ...]


class SchedulingFound(BaseModel):
    """Those that a rule of the policy lets schedule, and those that have a schedule."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: tuple[str, ...] = ()


class SweepSchedulesResult(BaseModel):
    """How a sweep ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    looked_at: int = Field(default=0, description="Repositories whose schedules were held against their file.")
    failed: tuple[str, ...] = Field(default=(), description="Those that could not be.")
    unseen: str = Field(default="", description="Why nothing could be seen.")


DECIDE_SCHEDULE: Final = Step(
    name="hitl.decide_schedule",
    request=DecideSchedule,
    response=ScheduleDecided,
    # As of a delivery: what it begins is guarded step by step.
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
FIND_SCHEDULING: Final = Step(
    name="hitl.find_scheduling",
    request=FindScheduling,
    response=SchedulingFound,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
