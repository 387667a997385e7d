"""A parked goal in Slack: one message for one parking, in which nothing is markup, and which says how it went on."""

import asyncio
import secrets
import shlex
from pathlib import Path

import pytest
from temporalio.client import Client

from connectors.slack.twin.limits import Limits
from connectors.vault import VaultSession
from tests.hitl.gateway.parking import SEALED, at_work, outage, resume, start, steps, told, until_told
from tests.hitl.gateway.running import CHANNEL, ONE, PATIENCE, Place, eventually, place, texts
from tests.replay.scenarios import until_parked
from tests.workflows.approval.approving import RemoveWorkflow
from tests.workflows.scripted import Steps, workers
from workflows.parked_contracts import PARKED_NOTICE

pytestmark = pytest.mark.asyncio(loop_scope="session")


def goal_id() -> str:
    return f"read it/{secrets.token_hex(4)}"


async def notices(here: Place, goal: str) -> int:
    """How many workflows were left to tell of a goal."""
    history = await here.client.get_workflow_handle(goal).fetch_history()
    started = (one.start_child_workflow_execution_initiated_event_attributes for one in history.events)
    return sum(one.workflow_type.name == PARKED_NOTICE for one in started)


async def until_over(here: Place, goal: str) -> None:
    """Until no workflow is left that would tell of a goal."""

    async def so() -> bool:
        query = f"WorkflowType = '{PARKED_NOTICE}' AND ParentWorkflowId = '{goal}' AND ExecutionStatus = 'Running'"
        count = (await here.client.count_workflows(query)).count
        return count == 0

    await eventually(so)


async def test_people_are_told_what_it_waits_for_how_it_goes_on_and_that_it_did(one: Place) -> None:
    async with at_work(one, steps()):
        goal = await start(one, goal_id())
        [parked] = await until_told(one, 0)
        await resume(goal)
        assert (await goal.result()).content == "hello"
        [after] = await until_told(one, 1)
    for expected in (
        f"Parked: {goal.id}",
        "*Goal*\n`ReadFile`",
        "*Where*\n`live`",
        "*Step*\n`github.read_file`",
        "*Parked since*\n20",
        f"It waits for:\n{SEALED}",
        f"banksman resume {shlex.quote(goal.id)}",
        "http://127.0.0.1:8320/goal?id=read+it%2F",
        "http://temporal.example/namespaces/default/workflows/read%20it%2F",
    ):
        assert expected in texts(parked), expected
    assert parked["text"] == f"Parked: {goal.id}"
    assert after["ts"] == parked["ts"]
    assert texts(after).partition(":")[0] in {"Goes on", "Completed"}
    assert f"It waited for:\n{SEALED}" in texts(after)
    assert "banksman resume" not in texts(after)


async def test_an_answer_that_was_lost_posts_it_once(one: Place) -> None:
    async with at_work(one, steps()):
        await one.fault(kind="drop_after_effect", path="chat.postMessage", times=1)
        goal = await start(one, goal_id())

        async def found_again() -> bool:
            return await one.requests("conversations.history") >= 1

        await eventually(found_again)
        await resume(goal)
        await until_told(one, 1)
        assert await one.requests("chat.postMessage") == 1


async def test_one_that_parks_again_after_somebody_resumed_it_is_told_again(one: Place) -> None:
    async with at_work(one, steps(SEALED, "GitHub is away")):
        goal = await start(one, goal_id())
        await until_told(one, 0)
        await resume(goal)
        first, second = await until_told(one, 1, 0)
        await resume(goal)
        await goal.result()
        await until_told(one, 1, 1)
    assert SEALED in texts(first)
    assert "GitHub is away" in texts(second)


@pytest.mark.parametrize(("end", "says"), [("cancel", "Cancelled"), ("terminate", "Terminated")])
async def test_the_message_of_one_that_was_ended_says_so(one: Place, end: str, says: str) -> None:
    async with at_work(one, steps()):
        goal = await start(one, goal_id())
        await until_told(one, 0)
        await getattr(goal, end)()
        [after] = await until_told(one, 1)
    assert texts(after).startswith(f"{says}: {goal.id}")


async def test_without_a_gateway_it_goes_on_and_nobody_is_told_later_of_what_is_over(one: Place) -> None:
    async with workers(one.client, steps()):
        goal = await start(one, goal_id())
        await resume(goal)
        assert (await goal.result()).content == "hello"
        async with one.gateway():
            await until_over(one, goal.id)
        assert await notices(one, goal.id) == 1
    assert await told(one) == []
    assert await one.requests("conversations.history") == 0


async def test_a_slack_that_is_away_holds_nothing_up_and_is_told_when_it_is_back(one: Place) -> None:
    away = {"kind": "status", "status": 503, "body": {"ok": False, "error": "service_unavailable"}}
    async with at_work(one, steps()):
        await one.fault(**away, path="chat.postMessage", times=2)
        goal = await start(one, goal_id())
        await until_told(one, 0)
        await one.fault(**away, path="chat.update", times=2)
        await resume(goal)
        assert (await goal.result()).content == "hello"
        await until_told(one, 1)


async def test_without_a_channel_it_parks_and_goes_on_all_the_same(one: Place) -> None:
    policy = one.house.path.read_text()
    one.house.path.write_text(policy.replace(f"    slack_channel: {CHANNEL}\n", ""))
    async with at_work(one, steps()):
        goal = await start(one, goal_id())
        await until_parked(goal, patience=PATIENCE)
        await until_over(one, goal.id)
        await resume(goal)
        assert (await goal.result()).content == "hello"
    assert await told(one) == []


# What others wrote.

MARKUP = "<!channel> *bold* <https://evil.example|Fix it> `code` :tada: \u202egnp.exe \u3164"


async def test_names_and_reasons_are_no_markup_and_hide_nothing(one: Place) -> None:
    async with at_work(one, steps(MARKUP)):
        goal = await start(one, f"{MARKUP} {secrets.token_hex(4)}")
        [message] = await until_told(one, 0)
        await goal.terminate()
        await until_told(one, 1)
    assert "<!channel>" not in message["text"]
    for hidden in "\u202e\u3164":
        assert hidden not in str(message)
    for block in message["blocks"]:
        for part in (block.get("text"), *(block.get("fields") or []), *(block.get("elements") or [])):
            if part is None:
                continue
            assert part["type"] == "mrkdwn" or part["emoji"] is False
            if part["type"] == "mrkdwn":
                assert "<!channel>" not in part["text"]
                assert "<https://evil.example" not in part["text"]
    assert "It waits for:\n<!channel> *bold*" in texts(message), "as plain text it is shown as it is"


@pytest.mark.parametrize("letter", ["x", "&", "'", "é"])
async def test_a_message_of_any_length_fits(one: Place, letter: str) -> None:
    """A goal's id is anybody's choice, up to Temporal's thousand bytes."""
    long = letter * (990 // len(letter.encode()) - 10)
    async with at_work(one, steps("\\\"'é" * 400)):
        goal = await start(one, f"{long}{secrets.token_hex(4)}")
        await until_told(one, 0)
        await goal.terminate()
        await until_told(one, 1)


# Very many at once.


async def waits_for_a_gateway(here: Place, workflow_id: str) -> bool:
    """Whether a step of a workflow lies in the queue of a gateway that is not there."""
    described = await here.client.get_workflow_handle(workflow_id).describe()
    return len(described.raw_description.pending_activities) == 1


async def notices_wait(here: Place, count: int) -> bool:
    """Whether so many goals have parked and have a workflow to tell of it."""
    query = f"WorkflowType = '{PARKED_NOTICE}' AND ExecutionStatus = 'Running'"
    return (await here.client.count_workflows(query)).count == count


async def all_told(here: Place, count: int) -> bool:
    return len(await told(here)) == count


LIMITED = {"slack_posts_per_second": 2, "slack_calls_per_minute": 600}
"""Slow, so that what an approval asks of Temporal before it is posted takes the time of few others."""


async def test_many_that_park_at_once_are_each_told_once_and_an_approval_need_not_wait_for_them(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    count = 30
    limits = Limits(posts_per_second=2, post_burst=5, tiers={1: 100, 2: 300, 3: 600, 4: 1200})
    async with place(client, vault, tmp_path, policy=ONE, limits=limits) as here:
        scripted = Steps(answers=[outage()], rules=[here.house.resolved()])
        async with workers(client, scripted, also=[RemoveWorkflow]):
            await asyncio.gather(*(start(here, goal_id()) for _ in range(count)))
            await eventually(lambda: notices_wait(here, count), patience=40)
            approval = await here.house.approval_of(await here.goal(await here.made()))
            await eventually(lambda: waits_for_a_gateway(here, approval))
            async with here.gateway(**LIMITED):
                await eventually(lambda: all_told(here, count), patience=40)
                asked = await here.requests("conversations.history")
                shown = await here.message(approval)
                before = sum(float(one["ts"]) < float(shown["ts"]) for one in await told(here))
    assert before < count // 3, "the approval came last, and was shown after many of them"
    assert asked <= 3
