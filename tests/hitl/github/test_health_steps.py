"""The gateway's steps on a repository's health, run as Temporal runs them."""

import base64
from datetime import UTC, datetime

import pytest

from activities.health.figures import Figure, FigureName
from connectors.errors import InvalidRequest
from hitl.github.health import HealthSteps
from tests.activities.github.at_work import at_work
from workflows.health.contracts import CHECK_CONFIG, KEEP_HEALTH, CheckConfigRequest, HealthReport

REPORT = HealthReport(
    repository="acme/shop",
    commit="c" * 40,
    at=datetime(2026, 11, 1, tzinfo=UTC),
    run="r-1",
    figures=(Figure(name=FigureName.TESTS, value=1),),
)


async def test_a_report_is_kept_for_the_run_that_made_it_alone() -> None:
    steps = HealthSteps(None)  # pyright: ignore[reportArgumentType] - nothing is asked of it
    for told in ({"workflow_type": "ReadFile", "workflow_run_id": "r-1"}, {"workflow_type": "ReportHealth"}):
        with pytest.raises(InvalidRequest, match="the ReportHealth that made it alone"):
            await at_work(KEEP_HEALTH.name, **told).run(steps.keep_health, REPORT)


async def test_a_repositorys_own_file_is_read_as_the_gateway_reads_it() -> None:
    steps = HealthSteps(None)  # pyright: ignore[reportArgumentType] - nothing is asked of it

    async def wrong(content: str) -> tuple[str, ...]:
        request = CheckConfigRequest(content_base64=content)
        return (await at_work(CHECK_CONFIG.name).run(steps.check_config, request)).mistakes

    assert await wrong(base64.b64encode(b"version: 1\n").decode()) == ()
    [unknown] = await wrong(base64.b64encode(b"version: 1\ncolour: red\n").decode())
    assert unknown.startswith("2: colour: ")
    [bomb] = await wrong(base64.b64encode(b"a: &a [x]\nb: *a\n").decode())
    assert "anchors and aliases" in bomb
    with pytest.raises(InvalidRequest, match="not base64"):
        await wrong("%")
