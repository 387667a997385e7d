"""Running the step without being allowed to: what can be tried with a grant, or without one, on the real server.

Each control has its test here, in `test_approvals.py` or in
`tests/hitl/approval/test_grant.py`; without the control it fails.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import ActivityFailureError
from temporalio.common import RawValue
from temporalio.worker import Worker

from activities.guard.audit import AuditRecord
from activities.guard.error_types import denial_of
from activities.guard.granted import GrantedRequest
from activities.queues import TaskQueue
from hitl.approval.decision import Decision, Verdict
from hitl.approval.plan import plan_digest
from hitl.protocol import RefusalReason
from tests.security.stealing import STEP, approve, go, granted
from tests.workflows.approval.approving import ACTION, POLICY, Ask, Asked, House, eventually, make_plan
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")


def records(house: House) -> list[AuditRecord]:
    return [AuditRecord.model_validate_json(line) for line in (house.folder / "audit.jsonl").read_text().splitlines()]


def refusal(asked: Asked) -> RefusalReason:
    assert asked.refusal is not None
    assert asked.removed == 0
    return asked.refusal.reason


async def test_the_step_without_a_grant_from_a_workflow_of_one_s_own(house: House) -> None:
    async with house.workers():
        asked = await (await house.ask(Ask(step_ids=[STEP], decisions=[]))).result()
    assert refusal(asked) is RefusalReason.NO_GRANT


async def test_a_stolen_grant_in_a_workflow_of_one_s_own(house: House) -> None:
    async with house.workers():
        _, stolen = await granted(house)
        asked = await (await house.ask(Ask(step_ids=[STEP], decisions=stolen))).result()
    assert refusal(asked) is RefusalReason.OTHER_RUN
    assert house.remover.removed == []


async def test_a_stolen_grant_under_the_same_workflow_id(house: House) -> None:
    """A new run of the same workflow id is another run."""
    async with house.workers():
        workflow_id, stolen = await granted(house)
        await house.client.get_workflow_handle(workflow_id).terminate()
        again = await house.client.start_workflow(
            "TestAsk",
            Ask(step_ids=[STEP], decisions=stolen),
            id=workflow_id,
            task_queue=TaskQueue.GOALS,
            result_type=Asked,
        )
        asked = await again.result()
    assert refusal(asked) is RefusalReason.OTHER_RUN


async def test_a_grant_for_one_step_runs_no_second_one(house: House) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), step_ids=[STEP, f"{ACTION}/2"]))
        approval = await house.approval_of(asking)
        await approve(house, approval)
        asked = await asking.result()
    assert asked.removed == 1
    assert asked.refusal is not None
    assert asked.refusal.reason is RefusalReason.OTHER_STEP
    assert house.remover.removed == ["old"]


async def test_a_grant_runs_its_own_step_once_in_a_run(house: House) -> None:
    """A workflow of one's own gives the same activity id again; every id and digest is the approved one."""
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), step_ids=[STEP, STEP]))
        await approve(house, await house.approval_of(asking))
        asked = await asking.result()
    assert asked.removed == 1
    assert asked.refusal is not None
    assert asked.refusal.reason is RefusalReason.ALREADY_USED
    assert house.remover.removed == ["old"]
    assert [(one.event, one.reason) for one in records(house)][-1] == ("denied", RefusalReason.ALREADY_USED)


async def test_a_run_that_was_reset_asks_again(house: House) -> None:
    """After the reset the history still holds the approval; the run id in the signed text is the old run's."""
    async with house.workers():
        workflow_id, _ = await granted(house)
        handle = house.client.get_workflow_handle(workflow_id)

        async def decided() -> bool:
            history = await handle.fetch_history()
            ended = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
            types = [event.event_type for event in history.events]
            return ended in types and types[-1] == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED

        await eventually(decided)
        last = (await handle.fetch_history()).events[-1].event_id
        await house.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                reason="to use the grant again",
                workflow_task_finish_event_id=last,
                request_id="reset-1",
            )
        )
        asked = await go(house, workflow_id)
    assert asked.approval is not None
    assert asked.approval.outcome is State.APPROVED
    assert refusal(asked) is RefusalReason.OTHER_RUN
    assert house.remover.removed == []


async def test_a_goal_that_was_reset_asks_people_again_and_then_goes_on(house: House) -> None:
    async with house.workers(destructive=False):
        goal = await house.start()
        first = await house.approval_of(goal)
        await approve(house, first)

        async def scheduled() -> bool:
            history = await goal.fetch_history()
            names = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
            return ACTION in names

        await eventually(scheduled)
        history = await goal.fetch_history()
        tasks = [one for one in history.events if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
        await house.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=goal.id),
                reason="try again",
                workflow_task_finish_event_id=tasks[-1].event_id,
                request_id="reset-2",
            )
        )
        fresh = house.client.get_workflow_handle(goal.id)
        async with house.destructive_worker():
            second = await house.approval_of(fresh, after=1)
            assert second != first
            await approve(house, second)
            result = await fresh.result()
    assert result["outcome"] == "completed"
    assert house.remover.removed == ["old"]


@pytest.mark.parametrize("plan", [make_plan("main").text(), make_plan("old").text().replace('"low"', '"high"')])
async def test_the_plan_is_changed_after_the_approval(house: House, plan: str) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), plan=plan, step_ids=[STEP]))
        await approve(house, await house.approval_of(asking))
        asked = await asking.result()
    assert refusal(asked) is RefusalReason.OTHER_PLAN
    assert house.remover.removed == []


async def test_a_harmless_summary_over_a_harmful_plan_is_shown_with_what_it_does(house: House) -> None:
    """What a surface shows comes from the plan's own bytes: the step reads the same parameters, and no others."""
    lie = make_plan("main").model_copy(update={"summary": ("Delete the branch old",)})
    assert lie.parameter_lines() == ["branch: main", "repository: acme/shop"]
    assert plan_digest(lie.text()) != plan_digest(make_plan("old").text())


@pytest.mark.parametrize("field", ["note", "force"])
async def test_a_plan_with_a_field_of_tomorrow_is_refused(house: House, field: str) -> None:
    later = make_plan().text().replace('{"action"', '{"a' + field + '":true,"action"', 1)
    async with house.workers():
        workflow_id, stolen = await granted(house)
        asked = await (await house.ask(Ask(step_ids=[STEP], decisions=stolen, plan=later))).result()
        await house.client.get_workflow_handle(workflow_id).terminate()
    assert refusal(asked) is RefusalReason.MALFORMED_REQUEST


async def test_after_its_time_a_grant_is_worth_nothing(house: House) -> None:
    async with house.workers():
        workflow_id, _ = await granted(house)
        house.ahead = timedelta(hours=1, seconds=1)
        asked = await go(house, workflow_id)
    assert refusal(asked) is RefusalReason.EXPIRED


async def test_a_grant_re_wrapped_with_a_later_expiry_is_not_signed(house: House) -> None:
    async with house.workers():
        workflow_id, good = await granted(house)
        year = str(datetime.now(UTC).year)
        later = [
            one.model_copy(update={"text": one.text.replace(f'"expires_at":"{year}', '"expires_at":"2099')})
            for one in good
        ]
        assert later[0].text != good[0].text
        await house.client.get_workflow_handle(workflow_id).terminate()
        asked = await (await house.ask(Ask(step_ids=[STEP], decisions=later))).result()
    assert refusal(asked) is RefusalReason.BAD_SIGNATURE


@pytest.mark.parametrize(("most", "reason"), [(0, RefusalReason.NO_GRANT), (1, RefusalReason.QUORUM_NOT_MET)])
async def test_a_grant_cut_short_lacks_people(house: House, most: int, reason: RefusalReason) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), step_ids=[STEP], most=most))
        await approve(house, await house.approval_of(asking))
        asked = await asking.result()
    assert refusal(asked) is reason


async def test_a_rejected_plan_leaves_no_grant_behind(house: House) -> None:
    async with house.workers():
        asking = await house.ask(Ask(request=house.request(), step_ids=[STEP]))
        approval = await house.approval_of(asking)
        await house.decide(approval, "alice")
        await house.decide(approval, "bob", verdict=Verdict.REJECT)
        asked = await asking.result()
    assert asked.approval is not None
    assert (asked.approval.outcome, asked.approval.decisions) == (State.REJECTED, ())
    assert refusal(asked) is RefusalReason.NO_GRANT


async def test_a_local_activity_with_a_good_grant_is_refused(house: House) -> None:
    """The goals worker has no destructive step; one that had it would still refuse to run it in its own process."""
    async with house.workers(), house.mixed_worker() as queue:
        asking = await house.ask(Ask(request=house.request(), step_ids=[STEP], local=True), queue=queue)
        await approve(house, await house.approval_of(asking))
        asked = await asking.result()
    assert refusal(asked) is RefusalReason.LOCAL_ACTIVITY
    assert house.remover.removed == []


async def test_a_worker_of_one_s_own_on_the_destructive_queue_gets_words_and_no_credential(house: House) -> None:
    """What lies on the queue is what people saw; credentials are leased by the process, with its own AppRole."""
    taken: list[bytes] = []

    @activity.defn(dynamic=True)
    async def take(arguments: Sequence[RawValue]) -> dict[str, str]:
        taken.extend(one.payload.data for one in arguments)
        return {"branch": "a lie"}

    thief = Worker(house.client, task_queue=TaskQueue.DESTRUCTIVE, activities=[take])
    async with house.workers(destructive=False), thief:
        goal = await house.start()
        await approve(house, await house.approval_of(goal))
        await goal.result()
    [request] = [json.loads(one) for one in taken]
    assert request.keys() == {"plan", "decisions"}
    assert request["plan"] == make_plan().text()
    for one in request["decisions"]:
        assert one.keys() == {"text", "signature", "key_version"}
        assert json.loads(one["text"].partition("\n")[2]).keys() == Decision.model_fields.keys() - {
            "step_up",
            "steps",
            "also",
        }


async def test_who_left_between_click_and_effect_does_not_count(house: House) -> None:
    async with house.workers():
        workflow_id, _ = await granted(house)
        house.path.write_text(POLICY.replace("release: [alice, bob, carol]", "release: [alice, carol]"))
        asked = await go(house, workflow_id)
    assert refusal(asked) is RefusalReason.NOT_A_MEMBER
    assert [one.reason for one in records(house)] == [RefusalReason.NOT_A_MEMBER]


async def test_a_key_revoked_between_click_and_effect_voids_the_grant(house: House) -> None:
    async with house.workers():
        workflow_id, _ = await granted(house)
        house.versions = {2: Ed25519PrivateKey.generate()}
        await house.keys.refresh()
        asked = await go(house, workflow_id)
    assert refusal(asked) is RefusalReason.UNKNOWN_KEY


async def test_a_phase_lowered_between_click_and_effect_counts(house: House) -> None:
    async with house.workers():
        workflow_id, _ = await granted(house)
        house.path.write_text(POLICY.replace("phase: production", "phase: read_only"))
        asked = await go(house, workflow_id)
    assert refusal(asked) is RefusalReason.PHASE


async def test_a_standalone_activity_with_a_good_grant_has_no_run(house: House) -> None:
    async with house.workers():
        workflow_id, stolen = await granted(house)
        with pytest.raises(ActivityFailureError) as caught:
            await house.client.execute_activity(
                ACTION,
                GrantedRequest(plan=make_plan().text(), decisions=tuple(stolen)),
                id=STEP,
                task_queue=TaskQueue.DESTRUCTIVE,
                start_to_close_timeout=timedelta(seconds=10),
            )
        await house.client.get_workflow_handle(workflow_id).terminate()
    denial = denial_of(caught.value.cause)
    assert denial is not None
    assert denial.reason is RefusalReason.STANDALONE
    assert house.remover.removed == []


async def test_nothing_can_be_signed_for_a_step_that_has_no_run(house: House) -> None:
    """Null ids were once signed and compared equal to a standalone activity's."""
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        for field in ("workflow_id", "run_id"):
            for value in (None, ""):
                with pytest.raises(ValueError, match=field):
                    await house.decision(approval, "alice", **{field: value})
        await goal.terminate()


async def test_every_refusal_is_in_the_audit_log_and_the_effect_is_not(house: House) -> None:
    async with house.workers():
        workflow_id, stolen = await granted(house)
        await (await house.ask(Ask(step_ids=[STEP], decisions=stolen))).result()
        await go(house, workflow_id)
    assert [(one.event, one.reason) for one in records(house)] == [
        ("denied", RefusalReason.OTHER_RUN),
        ("allowed", None),
        ("finished", None),
    ]
    assert house.remover.removed == ["old"]
