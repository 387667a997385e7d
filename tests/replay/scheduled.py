"""Runs of repositories' schedules, and the sweep that holds them against their files: steps are played."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from temporalio import activity
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from activities.github.name_contracts import FIND_REPOSITORIES, FindRepositoriesRequest, RepositoriesFound
from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.replay.decided_deliveries import Decided
from workflows.github.contracts import Done
from workflows.github.scheduled_contracts import (
    DECIDE_SCHEDULE,
    FIND_SCHEDULING,
    SCHEDULED_WORKFLOW,
    SWEEP_SCHEDULES,
    DecideSchedule,
    FindScheduling,
    ScheduleDecided,
    ScheduledInput,
    SchedulingFound,
)
from workflows.implementations import WORKFLOWS
from workflows.runner import sandbox_runner

_SHOP: Final = "acme/shop"
_LOOK: Final = ScheduleDecided(look=True)


@dataclass(frozen=True)
class Scheduling:
    """One run.

    Attributes:
        name: The file's name.
        decisions: What the gateway says, one after the other; the last one stays.
        sweeps: Whether it is a sweep; without a decision GitHub cannot be asked.
    """

    name: str
    decisions: tuple[ScheduleDecided, ...] = ()
    sweeps: bool = False

    @property
    def workflow(self) -> str:
        """What runs."""
        return SWEEP_SCHEDULES if self.sweeps else SCHEDULED_WORKFLOW

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(self.workflow, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        goals = Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, workflow_runner=sandbox_runner())
        given = [] if self.sweeps else [ScheduledInput(repository=_SHOP, schedule="nightly")]
        async with goals, self._steps(client):
            handle = await client.start_workflow(
                self.workflow, args=given, id=f"github-scheduled/{self.name}", task_queue=TaskQueue.GOALS
            )
            await handle.result()
            return await handle.fetch_history()

    @contextlib.asynccontextmanager
    async def _steps(self, client: Client) -> AsyncGenerator[None]:
        decisions = list(self.decisions)

        @activity.defn(name=DECIDE_SCHEDULE.name)
        async def decide(request: DecideSchedule) -> ScheduleDecided:
            del request
            return decisions.pop(0) if len(decisions) > 1 else decisions[0]

        @activity.defn(name=FIND_REPOSITORIES.name)
        async def repositories(request: FindRepositoriesRequest) -> RepositoriesFound:
            del request
            if not decisions:
                raise application_error(ErrorType.AUTH_DENIED, "GitHub refuses the App's private key")
            return RepositoriesFound(repositories=(_SHOP, "acme/web"))

        @activity.defn(name=FIND_SCHEDULING.name)
        async def scheduling(request: FindScheduling) -> SchedulingFound:
            return SchedulingFound(repositories=request.repositories)

        reads = [repositories, Decided().read_file]
        connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=reads)
        async with connectors, Worker(client, task_queue=TaskQueue.HITL, activities=[decide, scheduling]):
            yield


SCHEDULINGS: Final = (
    Scheduling("started", (_LOOK, ScheduleDecided(done=Done.STARTED, why="Started.", goal="github-job/schedule-1"))),
    Scheduling("left_out", (ScheduleDecided(why="No rule is about it."),)),
    Scheduling("too_late", (_LOOK,)),
    Scheduling("held", (ScheduleDecided(done=Done.KEPT, why="nightly: look at 0 3 * * *."),), sweeps=True),
    Scheduling("unseen", sweeps=True),
)
