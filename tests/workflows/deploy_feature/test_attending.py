"""What people see of a deployment under way, and what they may have it do: less, and nothing that keeps them safe."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.verify.contracts import PageChecked
from tests.workflows.approval.approving import eventually
from tests.workflows.deploy_feature.deploying import Goal, Make, World, marks
from workflows.approval.contracts import ApprovalView

pytestmark = pytest.mark.asyncio(loop_scope="session")
WHO = {"person": "carol", "reason": "an incident"}


async def refused(goal: Goal, update: str, told: dict[str, str]) -> str:
    """Why an update is not taken."""
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await goal.execute_update(update, told)
    assert isinstance(error.value.cause, ApplicationError)
    return error.value.cause.message


async def test_the_status_tells_every_step_and_who_is_waited_for(make: Make) -> None:
    house = make(World())
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        status = await house.until(goal, "waiting")
        shown = str((await goal.query("__temporal_workflow_metadata")).current_details)
        await goal.terminate()
    lines = [line for line in shown.splitlines() if line]
    assert "Waiting" in lines[0]
    assert all(any(one.name in line for line in lines[1:]) for one in status.steps), shown
    assert marks(status.steps) == {
        "manifest": "done",
        "tests": "done",
        "preview staging": "done",
        "preview production": "done",
        "approval": "waiting",
    }
    assert all(one.began is not None for one in status.steps)
    assert "by release" in str(status.waiting_for)


async def test_tests_and_previews_run_side_by_side(make: Make) -> None:
    world = World()
    world.holds_at = "tests"
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await world.reached.wait()

        async def previewed() -> bool:
            return marks((await house.status(goal)).steps).get("preview production") == "done"

        await eventually(previewed)
        status = await house.status(goal)
        world.opened.set()
        await house.approval_of(goal)
        await goal.terminate()
    assert marks(status.steps)["tests"] == "running"


async def test_a_paused_goal_begins_nothing_until_it_is_resumed(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        await goal.execute_update("pause", WHO)
        assert "carol has paused it already" in await refused(goal, "pause", WHO)
        await house.approve(goal)
        status = await house.until(goal, "parked")
        assert status.waiting_for == "`resume`: carol has paused it: an incident"
        assert world.done == []
        await goal.execute_update("resume", {"note": "over", "person": "bob"})
        result = await goal.result()
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])
    assert [one.split("UTC ")[1] for one in result.record] == [
        "paused by carol: an incident",
        "goes on",
        "resumed by bob: over",
    ]


async def test_what_is_aborted_while_it_is_paused_stops(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        await goal.execute_update("pause", WHO)
        await house.approve(goal)
        await house.until(goal, "parked")
        await goal.execute_update("abort", WHO)
        result = await goal.result()
    assert (result.outcome, result.reason) == ("withdrawn", "aborted by carol: an incident. Nothing was changed")
    assert world.done == []


async def test_what_is_aborted_while_people_decide_changes_nothing_and_asks_nobody_any_more(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        approval = await house.approval_of(goal)
        await house.until(goal, "waiting")
        await goal.execute_update("abort", WHO)
        result = await goal.result()

        async def over() -> bool:
            return (await house.client.get_workflow_handle(approval).describe()).status != 1

        await eventually(over)
    assert (result.outcome, world.done) == ("withdrawn", [])
    assert result.reason == "aborted by carol: an incident. Nothing was changed"
    assert world.checks[-1].conclusion == "cancelled"


async def test_what_is_aborted_between_two_environments_is_taken_back(make: Make) -> None:
    world = World()
    world.holds_at = "page"
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        await world.reached.wait()
        await goal.execute_update("abort", WHO)
        assert "carol has had it stopped already" in await refused(goal, "abort", WHO)
        world.opened.set()
        await house.approval_of(goal, after=1)
        assert "not stopped half way" in await refused(goal, "abort", WHO)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.done) == ("undone", ["staging c", "staging b"])
    assert str(result.reason).startswith("aborted by carol: an incident.")


async def test_the_merge_is_left_out_at_somebodys_word_and_what_keeps_people_safe_is_not(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        for name in ("tests", "approval", "re-check", "verify staging", "update production"):
            why = await refused(goal, "skip", WHO | {"step": name})
            assert why.startswith(f"{name!r} is not left out; these are: merge, comment.")
        await goal.execute_update("skip", WHO | {"step": "merge"})
        assert "left out" in await refused(goal, "skip", WHO | {"step": "merge"})
        await house.approve(goal)
        result = await goal.result()
    assert (result.outcome, result.merged, world.done) == ("completed", None, ["staging c", "live c"])
    assert marks(result.steps)["merge"] == "skipped"


async def test_nothing_is_tried_again_that_is_not_parked(make: Make) -> None:
    house = make(World())
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        assert "parked at no step" in await refused(goal, "retry", WHO | {"step": "tests"})
        await goal.terminate()


async def test_nobody_talks_to_it_without_a_name(make: Make) -> None:
    house = make(World())
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        with pytest.raises(WorkflowUpdateFailedError):
            await goal.execute_update("abort", {"person": "", "reason": "x"})
        await goal.terminate()


async def test_a_goal_that_is_cancelled_gives_the_service_back_and_says_so_on_github(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        approval = await house.approval_of(goal)
        await house.until(goal, "waiting")
        await goal.cancel()

        async def told() -> bool:
            return world.checks[-1].conclusion == "cancelled"

        await eventually(told)
        view = await house.client.get_workflow_handle(approval).query("view", result_type=ApprovalView)
        again = await house.ask_for()
        await house.approve(again)
        assert (await again.result()).outcome == "completed"
    assert view.state != "waiting"


@pytest.mark.parametrize("step", ["tests", "preview live", "update staging", "page", "update live", "merge"])
async def test_the_death_of_the_goals_worker_at_any_step_changes_nothing(make: Make, step: str) -> None:
    world = World()
    world.holds_at = step
    house = make(world)
    await house.keys.refresh()
    async with house.systems():
        async with house.goals():
            goal = await house.ask_for()
            if step not in {"tests", "preview live"}:
                await house.approve(goal)
            await world.reached.wait()
        world.opened.set()
        async with house.goals():
            if step in {"tests", "preview live"}:
                await house.approve(goal)
            result = await goal.result()
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])


async def test_a_page_that_recovers_in_time_is_healthy(make: Make) -> None:
    world = World()
    down = PageChecked(healthy=False, why="it answered 503", status=503, milliseconds=1)
    world.pages = [down, down, PageChecked(healthy=True, milliseconds=1)]
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert result.outcome == "completed"
