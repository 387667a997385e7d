"""New drift in Slack: one message, once however often it is tried, in which nothing is markup."""

import secrets
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from activities.queues import TaskQueue
from tests.hitl.gateway.drifting import DriftingWorkflow, goals_worker
from tests.hitl.gateway.running import CHANNEL, Place, texts
from workflows.pulumi.drift_contracts import MAX_DRIFT_LINES, TellDrift, ToldDrift

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINES = ("aws:ecs/service:Service web: desiredCount 2 → 5", "aws:s3/bucket:Bucket exports: is gone")
NEW = TellDrift(place="shop/prod (acme/shop)", lines=LINES, key="new")


async def told(here: Place, *requests: TellDrift) -> list[ToldDrift]:
    """What one goal said, one after the other."""
    async with goals_worker(here.client, DriftingWorkflow):
        return await here.client.execute_workflow(
            DriftingWorkflow.run,
            list(requests),
            id=f"detect-drift/acme/shop:prod-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
        )


async def about_drift(here: Place) -> list[dict[str, Any]]:
    found = [one for one in await here.messages() if one.get("metadata")]
    return [one for one in found if one["metadata"]["event_type"] == "banksman_drift"]


async def test_people_are_told_what_drifted_and_where_to_look(one: Place) -> None:
    async with one.gateway():
        [posted] = await told(one, NEW.model_copy(update={"more": 7}))
    [message] = await about_drift(one)
    shown = texts(message)
    assert (posted.channel, posted.ts) == (CHANNEL, message["ts"])
    for expected in (
        "New drift in shop/prod (acme/shop)",
        "In live, otherwise than the state says:",
        *LINES,
        "… and 7 more",
        "Nothing was changed.",
        "http://temporal.example/namespaces/default/workflows/detect-drift%2Facme%2Fshop%3Aprod-",
    ):
        assert expected in shown, expected
    assert message["text"] == "New drift in shop/prod (acme/shop)"


async def test_an_answer_that_was_lost_posts_it_once(one: Place) -> None:
    async with one.gateway():
        await one.fault(kind="drop_after_effect", path="chat.postMessage", times=1)
        [posted] = await told(one, NEW)
        assert await one.requests("chat.postMessage") == 1
    [message] = await about_drift(one)
    assert posted.ts == message["ts"]


async def test_the_same_key_is_one_message_and_another_is_another(one: Place) -> None:
    async with one.gateway():
        first, again, other = await told(one, NEW, NEW, NEW.model_copy(update={"key": "later"}))
        [next_look] = await told(one, NEW)
    assert first == again
    assert len({first.ts, other.ts, next_look.ts}) == 3
    assert len(await about_drift(one)) == 3


MARKUP = "<!channel> *bold* <https://evil.example|Fix it> <script>alert(1)</script> :tada: \u202egnp.exe"


async def test_names_and_values_are_no_markup(one: Place) -> None:
    async with one.gateway():
        await told(one, TellDrift(place=MARKUP, lines=(MARKUP,), key=MARKUP))
    [message] = await about_drift(one)
    assert "<!channel>" not in message["text"]
    assert "\u202e" not in str(message)
    for block in message["blocks"]:
        if block["type"] in {"section", "header"}:
            assert (block["text"]["type"], block["text"]["emoji"]) == ("plain_text", False)
        for element in block.get("elements") or []:
            assert "<!channel>" not in element["text"]
            assert "<https://evil.example" not in element["text"]


async def test_a_message_of_any_length_fits(one: Place) -> None:
    long = TellDrift(place="p" * 500, lines=("\\\"'é" * 2000,) * MAX_DRIFT_LINES, more=10**9, key="k" * 200)
    async with one.gateway():
        await told(one, long)
    [message] = await about_drift(one)
    assert "cut here" in texts(message)


async def test_without_a_channel_it_is_refused_with_what_to_do(one: Place) -> None:
    policy = one.house.path.read_text()
    one.house.path.write_text(policy.replace(f"    slack_channel: {CHANNEL}\n", ""))
    async with one.gateway():
        with pytest.raises(WorkflowFailureError) as failed:
            await told(one, NEW)
    assert "names no Slack channel for 'live'" in str(failed.value.cause.__cause__)
