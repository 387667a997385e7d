"""The console's pages of repositories' health, over the real server's list."""

import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from temporalio.client import Client

from activities.health.figures import Figure, FigureName
from activities.queues import TaskQueue
from hitl.console.health.shown import shown
from tests.hitl.console.visiting import Console
from tests.workflows.scripted import Steps, workers
from workflows.health.contracts import HEALTH_WORKFLOW, KEEP, HealthReport, HealthState, ReportKept, health_id

BEGUN = datetime(2026, 11, 1, 8, tzinfo=UTC)
EVIL = "<img src=x onerror=alert(1)>\u202e'\""


def report(repository: str, day: int, **values: float | None) -> HealthReport:
    """Of so many days after the first, with a stranger's words in every figure."""
    named = {FigureName(name): value for name, value in values.items()}
    figures = tuple(Figure(name=name, value=value, told=EVIL, advice=EVIL) for name, value in named.items())
    at = BEGUN + timedelta(days=day)
    return HealthReport(repository=repository, commit=f"{day:040x}", at=at, run=f"r{day}", figures=figures)


async def keep(client: Client, *reports: HealthReport) -> None:
    """As the gateway has them kept."""
    repository = reports[0].repository
    kept = await client.start_workflow(
        HEALTH_WORKFLOW, HealthState(repository=repository), id=health_id(repository), task_queue=TaskQueue.GOALS
    )
    for one in reports:
        await kept.execute_update(KEEP, one, result_type=ReportKept)


def a_name() -> str:
    return f"acme/{secrets.token_hex(6)}"


def at(name: str) -> str:
    return f"/health/repository?name={quote(name, safe='')}"


def test_figures_are_shown_with_unit_trend_and_curve() -> None:
    state = HealthState(repository="acme/shop")
    for one in (
        report("acme/shop", 0, tests=10, size=900, failing_checks=1, pinned=50),
        report("acme/shop", 1, size=1_234_567, failing_checks=0, pinned=75.5),
        report("acme/shop", 3, tests=5, size=1_234_567, failing_checks=None, pinned=75.5),
    ):
        state = state.with_report(one)
    health = shown(state)
    assert health is not None
    figures = {one.kind.label: one for one in health.figures}
    assert [one.kind.label for one in health.figures] == ["Failing checks", "Pinned dependencies", "Tests", "Size"]
    assert (figures["Size"].value, figures["Pinned dependencies"].value) == ("1.2 MB", "75.5 %")
    assert (figures["Failing checks"].value, figures["Failing checks"].trend) == ("–", None)
    assert (figures["Pinned dependencies"].trend, figures["Tests"].trend) == ("same", None)
    tests = figures["Tests"].curve
    assert tests is not None
    assert (tests.points, tests.last, tests.told) == (
        "3.0,3.0 117.0,25.0",
        (117.0, 25.0),
        "2 reports, from 10 to 5",
    )
    checks = figures["Failing checks"].curve
    assert checks is not None
    assert checks.points == "3.0,3.0 117.0,25.0"
    assert [one.values[0] for one in health.rows] == ["–", "0", "1"]
    assert shown(HealthState(repository="acme/shop")) is None


@pytest.mark.asyncio(loop_scope="session")
async def test_repositories_are_listed_and_each_is_shown_with_nothing_of_a_stranger_as_markup(console: Console) -> None:
    name = a_name()
    async with workers(console.house.client, Steps()), console.visit("alice") as visit:
        await keep(console.house.client, report(name, 0, tests=3), report(name, 1, tests=4))
        found = ""
        while name not in found:  # the list of the server comes a moment later
            found = (await visit.get("/health")).text
        page = await visit.get(at(name.upper()))
        assert page.status_code == 200
        assert "<svg" in page.text
        assert "better: it was 3" in page.text
        assert "<img src=x" not in page.text
        assert "\u202e" not in page.text
        assert "&lt;img src=x onerror=alert(1)&gt;\\u202e" in page.text
        missing = await visit.get(at("acme/<b>none"))
        assert missing.status_code == 404
        assert "Nobody reported on acme/&lt;b&gt;none yet" in missing.text
        other = await visit.get(at("x" * 5000))
        assert other.status_code == 404
    async with console.visit() as visit:
        for path in ("/health", "/health/repository?name=acme/shop"):
            assert (await visit.get(path)).status_code == 303


@pytest.mark.asyncio(loop_scope="session")
async def test_a_workflow_that_speaks_of_another_repository_is_not_shown(console: Console) -> None:
    name, other = a_name(), a_name()
    async with workers(console.house.client, Steps()), console.visit("alice") as visit:
        kept = await console.house.client.start_workflow(
            HEALTH_WORKFLOW, HealthState(repository=name), id=health_id(other), task_queue=TaskQueue.GOALS
        )
        await kept.execute_update(KEEP, report(name, 0, tests=3), result_type=ReportKept)
        assert (await visit.get(at(other))).status_code == 404
        assert (await visit.get(at(name))).status_code == 404
