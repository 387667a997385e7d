"""The step that measures a repository, run as Temporal runs it, against the twin over real git."""

import base64
from collections.abc import Mapping
from pathlib import Path

from activities.github.contracts import CHECK_RUN, CheckRunRequest
from activities.health.contracts import MEASURE_HEALTH, HealthMeasured, MeasureHealthRequest
from activities.health.figures import Figure, FigureName
from activities.health.measuring import HealthActivities
from connectors.github.client import GitHubApp
from tests.activities.dependencies.test_reading import branch
from tests.activities.github.at_work import REPOSITORY, House, at_work

FILES: Mapping[str, str] = {
    "README.md": "# Shop\n",
    "shop/cart.py": "x = 1\n",
    "tests/test_cart.py": "def test_cart():\n    assert True\n",
    ".github/workflows/ci.yml": "permissions: write-all\njobs: {}\n",
    ".github/workflows/fine.yml": "permissions: {contents: read}\njobs: {}\n",
    ".github/workflows/broken.yml": "a: [",
    ".banksman/config.yaml": "version: 1\n" + "#" * 70_000,
}


async def measure(house: House, ref: str) -> tuple[HealthMeasured, dict[FigureName, Figure]]:
    steps = HealthActivities(GitHubApp(base_url=house.twin.address), house)
    request = MeasureHealthRequest(repository=REPOSITORY, ref=ref)
    found = await at_work(MEASURE_HEALTH.name).run(steps.measure_health, request)
    return found, {one.name: one for one in found.figures}


async def test_a_repository_is_measured_at_one_commit_and_its_token_is_given_back(house: House, tmp_path: Path) -> None:
    branch(house, "banksman/measured", FILES, tmp_path / "work")
    head = house.head("banksman/measured")
    for name, conclusion in (("lint", "failure"), ("<b>tests\n", "success"), ("docs", None)):
        check = CheckRunRequest.model_validate(
            {
                "repository": REPOSITORY,
                "commit": head,
                "name": name,
                "conclusion": conclusion,
                "title": "t",
                "summary": "s",
            }
        )
        await at_work(CHECK_RUN.name).run(house.writes.check_run, check)
    found, figures = await measure(house, "banksman/measured")
    assert found.commit == head
    assert figures[FigureName.FAILING_CHECKS] == Figure(
        name=FigureName.FAILING_CHECKS, value=1, told="of 3, 1 still run", advice="Mend lint."
    )
    wide = figures[FigureName.WIDE_WORKFLOWS]
    assert (wide.value, wide.told) == (1, "of 3, 1 could not be read")
    assert "ci.yml 'write-all' lets its token change everything." in wide.advice
    assert (figures[FigureName.TESTS].value, figures[FigureName.TESTED].value) == (1, 100.0)
    assert (figures[FigureName.OPEN_PULLS].value, figures[FigureName.OLDEST_PULL].told) == (0, "none is open")
    assert found.config_base64 is not None
    assert len(base64.b64decode(found.config_base64)) == 64 * 1024 + 1
    assert house.twin.live_tokens == 0


async def test_what_nothing_checks_is_told_and_not_called_healthy(house: House) -> None:
    found, figures = await measure(house, "feature/cart")
    assert (figures[FigureName.FAILING_CHECKS].value, found.config_base64) == (None, None)
    assert figures[FigureName.FAILING_CHECKS].told == "nothing checks this commit"
