"""What the audit log keeps of the messages about an approval, under the real guard."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.guard.audit import AuditLog, AuditRecord
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.step import implements
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import Surface, Verdict
from workflows.approval.contracts import (
    UPDATE_APPROVAL,
    ApprovalView,
    CountedDecision,
    UpdateApproval,
)
from workflows.contracts import State

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = "my password is hunter2"
DECISION = CountedDecision(
    person="alice", surface=Surface.CONSOLE, verdict=Verdict.REJECT, reason=SECRET, decided_at=NOW
)
VIEW = ApprovalView(
    id="approval/delete/1",
    run_id="run-a",
    goal="delete",
    goal_run_id="run-1",
    step_id="github.delete_branch/1",
    action="github.delete_branch",
    environment="live",
    state=State.REJECTED,
    digest="sha256:ab",
    rule="environments.live.approvals[0]",
    rule_digest="sha256:cd",
    path=ApprovalPath.ORDINARY,
    groups=("release",),
    requester="slack:U0ERIN",
    needs=2,
    decisions=(DECISION,),
    opened_at=NOW,
    expires_at=NOW + timedelta(days=7),
    reason=SECRET,
)


class Messages:
    """The step, without Slack behind it."""

    @implements(UPDATE_APPROVAL)
    async def update_approval(self, request: UpdateApproval) -> None:
        """Nothing to show."""


class _Call(ActivityInboundInterceptor):
    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


def recorded(folder: Path, request: UpdateApproval) -> list[AuditRecord]:
    """What one message leaves in the gateway's log."""
    policy, log = folder / "policy.yaml", folder / "gateway.jsonl"
    policy.write_text("environments:\n  live: {phase: non_critical_writes}\n")
    audit = AuditLog(log)
    guard = GuardInterceptor(PolicySource(policy, environment="live"), audit, role="gateway")
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_type=UPDATE_APPROVAL.name, workflow_id=VIEW.id)
    call = ExecuteActivityInput(fn=Messages().update_approval, args=(request,), executor=None, headers={})
    asyncio.run(_run(environment, guard, call))
    audit.close()
    return [AuditRecord.model_validate_json(line) for line in log.read_text().splitlines()]


async def _run(environment: ActivityEnvironment, guard: GuardInterceptor, call: ExecuteActivityInput) -> None:
    await environment.run(guard.intercept_activity(_Call()).execute_activity, call)


def test_a_message_leaves_who_decided_what_and_none_of_their_words(tmp_path: Path) -> None:
    allowed, finished = recorded(tmp_path, UpdateApproval(view=VIEW, plan=SECRET))
    assert allowed.approval is not None
    assert allowed.approval.model_dump() == {
        "id": "approval/delete/1",
        "digest": "sha256:ab",
        "state": "rejected",
        "requester": "slack:U0ERIN",
        "decisions": ({"person": "alice", "verdict": "reject", "surface": "console"},),
    }
    assert finished.approval is None
    assert SECRET not in (tmp_path / "gateway.jsonl").read_text()


def test_what_no_approval_has_does_not_fill_the_log(tmp_path: Path) -> None:
    """Whoever reaches Temporal can start this step with a request of their own."""
    many = VIEW.model_copy(update={"decisions": (DECISION,) * 1000})
    long = VIEW.model_copy(update={"requester": "x" * 100_000})
    for view in (many, long):
        allowed, _ = recorded(tmp_path, UpdateApproval(view=view, plan="{}"))[-2:]
        assert (allowed.event, allowed.approval) == ("allowed", None)
    assert (tmp_path / "gateway.jsonl").stat().st_size < 10_000
