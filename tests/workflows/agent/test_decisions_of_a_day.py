"""A day on which people decide only so often: known before they are asked, and given back where they were not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from activities.github.contracts import BranchSeen
from activities.models.contracts import UseLimits
from hitl.approval.decision import Verdict
from tests.hitl.plan_language.planning import MOTTO, delete, plan_of, step
from tests.workflows.agent.asking import FOUND, AskingHouse, answers, planned
from tests.workflows.agent.running import DELETE, RUN, there
from tests.workflows.scripted import SEEN
from workflows.agent.goals import AskForResult

pytestmark = pytest.mark.asyncio(loop_scope="session")
DELETES = "Delete the branch old of acme/shop."
PLAN = plan_of(explore=[], act=[delete("old")])
"""People decide twice: on the plan, and on its step."""


def house_of(client: Client, folder: Path, decisions: int) -> AskingHouse:
    house = AskingHouse(client, folder, answers(planned(PLAN)), decisions_of_a_day=decisions)
    house.model.found = FOUND.model_copy(update={"limits": UseLimits(day_decisions=decisions)})
    return house


async def approved(house: AskingHouse) -> AskForResult:
    goal = await house.ask_for(DELETES)
    plan: Any = house.child(goal, "plan")
    await house.click(plan, RUN)
    await house.click(house.child(plan, "act/gone"), DELETE)
    return await goal.result()


async def test_a_plan_for_which_there_is_no_room_asks_nobody(client: Client, tmp_path: Path) -> None:
    house = house_of(client, tmp_path, 1)
    async with house.workers():
        result = await (await house.ask_for(DELETES)).result()
    assert (result.outcome, result.asked, house.deleting.deleted) == ("refused", False, [])
    assert "people would have to decide 2 times for it" in str(result.reason)
    assert house.decided == 0


async def test_what_people_decided_counts_and_the_next_plan_finds_no_room(client: Client, tmp_path: Path) -> None:
    house = house_of(client, tmp_path, 3)
    async with house.workers():
        assert (await approved(house)).outcome == "completed"
        assert house.decided == 2
        result = await (await house.ask_for(DELETES)).result()
    assert (result.outcome, house.deleting.deleted, house.decided) == ("refused", ["old"], 2)
    assert "has 2 of 3 decisions in use" in str(result.reason)


async def test_what_people_were_not_asked_is_given_back(client: Client, tmp_path: Path) -> None:
    house = house_of(client, tmp_path, 2)
    async with house.workers():
        goal = await house.ask_for(DELETES)
        await house.click(house.child(goal, "plan"), RUN, Verdict.REJECT)
        assert (await goal.result()).outcome == "rejected"
    assert house.decided == 1


@pytest.mark.parametrize("during", ["the question", "the first step"])
async def test_a_cancelled_plan_gives_back_what_people_were_not_asked(
    client: Client, tmp_path: Path, during: str
) -> None:
    act = [step(MOTTO, id="looks"), delete("old"), step(delete("wip"), id="later")]
    house = AskingHouse(client, tmp_path, answers(planned(plan_of(explore=[], act=act))), decisions_of_a_day=9)
    house.model.found = FOUND.model_copy(update={"limits": UseLimits(day_decisions=9)})
    async with house.workers():
        goal = await house.ask_for("Read MOTTO.md of acme/shop, then delete the branches old and wip there.")
        plan: Any = house.child(goal, "plan")
        await there(plan)
        await house.approval_of(plan)
        assert house.decided == 3
        if during == "the first step":
            await house.click(plan, RUN)
            gone = house.child(plan, "act/gone")
            await there(gone)
            await house.approval_of(gone)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError):
            await goal.result()
    assert (house.decided, house.deleting.deleted) == (1 if during == "the question" else 2, [])


@pytest.mark.parametrize(("most", "asked"), [(2, False), (3, True)])
async def test_a_step_that_asks_once_more_takes_one_more_or_ends(
    client: Client, tmp_path: Path, most: int, asked: bool
) -> None:
    house = house_of(client, tmp_path, most)
    house.steps.seen = [SEEN, SEEN, BranchSeen(head=None)]
    async with house.workers():
        goal = await house.ask_for(DELETES)
        plan: Any = house.child(goal, "plan")
        await house.click(plan, RUN)
        gone = house.child(plan, "act/gone")
        await there(gone)  # the plan's own grant was looked at in time
        house.ahead = timedelta(days=30)
        await house.click(gone, DELETE)
        if asked:
            await house.approval_of(gone, after=1)
            house.ahead = timedelta()
            await house.click(gone, DELETE, after=1)
        result = await goal.result()
    assert (result.outcome, house.deleting.deleted, house.decided) == (
        ("completed", ["old"], 3) if asked else ("denied", [], 2)
    )
