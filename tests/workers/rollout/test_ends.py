"""How goals and approvals ended, on the real server: by its word, each run once, and no word of a stranger's."""

import asyncio
import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.protocol import Denial, Effect, RefusalReason
from tests.hitl.gateway.parking import REQUEST, outage
from tests.hitl.gateway.running import eventually
from tests.replay.scenarios import until_parked
from tests.workers.rollout.pretending import PretendedGoal
from tests.workflows.approval.approving import House
from tests.workflows.scripted import CONTENT, Steps, workers
from workers.rollout.ends import Ends, read_ends
from workflows.contracts import STATE_ATTRIBUTE

pytestmark = pytest.mark.asyncio(loop_scope="session")

DENIAL = Denial(
    reason=RefusalReason.PHASE,
    action="github.read_file",
    effect=Effect.READ,
    environment="local",
    explanation="not here",
)
Goal = WorkflowHandle[Any, Any]


async def start(client: Client) -> Goal:
    return await client.start_workflow("ReadFile", REQUEST, id=f"r-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS)


async def once(client: Client, begin: datetime, ended: int, wrong: set[str] | None = None) -> Ends:
    """What is read, once the server's index has so many ends."""
    found: list[Ends] = []

    async def so() -> bool:
        found.append(await read_ends(client, begin=begin, called_wrong=wrong or set()))
        return found[-1].ended >= ended

    await eventually(so)
    return found[-1]


async def test_goals_are_counted_by_how_they_ended_and_those_called_wrong_once(client: Client) -> None:
    async with workers(client, Steps(answers=[CONTENT])):
        await (await start(client)).result()
    begin = datetime.now(UTC)
    gone = application_error(ErrorType.NOT_FOUND, "no such file")
    async with workers(client, Steps(answers=[CONTENT, policy_denied(DENIAL), gone, outage()])):
        goals = list[Goal]()
        for _ in range(3):
            goals.append(await start(client))
            await asyncio.gather(goals[-1].result(), return_exceptions=True)
        parked = await start(client)
        await until_parked(parked)
        runs = [(await one.describe()).run_id for one in goals]
        found = await once(client, begin, 3, {runs[0], runs[2], "of another day"})
        assert found.goals == {"completed": 1, "denied": 1, "failed": 1}
        assert found.by_goal["ReadFile", "denied"] == 1
        assert found.wrong == 2, "one failed and was called wrong as well, and another was called wrong alone"
        assert found.parked_now == 1
        await parked.terminate()
        with contextlib.suppress(WorkflowFailureError):
            await parked.result()
    found = await once(client, begin, 4)
    assert (found.goals["terminated"], found.wrong, found.parked_now) == (1, 1, 0)
    assert found.kept_days is not None


async def test_a_strangers_word_for_an_end_is_not_told(client: Client) -> None:
    begin, word = datetime.now(UTC), "**completed** <script>"
    queue = f"mine-{secrets.token_hex(4)}"
    async with Worker(client, task_queue=queue, workflows=[PretendedGoal]):
        await client.execute_workflow("ReadFile", word, id=f"r-{secrets.token_hex(4)}", task_queue=queue)
    assert (await once(client, begin, 1)).goals == {"other": 1}


async def test_approvals_are_counted_with_the_time_that_people_took(client: Client, tmp_path: Path) -> None:
    begin = datetime.now(UTC)
    house = House(client, tmp_path)
    async with house.workers():
        approved, rejected = await house.start(branch="one"), await house.start(branch="two")
        for goal, verdict, people in (
            (approved, Verdict.APPROVE, ("alice", "bob")),
            (rejected, Verdict.REJECT, ("alice",)),
        ):
            approval = await house.approval_of(goal)
            for person in people:
                reason = "not now" if verdict is Verdict.REJECT else ""
                await house.decide(approval, person, verdict=verdict, reason=reason)
            await goal.result()
        waits = await house.start(branch="three")
        await house.approval_of(waits)
        by_hand = await client.start_workflow(
            "Approval",
            {"plan": "nobody's"},
            id=f"approval-{secrets.token_hex(4)}",
            task_queue=f"nobody-{secrets.token_hex(4)}",
            search_attributes=TypedSearchAttributes([SearchAttributePair(STATE_ATTRIBUTE, "approved")]),
        )
        found: list[Ends] = []

        async def so() -> bool:
            found.append(await read_ends(client, begin=begin, called_wrong=()))
            return found[-1].decided == 2 and found[-1].asked == 3

        await eventually(so)
        for one in (waits, by_hand):
            await one.terminate()
    assert found[-1].approvals == {"approved": 1, "rejected": 1, "waiting": 1}, "and none that somebody made by hand"
    took = found[-1].median_seconds
    assert took is not None
    assert timedelta(seconds=took) < datetime.now(UTC) - begin
