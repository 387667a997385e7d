"""The goal `FlowStatus`: what it tells, and how it ends when it may not look."""

import pytest
from temporalio.client import Client

from activities.estuary.contracts import LOOK_AT_FLOW
from activities.queues import TaskQueue
from tests.workflows.estuary.answers import DENIED, HOOK, LIVE
from tests.workflows.played import playing
from workflows.estuary.goals import FLOW_STATUS, FlowStatusInput, FlowStatusResult

on_the_server = pytest.mark.asyncio(loop_scope="session")


async def status(client: Client, goal_id: str, request: FlowStatusInput) -> FlowStatusResult:
    return await client.execute_workflow(
        FLOW_STATUS.name, request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=FlowStatusResult
    )


@on_the_server
async def test_what_was_seen_is_told_with_what_is_in_trouble_and_what_is_not_there(
    client: Client, goal_id: str
) -> None:
    async with playing(client, {LOOK_AT_FLOW: [LIVE]}):
        told = await status(client, goal_id, FlowStatusInput(names=(HOOK, "acme/shop/none")))
    assert told.outcome == "completed"
    assert (told.troubled, told.missing) == ((HOOK,), ("acme/shop/none",))
    assert (told.specs[0].shards, told.specs[0].publication) == ("PENDING", LIVE.specs[0].publication)


@on_the_server
async def test_a_refusal_is_a_result(client: Client, goal_id: str) -> None:
    async with playing(client, {LOOK_AT_FLOW: [DENIED]}):
        told = await status(client, goal_id, FlowStatusInput(prefix="acme/shop/"))
    assert (told.outcome, told.reason, told.specs) == ("denied", "acme/shop/ is not to be published", ())


@pytest.mark.parametrize(
    "given",
    [{}, {"names": [HOOK], "prefix": "acme/"}, {"prefix": "acme"}, {"names": ["acme"]}, {"names": ["acme/../x"]}],
)
def test_what_asks_for_nothing_or_for_both_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="FlowStatusInput"):
        FlowStatusInput.model_validate(given)


def test_two_questions_have_two_keys() -> None:
    keys = {FlowStatusInput(names=(HOOK, f"acme/shop/{one}")).business_key() for one in "ab"}
    keys |= {FlowStatusInput(prefix="acme/shop/").business_key()}
    keys |= {
        FlowStatusInput(names=tuple(f"acme/shop/{one:0100}" for one in range(count))).business_key() for count in (3, 4)
    }
    assert len(keys) == 5
    assert max(map(len, keys)) < 300
