"""Deciding without being asked: what somebody who reaches Temporal can try on an approval, on the real server.

Each control has its test here, in `test_grants.py` or in
`tests/hitl/approval/test_grant.py`; without the control it fails.
"""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.guard.error_types import denial_of
from activities.queues import TaskQueue
from hitl.approval.decision import SignedDecision, Surface, Verdict
from hitl.protocol import RefusalReason
from tests.security.stealing import approve, go, granted
from tests.workflows.approval.approving import POLICY, Ask, House, eventually
from workflows.approval.contracts import DecisionReceipt
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_update_typed_by_hand_has_no_signature_and_counts_for_nothing(
    house: House, dev_server: WorkflowEnvironment
) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        unsigned = (await house.decision(approval, "alice")).text()
        typed = [
            '{"approved":true}',
            "true",
            SignedDecision(text=unsigned, signature="AAAA", key_version=1).model_dump_json(),
        ]
        for text in typed:
            found = await asyncio.to_thread(
                temporal,
                dev_server,
                "workflow",
                "update",
                "execute",
                "-w",
                approval,
                "--name",
                "decide",
                "--input",
                text,
            )
            assert found.returncode != 0
        view = await house.view(approval)
        await goal.terminate()
    assert (view.state, view.decisions) == (State.WAITING, ())
    assert house.remover.removed == []


async def test_a_signal_typed_by_hand_approves_nothing(house: House, dev_server: WorkflowEnvironment) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        for target in (approval, goal.id):
            for name in ("approve", "decide", "approved"):
                found = await asyncio.to_thread(
                    temporal,
                    dev_server,
                    "workflow",
                    "signal",
                    "-w",
                    target,
                    "--name",
                    name,
                    "--input",
                    '{"approved":true}',
                )
                assert found.returncode == 0, found.stderr
        receipt = await house.decide(approval, "alice")
        await goal.terminate()
    assert (receipt.state, receipt.approvals) == (State.WAITING, 1)
    assert house.remover.removed == []


def temporal(server: WorkflowEnvironment, *words: str) -> subprocess.CompletedProcess[str]:
    address = server.client.service_client.config.target_host
    command = [str(Path(sys.executable).with_name("temporal")), *words, "--address", address]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


async def test_another_key_s_signature_is_refused_and_the_next_good_one_counts(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        good = house.sign(await house.decision(approval, "alice"))
        real, house.versions = house.versions, {1: Ed25519PrivateKey.generate()}
        forged = house.sign(await house.decision(approval, "alice"))
        house.versions = real
        for bad, reason in (
            (forged, RefusalReason.BAD_SIGNATURE),
            (good.model_copy(update={"text": good.text.replace("alice", "carol")}), RefusalReason.BAD_SIGNATURE),
            (good.model_copy(update={"key_version": 2}), RefusalReason.UNKNOWN_KEY),
            (house.sign(await house.decision(approval, "mallory")), RefusalReason.NOT_A_MEMBER),
            (house.sign(await house.decision(approval, "erin")), RefusalReason.REQUESTER_COUNTED),
        ):
            assert (await house.refused(house.send(approval, bad))).reason is reason
        assert (await house.send(approval, good)).approvals == 1
        await goal.terminate()


async def test_an_approval_started_by_hand_asks_for_nobody(house: House) -> None:
    async with house.workers():
        handle = await house.client.start_workflow(
            "Approval", house.request(), id=f"{house.folder.name}-by-hand", task_queue=TaskQueue.GOALS
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert "nobody's goal waits" in caught.value.cause.message


async def test_an_approval_of_one_s_own_is_good_for_one_s_own_run_only(house: House) -> None:
    """The ids that are signed are those of the approval's parent, as the server has them: never those of a victim."""
    async with house.workers():
        victim = await house.start()
        victims = await house.approval_of(victim)
        _, stolen = await granted(house)
        for signed in stolen:
            assert (await house.refused(house.send(victims, signed))).reason is RefusalReason.OTHER_RUN
        await victim.terminate()
    assert house.remover.removed == []


async def test_a_decision_for_an_earlier_approval_of_the_same_run_does_not_count_for_the_next(house: House) -> None:
    house.ahead = timedelta(hours=2)
    async with house.workers():
        goal = await house.start()
        first = await house.approval_of(goal)
        used = [house.sign(await house.decision(first, person)) for person in ("alice", "bob")]
        for signed in used:
            await house.send(first, signed)
        second = await house.approval_of(goal, after=1)
        for signed in used:
            assert (await house.refused(house.send(second, signed))).reason is RefusalReason.OTHER_STEP
        moved = house.sign(await house.decision(second, "alice", approval_id=first))
        assert (await house.refused(house.send(second, moved))).reason is RefusalReason.OTHER_APPROVAL
        await goal.terminate()


async def test_one_person_from_two_surfaces_at_the_same_moment_counts_once(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        surfaces = [(Surface.SLACK, "slack:U0ALICE"), (Surface.GITHUB, "github:alice")] * 4
        clicks = [
            house.sign(await house.decision(approval, "alice", surface=surface, identity=identity))
            for surface, identity in surfaces
        ]
        found = await asyncio.gather(*(house.send(approval, click) for click in clicks), return_exceptions=True)
        counted = [one for one in found if isinstance(one, DecisionReceipt)]
        refused = [denial_of(one.cause) for one in found if isinstance(one, WorkflowUpdateFailedError)]
        view = await house.view(approval)
        await goal.terminate()
    assert len(counted) == 1
    assert {denial.reason for denial in refused if denial} == {RefusalReason.DUPLICATE_PERSON}
    assert (view.state, len(view.decisions)) == (State.WAITING, 1)


async def test_who_asked_approves_nothing_under_either_name(house: House) -> None:
    house.requester = "slack:U0ALICE"
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        for surface, identity in ((Surface.SLACK, "slack:U0ALICE"), (Surface.GITHUB, "github:alice")):
            click = house.decide(approval, "alice", surface=surface, identity=identity)
            assert (await house.refused(click)).reason is RefusalReason.REQUESTER_COUNTED
        await goal.terminate()


async def test_all_decisions_of_an_approval_are_about_one_requester(house: House) -> None:
    """Else the count, which depends on who asked, would mean nothing."""
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice")
        for other in ("unverified", "slack:U0DAVE"):
            click = house.decide(approval, "bob", requester=other)
            assert (await house.refused(click)).reason is RefusalReason.UNVERIFIED_REQUESTER
        stranger = house.decide(approval, "bob", requester="temporal:stranger")
        assert (await house.refused(stranger)).reason is RefusalReason.UNVERIFIED_REQUESTER
        await goal.terminate()


async def test_a_requester_whom_nobody_knows_is_signed_as_such_or_not_counted(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        click = house.decide(approval, "alice", requester="temporal:stranger")
        assert (await house.refused(click)).reason is RefusalReason.UNVERIFIED_REQUESTER
        assert (await house.decide(approval, "alice", requester="unverified")).needs == 3
        await goal.terminate()


async def test_a_late_click_is_told_that_it_is_over(house: House) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), wait=True))
        approval = await house.approval_of(asking)
        late = house.sign(await house.decision(approval, "carol"))
        await approve(house, approval)
        with pytest.raises(Exception, match=r"already completed|over"):
            await house.send(approval, late)
        await asking.terminate()


async def test_of_clicks_that_wait_for_the_worker_no_more_count_than_are_needed(house: House) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), wait=True))
        approval = await house.approval_of(asking)
        clicks = [house.sign(await house.decision(approval, person)) for person in ("alice", "bob", "carol")]
    waiting = [asyncio.create_task(house.send(approval, click)) for click in clicks]
    async with house.workers():
        found = await asyncio.gather(*waiting, return_exceptions=True)
        asked = await go(house, asking.id)
    assert len([one for one in found if isinstance(one, DecisionReceipt)]) == 2
    assert asked.approval is not None
    assert len(asked.approval.decisions) == 2


async def test_an_approval_that_ends_as_it_looks_for_its_goal_does_end(house: House) -> None:
    """Timer and end come in one workflow task: a signal that was cancelled in the task that sends it wedged it."""
    async with house.workers():
        asking = await house.ask(Ask(request=house.request().model_copy(update={"look_after": timedelta(seconds=1)})))
        waiting = house.client.get_workflow_handle(await house.approval_of(asking))
        await house.view(waiting.id)
    await asking.terminate()

    async def fired() -> bool:
        return any(one.HasField("timer_fired_event_attributes") for one in (await waiting.fetch_history()).events)

    await eventually(fired)
    async with house.workers():
        with pytest.raises(WorkflowFailureError):  # cancelled, with its goal
            await asyncio.wait_for(waiting.result(), timeout=20)
        assert (await house.view(waiting.id)).state is State.SUPERSEDED


async def test_an_approval_that_a_reset_left_behind_ends_by_itself(house: House) -> None:
    request = house.request().model_copy(update={"look_after": timedelta(seconds=1)})
    async with house.workers():
        asking = await house.ask(Ask(request=request, wait=True))
        left = await house.approval_of(asking)
        first = next(
            event.event_id
            for event in (await asking.fetch_history()).events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        )
        await house.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=asking.id),
                reason="once more",
                workflow_task_finish_event_id=first,
                request_id="reset-3",
            )
        )
        fresh = house.client.get_workflow_handle(asking.id)
        new = await house.approval_of(fresh)
        assert new != left

        async def superseded() -> bool:
            return (await house.view(left)).state is State.SUPERSEDED

        await eventually(superseded)
        assert (await house.view(new)).state is State.WAITING
        await fresh.terminate()


async def test_keys_that_are_too_old_count_nobody_and_the_click_may_come_again(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        click = house.sign(await house.decision(approval, "alice"))
        fresh, house.keys._read = house.keys._read, None
        assert (await house.refused(house.send(approval, click))).reason is RefusalReason.CANNOT_TELL
        house.keys._read = fresh
        assert (await house.send(approval, click)).approvals == 1
        await goal.terminate()


async def test_a_worker_without_keys_counts_nobody(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        click = house.sign(await house.decision(approval, "alice"))
    async with house.goals_worker(checks=False):
        denial = await house.refused(house.send(approval, click))
    assert denial.reason is RefusalReason.CANNOT_TELL
    assert "no keys" in denial.explanation
    await goal.terminate()


async def test_a_rule_that_changed_while_people_thought_is_asked_again_by_itself(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "carol")
        before = house.sign(await house.decision(approval, "alice"))
        house.path.write_text(POLICY.replace("quorum: 2", "quorum: 1"))
        assert (await house.refused(house.send(approval, before))).reason is RefusalReason.RULE_CHANGED
        receipt = await house.decide(approval, "bob")
        assert (receipt.counted, receipt.state) == (False, State.SUPERSEDED)
        told = await house.view(approval)
        assert told.reason.startswith("The rule changed: ")
        assert [one.person for one in told.decisions] == ["carol"]
        again = await house.approval_of(goal, after=1)
        assert (await house.view(again)).needs == 1
        assert (await house.decide(again, "bob")).state is State.APPROVED
        assert (await goal.result()).outcome == "completed"
    assert house.remover.removed == ["old"]


async def test_it_is_asked_again_once_and_the_reason_is_the_goals(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        for asked, quorum in enumerate(("1", "3")):
            approval = await house.approval_of(goal, after=asked)
            house.path.write_text(POLICY.replace("quorum: 2", f"quorum: {quorum}"))
            assert not (await house.decide(approval, "bob")).counted
        result = await goal.result()
    assert result.outcome == "superseded"
    assert "The rule changed" in (result.reason or "")
    assert house.remover.removed == []


async def test_a_rule_that_changes_between_click_and_effect_is_asked_again(house: House) -> None:
    async with house.workers(destructive=False):
        goal = await house.start()
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        house.path.write_text(POLICY.replace("quorum: 2", "quorum: 3"))
        async with house.destructive_worker():
            again = await house.approval_of(goal, after=1)
            assert house.remover.removed == []
            for person in ("alice", "bob", "carol"):
                await house.decide(again, person)
            assert (await goal.result()).outcome == "completed"
    assert house.remover.removed == ["old"]


@pytest.mark.parametrize(
    ("changed", "person", "verdict", "outcome"),
    [
        ("groups: [leads]", "alice", Verdict.REJECT, "rejected"),
        ("groups: [leads]", "dave", Verdict.REQUEST_CHANGES, "changes_requested"),
        ("groups: [leads]", "erin", Verdict.WITHDRAW, "withdrawn"),
        ("groups: [release]", "bob", Verdict.REJECT, "rejected"),
    ],
)
async def test_a_no_counts_whatever_the_rule_says_by_now(
    house: House, changed: str, person: str, verdict: Verdict, outcome: str
) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        edited = POLICY.replace("groups: [release]", changed).replace("quorum: 2", "quorum: 1")
        edited = edited.replace("escalate: {group: leads, after: 1d}", "remind_after: 2d")
        house.path.write_text(edited)
        await house.decide(approval, person, verdict=verdict, reason="not now")
        assert (await goal.result()).outcome == outcome
    assert house.remover.removed == []


async def test_a_no_of_somebody_whom_no_rule_ever_asked_counts_for_nothing(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        no = await house.decision(approval, "erin", verdict=Verdict.REJECT, requester="slack:U0CAROL")
        house.path.write_text(POLICY.replace("quorum: 2", "quorum: 1"))
        assert (await house.refused(house.send(approval, house.sign(no)))).reason is RefusalReason.NOT_A_MEMBER
        forged = house.sign(no).model_copy(update={"signature": "AAAA"})
        assert (await house.refused(house.send(approval, forged))).reason is RefusalReason.BAD_SIGNATURE
        await goal.terminate()


async def test_a_no_counts_where_the_policy_has_no_rule_any_more(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        no = house.sign(await house.decision(approval, "alice", verdict=Verdict.REJECT, reason="not now"))
        yes = house.sign(await house.decision(approval, "bob"))
        house.path.write_text(POLICY[: POLICY.index("    approvals:")])
        assert (await house.refused(house.send(approval, yes))).reason is not None
        await house.send(approval, no)
        assert (await goal.result()).outcome == "rejected"


async def test_a_bad_signature_at_a_real_worker_process_is_refused_and_the_process_lives(
    house: House, dev_server: WorkflowEnvironment
) -> None:
    """The native half of `cryptography`, loaded again by the workflow sandbox, once ended the whole process here."""
    await house.keys.refresh()
    secret = house.versions[1].private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()
    address = dev_server.client.service_client.config.target_host
    script = Path(__file__).with_name("approvals_worker.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), address, str(house.folder), stdin=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdin is not None
    try:
        process.stdin.write(f"{secret}\n".encode())
        goal = await house.start()
        approval = await house.approval_of(goal)
        good = house.sign(await house.decision(approval, "alice"))
        for signature in ("AAAA", good.signature[::-1], "", "!", good.signature):
            bad = good.model_copy(update={"signature": signature, "text": good.text.replace("alice", "bob")})
            assert (await house.refused(house.send(approval, bad))).reason is RefusalReason.BAD_SIGNATURE
        assert (await house.send(approval, good)).approvals == 1
        assert process.returncode is None
        await goal.terminate()
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 20)
    assert process.returncode == 0
