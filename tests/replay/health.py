"""How a repository did: the workflow that keeps its reports."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowHistory

from activities.health.figures import Figure, FigureName
from activities.queues import TaskQueue
from tests.workflows.scripted import Steps, workers
from workflows.health.contracts import HEALTH_WORKFLOW, KEEP, HealthReport, HealthState, ReportKept, health_id

_REPOSITORY: Final = "acme/shop"
_AT: Final = datetime(2026, 11, 30, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Reporting:
    """Two reports, of which one is told twice."""

    name: str = "reported"

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(HEALTH_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Tell them; it goes on."""
        async with workers(client, Steps()):
            kept = await client.start_workflow(
                HEALTH_WORKFLOW,
                HealthState(repository=_REPOSITORY),
                id=health_id(_REPOSITORY),
                task_queue=TaskQueue.GOALS,
            )
            for day in (0, 1, 1):
                await kept.execute_update(KEEP, _report(day), result_type=ReportKept)
            history = await kept.fetch_history()
            await kept.terminate()
        return history


def _report(day: int) -> HealthReport:
    return HealthReport(
        repository=_REPOSITORY,
        commit="c" * 40,
        at=_AT + timedelta(days=day),
        run=f"r-{day}",
        figures=(Figure(name=FigureName.TESTS, value=day),),
    )


REPORTINGS: Final = (Reporting(),)
