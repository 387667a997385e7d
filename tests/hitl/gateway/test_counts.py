"""What the gateway counts on the real server: each end once and by its name, what waits, and for how long."""

import asyncio
import contextlib
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.leases.views import LeaseState
from activities.queues import TaskQueue
from hitl.gateway.counts import Counts
from hitl.gateway.counts.ends import EndCounts
from hitl.gateway.server import Server
from hitl.protocol import Denial, Effect, RefusalReason
from observability import names
from tests.hitl.gateway.parking import REQUEST, outage
from tests.hitl.gateway.running import Place, eventually
from tests.replay.scenarios import until_parked
from tests.workflows.approval.approving import Ask, House
from tests.workflows.leases.leasing import Place as Leases
from tests.workflows.leases.sample import MACHINE
from tests.workflows.scripted import CONTENT, Steps, workers
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

DENIAL = Denial(
    reason=RefusalReason.PHASE,
    action="github.read_file",
    effect=Effect.READ,
    environment="local",
    explanation="not here",
)
GONE = application_error(ErrorType.NOT_FOUND, "no such file")
ORDINARY = {"risk": "low", "path": "ordinary"}


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, (name, labels)
    return found


async def start(client: Client) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow("ReadFile", REQUEST, id=f"r-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS)


def ends(goal: str = "ReadFile") -> dict[str, float]:
    """How many goals of that name ended how, without the noughts."""
    samples = [one for family in REGISTRY.collect() for one in family.samples if one.name == names.METRIC_GOALS_ENDED]
    return {one.labels["outcome"]: one.value for one in samples if one.labels["goal"] == goal and one.value}


def since(before: dict[str, float]) -> dict[str, float]:
    return {outcome: now - before.get(outcome, 0) for outcome, now in ends().items() if now != before.get(outcome, 0)}


async def until_counted(counts: Counts, before: dict[str, float], ended: int) -> dict[str, float]:
    async def so() -> bool:
        await counts.ends.count()
        return sum(since(before).values()) >= ended

    await eventually(so)
    await counts.ends.count()  # once more: nothing is counted twice
    return since(before)


async def test_each_end_of_a_goal_is_counted_once_and_none_but_a_success_as_completed(client: Client) -> None:
    async with workers(client, Steps(answers=[CONTENT])):
        earlier = await start(client)
        await earlier.result()
    counts = Counts(Server(client, cluster="test"))
    before = ends()
    steps = Steps(answers=[CONTENT, policy_denied(DENIAL), GONE, outage()])
    async with workers(client, steps):
        for _ in range(3):
            goal = await start(client)
            await asyncio.gather(goal.result(), return_exceptions=True)
        for end in ("cancel", "terminate"):
            goal = await start(client)
            await until_parked(goal)
            await (goal.cancel() if end == "cancel" else goal.terminate())
            with pytest.raises(WorkflowFailureError):
                await goal.result()
    assert await until_counted(counts, before, 5) == {
        "completed": 1,
        "denied": 1,
        "failed": 1,
        "cancelled": 1,
        "terminated": 1,
    }  # and the one that ended before is not among them


async def test_parked_goals_are_shown_by_name_until_they_go_on(client: Client) -> None:
    counts = Counts(Server(client, cluster="test"))
    async with workers(client, Steps(answers=[outage(), CONTENT])):
        goal = await start(client)
        await until_parked(goal)

        async def parked(times: int) -> bool:
            await counts.goals.count()
            shown = value(names.METRIC_GOALS_OPEN, state="parked"), value(names.METRIC_GOALS_PARKED, goal="ReadFile")
            return shown == (times, times)

        await eventually(lambda: parked(1))
        assert value(names.METRIC_GOALS_PARKED, goal="OpenPullRequest") == 0
        await goal.execute_update("resume", {"note": "mended"})
        await goal.result()
        await eventually(lambda: parked(0))


async def test_approvals_that_wait_show_their_age_and_whether_people_were_reminded(
    client: Client, tmp_path: Path
) -> None:
    house, counts = House(client, tmp_path), Counts(Server(client, cluster="test"))

    async def waiting(count: int, overdue: int) -> bool:
        await counts.approvals.count()
        found = [value(name, **ORDINARY) for name in (names.METRIC_APPROVALS_WAITING, names.METRIC_APPROVALS_OVERDUE)]
        return found == [count, overdue]

    async with house.workers():
        fresh = await house.ask(Ask(request=house.request("one")))
        late = await house.ask(Ask(request=house.request("two", remind_after=timedelta(milliseconds=1))))
        await eventually(lambda: waiting(2, 1))
        assert value(names.METRIC_APPROVAL_OLDEST, **ORDINARY) > 0
        assert value(names.METRIC_APPROVALS_WAITING, risk="high", path="break_glass") == 0
        for one in (fresh, late):
            await one.terminate()
    async for left in client.list_workflows("WorkflowType = 'Approval' AND ExecutionStatus = 'Running'"):
        with contextlib.suppress(RPCError):  # it ended with its goal
            await client.get_workflow_handle(left.id, run_id=left.run_id).terminate()
    await eventually(lambda: waiting(0, 0))
    assert value(names.METRIC_APPROVAL_OLDEST, **ORDINARY) == 0


async def test_an_approval_that_nobody_answered_is_no_decision_of_people(client: Client, tmp_path: Path) -> None:
    house, counts = House(client, tmp_path), Counts(Server(client, cluster="test"))

    def ended(outcome: State) -> float:
        return value(names.METRIC_APPROVALS_ENDED, outcome=outcome.value, **ORDINARY)

    def seen() -> tuple[float, float, float]:
        expired, approved = (ended(one) for one in (State.EXPIRED, State.APPROVED))
        return expired, approved, value(f"{names.METRIC_APPROVAL_DECIDED}_count", **ORDINARY)

    before, failed = seen(), ended(State.FAILED)
    async with house.workers():
        nobodys = await client.start_workflow(
            "Approval", house.request(), id=f"by-hand-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
        with pytest.raises(WorkflowFailureError):
            await nobodys.result()
        soon = house.request(approve_within=timedelta(milliseconds=100))
        await (await house.ask(Ask(request=soon))).result()
        goal = await house.start()
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        await goal.result()

    async def so() -> bool:
        await counts.ends.count()
        return seen() == (before[0] + 1, before[1] + 1, before[2] + 1)

    await eventually(so)
    assert ended(State.FAILED) == failed  # no goal asked for that one


async def test_how_long_people_waited_to_be_shown_is_measured_where_it_is_shown(one: Place) -> None:
    def shown() -> float:
        return REGISTRY.get_sample_value(f"{names.METRIC_APPROVAL_SHOWN}_count", {"risk": "low"}) or 0.0

    before = shown()
    async with one.running() as gateway:
        await one.asked(gateway)

        async def so() -> bool:
            return shown() == before + 1

        await eventually(so)


async def test_work_that_nobody_takes_is_a_backlog(client: Client) -> None:
    counts = Counts(Server(client, cluster="test"))
    goal = await start(client)

    async def so() -> bool:
        await counts.queues.count()
        waits = value(names.METRIC_QUEUE_WAIT, queue="banksman-goals")
        return value(names.METRIC_QUEUE_BACKLOG, queue="banksman-goals") >= 1 and waits > 0

    await eventually(so)
    assert value(names.METRIC_QUEUE_BACKLOG, queue="banksman-destructive") == 0
    await goal.terminate()


async def test_a_lease_past_its_time_and_its_patience_is_overdue(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.leases.kinds.kinds", lambda: {MACHINE.name: MACHINE})
    counts, leases = Counts(Server(client, cluster="test")), Leases(client)
    async with leases.at_work(gateway=False):
        lease = await leases.hold(leases.request())
        await leases.until(LeaseState.HELD)
        # No worker is left that could end it.

    async def overdue() -> float:
        await counts.leases.count()
        return value(names.METRIC_LEASES, state="overdue")

    assert await overdue() == 0
    monkeypatch.setattr("hitl.gateway.leases._now", lambda: leases.request().ends_at + timedelta(days=30))

    async def so() -> bool:
        return await overdue() == 1

    await eventually(so)
    await lease.terminate()


class _Silent(EndCounts):
    async def count(self) -> None:
        raise RPCError("not now", RPCStatusCode.UNAVAILABLE, b"")


async def test_what_cannot_be_counted_shows_by_its_age_and_keeps_nothing_else_back(client: Client) -> None:
    now = [100.0]
    server = Server(client, cluster="test")
    counts = Counts(server, clock=lambda: now[0])
    now[0] += 40
    await counts.count()
    assert value(names.METRIC_COUNTS_AGE) == 0
    counts.ends = _Silent(server, counts.ends._facts)
    now[0] += 40
    await counts.count()
    assert value(names.METRIC_COUNTS_AGE) == 40
