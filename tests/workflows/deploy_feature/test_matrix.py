"""Every step of a deployment, and everything that may happen to it: each ends as it should, and leaves nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from bench.deployment import figures_of
from tests.workflows.approval.approving import eventually
from tests.workflows.deploy_feature.matrix import DEPLOYED, Matrix
from tests.workflows.deploy_feature.matrix_page import PAGE, goals_killed, settled, steps_met, table
from tests.workflows.deploy_feature.mishaps import (
    AWAY,
    GOALS_AFTER,
    GOALS_IN,
    KILLS,
    errors_of_engines,
    faults_of_twins,
)
from workflows.pulumi.lock import StackLine

MOST_EVENTS, MOST_BYTES = 400, 256 * 1024
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Of an attempt whose worker is as good as dead.
    pytest.mark.filterwarnings("ignore:Cannot find activity to cancel"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def met(dev_server: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    """With all but the cells of goals workers; the first test waits for them."""
    async with settled(dev_server.client, tmp_path_factory.mktemp("matrix")) as town:
        yield await steps_met(town)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def matrix(met: Matrix) -> AsyncIterator[Matrix]:
    """All of it."""
    async with goals_killed(met):
        yield met


async def test_every_provider_fails_in_every_way_that_its_twin_can(met: Matrix) -> None:
    assert {what for _, what in met.found} >= {*faults_of_twins(), *errors_of_engines(), AWAY}


async def test_the_steps_are_those_of_the_honest_runs_own_history(met: Matrix) -> None:
    history = await met.town.client.get_workflow_handle(f"deploy-{met.honest.name}").fetch_history()
    scheduled = [one.activity_task_scheduled_event_attributes.activity_type.name for one in history.events]
    taken = [one.step for one in met.honest.taken if one.workflow == "DeployNewFeature"]
    assert sorted(taken) == sorted(filter(None, scheduled))


async def test_every_cell_ends_deployed_once_or_changed_nothing_or_tells_what_is_left(matrix: Matrix) -> None:
    wrong = [f"{key}: {one.end}; {one.why}" for key, one in matrix.found.items() if "SOMETHING" in one.end]
    assert wrong == []
    assert all(one.why for one in matrix.found.values())


async def test_no_effect_is_had_twice_and_each_mishap_happened(matrix: Matrix) -> None:
    assert {f"{step}, {what}": one.problems for (step, what), one in matrix.found.items() if one.problems} == {}


async def test_the_death_of_any_worker_at_any_step_changes_no_end(matrix: Matrix) -> None:
    killed = {key: one.end for key, one in matrix.found.items() if key[1] in (*KILLS, GOALS_IN, GOALS_AFTER)}
    assert set(killed.values()) == {DEPLOYED}
    steps = {step for step, _ in killed}
    assert all((step, what) in killed for step in steps for what in (*KILLS, GOALS_IN, GOALS_AFTER))
    assert {one.step for one in steps} == {one.step for one in matrix.honest.taken}


async def test_nothing_is_left(matrix: Matrix) -> None:
    """Lines and locks stay for a while, for whoever comes next; nobody stands in them."""
    client = matrix.town.client

    async def over() -> bool:
        left = [one.id async for one in client.list_workflows("ExecutionStatus = 'Running'") if "cell" in one.id]
        return all(one.startswith(("service/", "stack/")) for one in left)

    await eventually(over)
    async for one in client.list_workflows("ExecutionStatus = 'Running'"):
        if one.id.startswith(("service/cell", "stack/cell")):
            line = await client.get_workflow_handle(one.id).query("line", result_type=StackLine)
            assert (one.id, line.tickets) == (one.id, ())
    killed = sum(len(one.cell.mishaps) for one in matrix.found.values())
    assert matrix.town.twins.github.live_tokens <= killed


async def test_nobody_is_asked_again_because_a_worker_died(matrix: Matrix) -> None:
    died = {one.cell.name for (_, what), one in matrix.found.items() if what in (*KILLS, GOALS_IN, GOALS_AFTER)}
    assert {name: many for name, many in matrix.town.decisions.items() if name in died and many != 1} == {}


async def test_an_honest_run_asks_one_person_once_and_its_history_is_small(matrix: Matrix) -> None:
    found = await figures_of(matrix.town.client, f"deploy-{matrix.honest.name}")
    assert matrix.town.decisions[matrix.honest.name] == 1
    assert found.events <= MOST_EVENTS
    assert found.size <= MOST_BYTES
    assert timedelta() < found.steps


async def test_the_page_shows_each_cells_end(matrix: Matrix) -> None:
    # Steps that are taken side by side come in one order in one run, and in another in the next.
    written, found = (
        sorted(text.splitlines()) for text in (PAGE.read_text(), table(matrix.honest.taken, matrix.found))
    )
    assert written == found, "write it: python -m tests.workflows.deploy_feature.matrix_page"


async def test_what_is_not_as_it_must_be_is_found(matrix: Matrix) -> None:
    world = matrix.town.worlds[matrix.honest.name]
    world.done.append(world.done[0])
    try:
        assert "2 updates" in list(matrix.problems(matrix.honest, ["", "it waits"]))
        assert "parked without a reason: ''" in list(matrix.problems(matrix.honest, ["", "it waits"]))
    finally:
        world.done.pop()
