"""A goal that was rehearsed: the list is in the plan that people approve, and nothing beside it is done unasked."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from temporalio.client import Client, WorkflowHandle

from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.approval.plan import read_plan
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from observability import names
from tests.workflows.approval.approving import ACTION, RemoveResult
from tests.workflows.approval.surprised import ALLOW, SayAndRemoveInput, SurprisedHouse

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST = SayAndRemoveInput()


@pytest.fixture
def house(client: Client, tmp_path: Path) -> SurprisedHouse:
    return SurprisedHouse(client, tmp_path)


async def begin(house: SurprisedHouse, request: SayAndRemoveInput) -> WorkflowHandle[Any, RemoveResult]:
    return await house.client.start_workflow(
        "TestSayAndRemove",
        request,
        id=f"say-{secrets.token_hex(4)}",
        task_queue=TaskQueue.GOALS,
        result_type=RemoveResult,
    )


async def decide(house: SurprisedHouse, approval: str, action: str, *, verdict: Verdict = Verdict.APPROVE) -> None:
    house.action = action
    await house.decide(approval, "alice", verdict=verdict)
    if verdict is Verdict.APPROVE:
        await house.decide(approval, "bob")


async def rehearse(house: SurprisedHouse, request: SayAndRemoveInput) -> Rehearsal:
    """What the goal itself says that it did."""
    goal = await begin(house, request)
    await decide(house, await house.approval_of(goal), ACTION)
    await goal.result()
    effects = await goal.query("effects", result_type=tuple[RehearsedEffect, ...])
    house.talker.said.clear()
    house.remover.removed.clear()
    return sealed(request, effects)


def sealed(request: SayAndRemoveInput, effects: tuple[RehearsedEffect, ...]) -> Rehearsal:
    return Rehearsal.sealed(
        goal="TestSayAndRemove",
        of=request.digest(),
        made_at=datetime.now(UTC),
        copied=("github acme/shop",),
        effects=effects,
        milliseconds=1,
    )


def after(request: SayAndRemoveInput, rehearsal: Rehearsal) -> SayAndRemoveInput:
    return SayAndRemoveInput.model_validate({**dict(request), "rehearsal": rehearsal})


def counted(action: str) -> float:
    return REGISTRY.get_sample_value(names.METRIC_SURPRISES, {"action": action}) or 0


async def test_the_same_effects_are_no_surprise_and_their_list_is_approved(house: SurprisedHouse) -> None:
    before = counted(ACTION), counted("github.comment")
    async with house.workers():
        rehearsal = await rehearse(house, REQUEST)
        goal = await begin(house, after(REQUEST, rehearsal))
        approval = await house.approval_of(goal)
        plan = read_plan(await house.client.get_workflow_handle(approval).query("plan", result_type=str))
        await decide(house, approval, ACTION)
        result = await goal.result()
    assert [one.action for one in rehearsal.effects] == ["github.comment", ACTION]
    assert (result.outcome, house.talker.said, house.remover.removed) == ("completed", [1], ["old"])
    assert plan.rehearsal is not None
    assert (plan.rehearsal.digest, plan.rehearsal.surprises) == (rehearsal.digest, ())
    assert plan.rehearsal.effects == tuple(one.words() for one in rehearsal.effects)
    assert (counted(ACTION), counted("github.comment")) == before


async def test_another_write_is_asked_about_first_and_done_when_people_allow_it(house: SurprisedHouse) -> None:
    before = counted("github.comment")
    request = SayAndRemoveInput(on=(1, 2))
    async with house.workers():
        whole = await rehearse(house, request)
        goal = await begin(house, after(request, sealed(request, (whole.effects[0], whole.effects[2]))))
        asked = await house.approval_of(goal)
        said = list(house.talker.said)
        plan = read_plan(await house.client.get_workflow_handle(asked).query("plan", result_type=str))
        await decide(house, asked, ALLOW)
        await decide(house, await house.approval_of(goal, after=1), ACTION)
        result = await goal.result()
    assert said == [1]
    assert (plan.action, plan.parameters["resource"]) == (ALLOW, whole.effects[1].words())
    assert (result.outcome, house.talker.said) == ("completed", [1, 2])
    assert counted("github.comment") == before + 1


async def test_of_steps_side_by_side_each_surprise_is_asked_about_once_and_one_at_a_time(house: SurprisedHouse) -> None:
    before = counted("github.comment")
    request = SayAndRemoveInput(on=(1, 2, 2), side_by_side=True)
    async with house.workers():
        goal = await begin(house, after(request, sealed(request, ())))
        for number in range(2):
            await decide(house, await house.approval_of(goal, after=number), ALLOW)
        await decide(house, await house.approval_of(goal, after=2), ACTION)
        result = await goal.result()
    assert (result.outcome, sorted(house.talker.said)) == ("completed", [1, 2, 2])
    assert counted("github.comment") == before + 2


async def test_another_write_is_not_done_when_people_say_no(house: SurprisedHouse) -> None:
    async with house.workers():
        goal = await begin(house, after(REQUEST, sealed(REQUEST, ())))
        await decide(house, await house.approval_of(goal), ALLOW, verdict=Verdict.REJECT)
        result = await goal.result()
    assert (result.outcome, house.talker.said, house.remover.removed) == ("rejected", [], [])


async def test_another_write_is_not_done_where_the_policy_lets_nobody_allow_it(client: Client, tmp_path: Path) -> None:
    house = SurprisedHouse(client, tmp_path, allowed=False)
    async with house.workers():
        result = await (await begin(house, after(REQUEST, sealed(REQUEST, ())))).result()
    assert (result.outcome, house.talker.said) == ("denied", [])
    assert ALLOW in (result.reason or "")


async def test_what_would_be_destroyed_beside_the_list_is_said_on_top_of_its_plan(house: SurprisedHouse) -> None:
    before = counted(ACTION)
    async with house.workers():
        rehearsal = await rehearse(house, REQUEST)
        goal = await begin(house, after(REQUEST, sealed(REQUEST, rehearsal.effects[:1])))
        approval = await house.approval_of(goal)
        plan = read_plan(await house.client.get_workflow_handle(approval).query("plan", result_type=str))
        await decide(house, approval, ACTION)
        result = await goal.result()
    assert plan.rehearsal is not None
    assert plan.rehearsal.surprises == (rehearsal.effects[1].words(),)
    assert result.outcome == "completed"
    assert counted(ACTION) == before + 1
