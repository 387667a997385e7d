"""How far an approved step is, below its message: now and then, each line once, and nothing after the end.

With the end comes what a person does now, where not all was done.
"""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment

from tests.hitl.gateway.running import Place, texts
from tests.workflows.approval.approving import RemoveResult
from workers.gateway import Gateway
from workflows.approval.contracts import UpdateApproval

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Goal:
    """A goal that waits for its step, and speaks of it as its own step would."""

    def __init__(self, gateway: Gateway, goal: WorkflowHandle[object, RemoveResult], last: UpdateApproval) -> None:
        self._gateway = gateway
        self._last = last
        self._as = ActivityEnvironment()
        self._as.info = replace(self._as.info, workflow_id=goal.id, workflow_run_id=goal.run_id)

    async def say(self, progress: str = "", ended: str = "", **more: str) -> None:
        said = self._last.model_copy(update={"progress": progress, "ended": ended, **more})
        await self._as.run(self._gateway.steps.update_approval, said)


async def waiting(here: Place, gateway: Gateway) -> tuple[Goal, str, WorkflowHandle[object, RemoveResult]]:
    goal, approval, message = await here.asked(gateway)
    plan = await here.client.get_workflow_handle(approval).query("plan", result_type=str)
    last = UpdateApproval(view=await here.house.view(approval), plan=plan)
    return Goal(gateway, goal, last), message["ts"], goal


async def lines(here: Place, ts: str) -> list[str]:
    return [texts(one) for one in await here.messages(thread_ts=ts) if one["ts"] != ts]


async def test_lines_follow_each_other_slowly_and_none_is_said_twice(here: Place) -> None:
    async with here.running() as gateway:
        here.twin.clock.ahead = -90
        step, ts, goal = await waiting(here, gateway)
        await step.say("3 done; + postgres:Database shop")
        here.twin.clock.ahead = -60
        await step.say("3 done; + postgres:Database shop")
        await step.say("9 done; + postgres:Role shop")
        here.twin.clock.ahead = 0
        await step.say("12 done")
        await step.say("13 done")
        await asyncio.gather(step.say("14 done"), step.say("15 done"))
        found = await lines(here, ts)
        edits = [one["edits"] for one in await here.messages() if one["ts"] == ts]
        await goal.terminate()
    assert found == ["3 done; + postgres:Database shop", "9 done; + postgres:Role shop", "12 done"]
    assert edits == [0]


async def test_nothing_is_said_after_the_end(here: Place) -> None:
    async with here.running() as gateway:
        here.twin.clock.ahead = -60
        step, ts, goal = await waiting(here, gateway)
        await step.say("3 done")
        await step.say(ended="carried out")
        await step.say("4 done")
        found = await lines(here, ts)
        await goal.terminate()
    assert found == ["3 done", "The step ended: carried out."]


async def test_a_line_is_short_and_no_markup(here: Place) -> None:
    async with here.running() as gateway:
        step, ts, goal = await waiting(here, gateway)
        await step.say("<!channel> \u202egnp " + "x" * 5000)
        [said] = [one for one in await here.messages(thread_ts=ts) if one["ts"] != ts]
        await goal.terminate()
    assert said["blocks"][0]["text"]["type"] == "plain_text"
    assert "<!channel>" not in said["text"]
    assert "\\u202egnp" in texts(said)
    assert len(texts(said)) == 500


@pytest.mark.parametrize(
    ("end", "ended"),
    [
        ("partially_applied", "carried out in part: 1 done; 1 failed (delete blog)"),
        ("unknown", "in doubt: nobody can say whether it was carried out"),
        ("refused", "refused, and nothing was changed. Why: <!channel> is in use"),
    ],
)
async def test_message_and_thread_say_what_to_do_where_not_all_was_done(here: Place, end: str, ended: str) -> None:
    async with here.running() as gateway:
        step, ts, goal = await waiting(here, gateway)
        await step.say(ended=ended, end=end, next_step="Look at <!channel>\u202e, refresh, and plan again.")
        [said] = await lines(here, ts)
        [message] = [one for one in await here.messages() if one["ts"] == ts]
        await goal.terminate()
    now = "What to do now: Look at <!channel>\\u202e, refresh, and plan again."
    assert said == f"The step ended: {ended}.\n{now}"
    assert f"How it ended: {ended}\n{now}" in texts(message)
    assert "<!channel>" not in message["text"]
    shown = [block["text"] for block in message["blocks"] if "text" in block]
    assert [one["type"] for one in shown if now in one["text"]] == ["plain_text"]


async def test_nothing_is_to_be_done_where_all_was_done(here: Place) -> None:
    async with here.running() as gateway:
        step, ts, goal = await waiting(here, gateway)
        await step.say(ended="carried out", end="completed", next_step="Nothing is to be done.")
        found = await lines(here, ts)
        [message] = [one for one in await here.messages() if one["ts"] == ts]
        await goal.terminate()
    assert found == ["The step ended: carried out."]
    assert "to be done" not in texts(message)
