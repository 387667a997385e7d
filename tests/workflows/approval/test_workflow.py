"""Approvals on the real server, from the goal that asks to the step that runs or does not."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Replayer

from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import Surface, Verdict
from hitl.protocol import RefusalReason
from tests.workflows.approval.approving import (
    ACTION,
    POLICY,
    Ask,
    AskWorkflow,
    House,
    RemoveWorkflow,
    eventually,
    make_plan,
)
from workflows.approval.contracts import ApprovalRequest
from workflows.approval.messages import ApprovalNoticeWorkflow
from workflows.approval.workflow import ApprovalWorkflow
from workflows.contracts import EFFECT_ATTRIBUTE, REPOSITORY_ATTRIBUTE, STATE_ATTRIBUTE, GoalStatus, State
from workflows.plugin import banksman_plugin

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


async def state_of(house: House, workflow_id: str) -> str | None:
    described = await house.client.get_workflow_handle(workflow_id).describe()
    return described.typed_search_attributes.get(STATE_ATTRIBUTE)


async def test_two_people_let_the_step_run_once_and_no_gateway_is_needed(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        assert approval.startswith(f"approval/{goal.id}/")
        status = await goal.query("status", result_type=GoalStatus)
        assert status.state is State.WAITING
        assert approval in (status.waiting_for or "")
        first = await house.decide(approval, "alice")
        assert (first.state, first.approvals, first.needs) == (State.WAITING, 1, 2)
        assert house.remover.removed == []
        second = await house.decide(approval, "bob")
        assert second.state is State.APPROVED
        result = await goal.result()
    assert (result.outcome, result.branch) == ("completed", "old")
    assert house.remover.removed == ["old"]
    assert await state_of(house, goal.id) == State.COMPLETED


async def test_people_find_it_and_see_all_of_it(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice", reason="looks right")
        view = await house.view(approval)
        described = await house.client.get_workflow_handle(approval).describe()
        await goal.terminate()
    assert (view.goal, view.action, view.state, view.needs) == (goal.id, ACTION, State.WAITING, 2)
    assert (view.requester, view.environment, view.groups) == ("slack:U0ERIN", "live", ("release",))
    assert [(one.person, one.verdict, one.reason) for one in view.decisions] == [
        ("alice", Verdict.APPROVE, "looks right")
    ]
    assert view.expires_at - view.opened_at == timedelta(days=7)
    assert described.typed_search_attributes[STATE_ATTRIBUTE] == "waiting"
    assert described.typed_search_attributes[EFFECT_ATTRIBUTE] == "destructive"
    assert described.typed_search_attributes[REPOSITORY_ATTRIBUTE] == "acme/shop"


@pytest.mark.parametrize(
    ("person", "verdict", "outcome"),
    [
        ("alice", Verdict.REJECT, "rejected"),
        ("bob", Verdict.REQUEST_CHANGES, "changes_requested"),
        ("erin", Verdict.WITHDRAW, "withdrawn"),
    ],
)
async def test_one_no_ends_it_and_says_so(house: House, person: str, verdict: Verdict, outcome: str) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "carol")
        await house.decide(approval, person, verdict=verdict, reason="not on a Friday")
        result = await goal.result()
    assert result.outcome == outcome
    assert f"by {person}: not on a Friday" in (result.reason or "")
    assert house.remover.removed == []
    assert await state_of(house, goal.id) == await state_of(house, approval) == outcome


async def test_a_goal_that_is_cancelled_while_it_waits_is_cancelled_and_nothing_else(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        await house.approval_of(goal)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert await state_of(house, goal.id) == State.CANCELLED


async def test_a_taken_id_costs_one_try_and_all_taken_ends_it_with_a_sentence(house: House) -> None:
    async with house.workers():
        goal = await house.start(taken=2)
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        assert (await goal.result()).outcome == "completed"
        taken = await (await house.start(taken=3)).result()
    assert taken.outcome == "approval_lost"
    assert "somebody holds the ids that were tried" in (taken.reason or "")
    assert house.remover.removed == ["old"]


async def test_nobody_foresees_the_id_of_an_approval(house: House) -> None:
    """A workflow's own chance follows from its run's id, which everybody reads; a step's does not."""
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        drawn = (await house.client.get_workflow_handle(approval).fetch_history()).events[0]
        await goal.terminate()
    given = drawn.workflow_execution_started_event_attributes.input.payloads[0]
    request = ApprovalRequest.model_validate_json(given.data)
    assert len(request.rule.drawn) == 16
    assert approval.endswith(f"-{request.rule.drawn}")


async def test_silence_is_no_consent(house: House) -> None:
    async with house.workers():
        asking = await house.ask(
            Ask(request=house.request(approve_within=timedelta(seconds=2)), step_ids=[f"{ACTION}/1"])
        )
        approval = await house.approval_of(asking)
        await house.decide(approval, "alice")
        asked = await asking.result()
    assert asked.approval is not None
    assert (asked.approval.outcome, asked.approval.decisions) == (State.EXPIRED, ())
    assert asked.refusal is not None
    assert asked.refusal.reason is RefusalReason.NO_GRANT
    assert await state_of(house, approval) == "expired"


async def test_people_are_reminded_and_others_asked_too(house: House) -> None:
    soon = timedelta(seconds=3)  # time enough to be early on a busy machine
    request = house.request(remind_after=soon, escalation_after=2 * soon)
    async with house.workers(gateway=True):
        asking = await house.ask(Ask(request=request))
        approval = await house.approval_of(asking)
        early = await house.refused(house.decide(approval, "dave"))
        assert early.reason is RefusalReason.NOT_A_MEMBER
        assert "escalation" in early.explanation

        async def asked_too() -> bool:
            return bool(house.messages.updates) and house.messages.updates[-1].view.escalated_to == "leads"

        await eventually(asked_too)
        assert house.messages.updates[-1].view.reminders == 1
        await house.decide(approval, "dave")
        await house.decide(approval, "alice")
        asked = await asking.result()
    assert asked.approval is not None
    assert asked.approval.outcome is State.APPROVED


async def test_messages_follow_every_change_to_the_end(house: House) -> None:
    async with house.workers(gateway=True):
        goal = await house.start()
        approval = await house.approval_of(goal)

        async def posted() -> bool:
            return bool(house.messages.posted)

        await eventually(posted)
        assert house.messages.posted[0].plan == make_plan().text()
        assert house.messages.posted[0].view.requester is None
        await house.decide(approval, "alice")

        async def counted() -> bool:
            return any(len(one.view.decisions) == 1 for one in house.messages.updates)

        await eventually(counted)
        await house.decide(approval, "bob")
        await goal.result()

        async def ended() -> bool:
            return any(one.ended == "carried out" for one in house.messages.updates)

        await eventually(ended)
    [last] = [one for one in house.messages.updates if one.ended]
    assert [one.view.state for one in house.messages.updates].count(State.APPROVED) == 2
    assert last.posted is not None
    assert (last.posted.channel, last.view.requester) == ("C0OPS", "slack:U0ERIN")
    assert len(house.messages.posted) == 1


async def test_a_step_that_is_cancelled_is_told_as_cancelled(house: House) -> None:
    async with house.workers(destructive=False, gateway=True):
        goal = await house.start()
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)

        async def asked_for() -> bool:
            described = await goal.describe()
            return any(one.activity_type.name == ACTION for one in described.raw_description.pending_activities)

        async def ended() -> bool:
            return any(one.ended for one in house.messages.updates)

        await eventually(asked_for)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
        await eventually(ended)
    assert isinstance(caught.value.cause, CancelledError)
    told = {(one.ended, one.open_next_step()) for one in house.messages.updates if one.ended}
    assert told == {
        ("cancelled while it was carried out", "Look at what is there now before anybody asks for it again.")
    }


async def test_a_gateway_that_comes_later_still_tells_the_end(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice", verdict=Verdict.REJECT)
        await goal.result()
        async with house.gateway_worker():

            async def told() -> bool:
                ours = [one for one in house.messages.updates if one.view.id == approval]
                return bool(ours) and ours[-1].view.state is State.REJECTED

            await eventually(told)
    assert all(one.view.state is State.REJECTED for one in house.messages.updates if one.view.id == approval)


async def test_a_goal_that_is_cancelled_takes_its_approval_with_it(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
        assert isinstance(caught.value.cause, CancelledError)

        async def superseded() -> bool:
            return await state_of(house, approval) == "superseded"

        await eventually(superseded)
    assert await state_of(house, goal.id) == "cancelled"


async def test_a_goal_that_is_terminated_leaves_nothing_to_approve(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        signed = house.sign(await house.decision(approval, "alice"))
        await goal.terminate()
        handle = house.client.get_workflow_handle(approval)

        async def ended() -> bool:
            return (await handle.describe()).status is WorkflowExecutionStatus.CANCELED

        await eventually(ended)
        with pytest.raises(Exception, match="already completed"):
            await house.send(approval, signed)
    assert await state_of(house, approval) == "superseded"


async def test_a_newer_plan_takes_its_place(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.client.get_workflow_handle(approval).signal("superseded", "the branch moved")
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("superseded", [])
    assert "the branch moved" in (result.reason or "")


async def test_what_nobody_could_approve_is_refused_before_anybody_is_asked(house: House) -> None:
    house.path.write_text(POLICY[: POLICY.index("    approvals:")])
    async with house.workers():
        goal = await house.start()
        result = await goal.result()
        history = await goal.fetch_history()
    assert result.outcome == "denied"
    assert "Nobody can approve 'github.delete_branch'" in (result.reason or "")
    assert not any(
        event.HasField("start_child_workflow_execution_initiated_event_attributes") for event in history.events
    )


async def test_a_read_only_phase_asks_nobody(house: House) -> None:
    house.path.write_text(POLICY.replace("phase: production", "phase: read_only"))
    async with house.workers():
        result = await (await house.start()).result()
    assert result.outcome == "denied"
    assert "phase read_only" in (result.reason or "")


async def test_a_grant_that_came_too_late_is_asked_for_again_once(house: House) -> None:
    house.ahead = timedelta(hours=2)
    async with house.workers():
        goal = await house.start()
        first = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(first, person)
        second = await house.approval_of(goal, after=1)
        assert second != first
        assert (await house.view(second)).step_id == f"{ACTION}/2"
        house.ahead = timedelta()
        for person in ("alice", "bob"):
            await house.decide(second, person)
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("completed", ["old"])


async def test_and_not_a_third_time(house: House) -> None:
    house.ahead = timedelta(hours=2)
    async with house.workers():
        goal = await house.start()
        for asked in range(2):
            approval = await house.approval_of(goal, after=asked)
            for person in ("alice", "bob"):
                await house.decide(approval, person)
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("denied", [])


async def test_a_key_rotated_while_it_waits_changes_nothing(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice")
        house.versions[2] = Ed25519PrivateKey.generate()
        await house.keys.refresh()
        await house.decide(approval, "bob")
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("completed", ["old"])


async def test_an_emergency_takes_two_others_and_says_what_it_is(house: House) -> None:
    house.requester = "slack:U0ALICE"
    async with house.workers():
        goal = await house.start(break_glass=True)
        approval = await house.approval_of(goal)
        view = await house.view(approval)
        assert (view.path, view.groups, view.needs) == (ApprovalPath.BREAK_GLASS, ("emergency",), 2)
        assert view.expires_at - view.opened_at == timedelta(minutes=30)
        assert (await house.refused(house.decide(approval, "bob"))).reason is RefusalReason.NOT_A_MEMBER
        for person in ("dave", "erin"):
            await house.decide(approval, person)
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("completed", ["old"])


async def test_a_stranger_s_goal_needs_one_more(house: House) -> None:
    house.requester = "unverified"
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        for person, needs in (("alice", 3), ("bob", 3)):
            assert (await house.decide(approval, person)).needs == needs
        assert house.remover.removed == []
        await house.decide(approval, "carol")
        assert (await goal.result()).outcome == "completed"


async def test_the_goals_worker_is_replaced_while_people_think(house: House) -> None:
    async with house.workers(destructive=False):
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice")
    async with house.workers():
        await house.decide(approval, "bob")
        result = await goal.result()
    assert result.outcome == "completed"


async def test_an_approval_that_cannot_be_read_ends_with_one_line(house: House) -> None:
    request = house.request().model_copy(update={"plan": '{"schema":"banksman-plan","version":9}'})
    async with house.workers():
        asking = await house.ask(Ask(request=request))
        with pytest.raises(WorkflowFailureError) as caught:
            await asking.result()
    cause = caught.value.cause
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    assert cause is not None
    assert "banksman-plan version 9" in str(cause)


async def test_the_same_click_twice_is_one_update(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        signed = house.sign(await house.decision(approval, "alice", surface=Surface.SLACK))
        handle = house.client.get_workflow_handle(approval)
        receipts = await asyncio.gather(*(handle.execute_update("decide", signed, id="click-1") for _ in range(3)))
        assert receipts[0] == receipts[1] == receipts[2]
        assert len((await house.view(approval)).decisions) == 1
        await house.decide(approval, "bob")
        await goal.result()
        assert await handle.execute_update("decide", signed, id="click-1") == receipts[0]


async def test_what_happened_replays_with_the_sandbox_of_production_and_without_any_keys(house: House) -> None:
    """Validators do not run in replay: a history needs neither the keys of its time nor the policy."""
    request = house.request(remind_after=timedelta(seconds=1)).model_copy(update={"look_after": timedelta(seconds=1)})
    async with house.workers(gateway=True):
        goal = await house.start()
        approved = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approved, person)
        await goal.result()
        asking = await house.ask(Ask(request=request, step_ids=[]))
        rejected = await house.approval_of(asking)
        await house.refused(house.decide(rejected, "mallory"))
        await house.decide(rejected, "alice")

        async def reminded() -> bool:
            return (await house.view(rejected)).reminders == 1

        await eventually(reminded)
        await house.decide(rejected, "bob", verdict=Verdict.REJECT)
        await asking.result()
        cancelled_goal = await house.start()
        cancelled = await house.approval_of(cancelled_goal)
        await cancelled_goal.cancel()

        async def ended() -> bool:
            return await state_of(house, cancelled) == "superseded"

        await eventually(ended)
        ids = (goal.id, approved, asking.id, rejected, cancelled_goal.id, cancelled)
        histories = [await house.client.get_workflow_handle(one).fetch_history() for one in ids]
    replayer = Replayer(
        workflows=[RemoveWorkflow, AskWorkflow, ApprovalWorkflow, ApprovalNoticeWorkflow],
        plugins=[banksman_plugin()],
    )
    for history in histories:
        await replayer.replay_workflow(history)
