"""The report of a repository's health: what it tells, and what is kept of it, with the gateway's real steps."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType
from activities.health.contracts import MEASURE_HEALTH
from activities.health.figures import Figure, FigureName
from activities.queues import TaskQueue
from activities.step import implemented
from hitl.gateway.server import Server
from hitl.github.health import HealthSteps
from tests.workflows.health.scenarios import ANSWERS, MEASURED
from tests.workflows.played import playing
from workflows.contracts import State
from workflows.health.contracts import (
    CHECK_CONFIG,
    HEALTH_MEMO,
    KEEP,
    KEEP_HEALTH,
    MOST_KEPT,
    HealthReport,
    HealthState,
    health_id,
)
from workflows.health.goals import REPORT_HEALTH, ReportHealthInput, ReportHealthResult


def report(run: str, tests: float, at: datetime = datetime(2026, 11, 1, tzinfo=UTC)) -> HealthReport:
    figure = Figure(name=FigureName.TESTS, value=tests)
    return HealthReport(repository="acme/shop", commit="c" * 40, at=at, run=run, figures=(figure,))


def test_a_report_is_kept_once_in_the_order_of_time_and_the_oldest_goes() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    state = HealthState(repository="acme/shop")
    for day in range(MOST_KEPT + 5):
        state = state.with_report(report(f"r{day}", day, first + timedelta(days=day)))
    again = state.with_report(report(f"r{MOST_KEPT}", 0))
    late = state.with_report(report("late", 7, first + timedelta(days=50, hours=1)))
    assert again == state
    assert (len(state.past), state.past[0].run, state.past[-1].run) == (MOST_KEPT, "r5", "r104")
    assert [one.run for one in late.past[:2]] == ["r6", "r7"]
    assert [one.run for one in late.past].index("late") == 45
    assert (late.latest, len(late.past)) == (state.latest, MOST_KEPT)
    before = state.before("r104")
    assert before is not None
    assert before.run == "r103"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_next_report_tells_what_changed_and_the_console_can_read_all(client: Client) -> None:
    repository = f"acme/{uuid.uuid4().hex}"
    better = MEASURED.model_copy(
        update={"figures": (Figure(name=FigureName.OPEN_PULLS, value=0), *MEASURED.figures[1:])}
    )
    gateway = Worker(
        client, task_queue=TaskQueue.HITL, activities=implemented(HealthSteps(Server(client, cluster="one")))
    )

    async def run(**asked: str) -> ReportHealthResult:
        return await client.execute_workflow(
            REPORT_HEALTH.name,
            ReportHealthInput.model_validate({"repository": repository, **asked}),
            id=str(uuid.uuid4()),
            task_queue=TaskQueue.GOALS,
            result_type=ReportHealthResult,
        )

    said = {step: given for step, given in ANSWERS.items() if step not in {CHECK_CONFIG, KEEP_HEALTH}}
    async with playing(client, {**said, MEASURE_HEALTH: [MEASURED, better]}), gateway:
        first, second, branch = await run(), await run(), await run(ref="next")
        kept = client.get_workflow_handle(health_id(repository.upper()))
        state = await kept.query("state", result_type=HealthState)
        memo = HealthState.model_validate((await (await kept.describe()).memo())[HEALTH_MEMO])
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await kept.execute_update(KEEP, report("x", 1))
    figures = {one.name: one for one in second.figures}
    assert (first.outcome, first.compared_with, first.reports, second.reports, branch.reports) == (
        State.COMPLETED,
        None,
        1,
        2,
        0,
    )
    assert second.compared_with == state.past[0].at
    assert [one.name for one in second.figures] == [one for one in FigureName if one in figures]
    assert (figures[FigureName.OPEN_PULLS].before, figures[FigureName.OPEN_PULLS].trend) == (2, "better")
    assert (figures[FigureName.TESTS].trend, figures[FigureName.FAILING_CHECKS].trend) == ("same", None)
    assert (figures[FigureName.CONFIG_MISTAKES].value, figures[FigureName.PINNED].value) == (1, 75)
    assert figures[FigureName.PINNED].advice == "Fix 1 by a lock file, a digest or a commit."
    assert memo == state
    assert (state.repository, len(state.past)) == (repository, 2)
    assert getattr(refused.value.cause, "type", None) == ErrorType.INVALID_REQUEST
