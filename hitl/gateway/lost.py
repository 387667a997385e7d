"""Approvals that ended without a word of their own: terminated, out of time, failed. The server's word counts."""

from typing import Final

from temporalio.client import WorkflowExecutionStatus

from hitl.approval.plan import plan_digest
from hitl.gateway.server import FoundApproval
from workflows.approval.contracts import AlsoWanted, ApprovalView, UpdateApproval
from workflows.contracts import State

_WHY: Final = {
    WorkflowExecutionStatus.TERMINATED: "It was terminated by hand, so nobody can decide on it any more.",
    WorkflowExecutionStatus.TIMED_OUT: "It ran out of the time that Temporal gave it.",
    WorkflowExecutionStatus.FAILED: "It failed, so nobody can decide on it any more.",
}


def is_lost(found: FoundApproval) -> bool:
    """Whether it can say nothing of its end itself."""
    return found.status in _WHY


def last_word(found: FoundApproval) -> UpdateApproval:
    """What people are told of a lost one. All of it is from the server."""
    rule = found.request.rule
    view = ApprovalView(
        id=found.id,
        run_id=found.run_id,
        goal=found.goal,
        goal_run_id=found.goal_run_id,
        step_id=found.request.step_id,
        action=found.plan.action,
        environment=rule.environment,
        state=State.SUPERSEDED,
        digest=plan_digest(found.request.plan),
        rule=rule.name,
        rule_digest=rule.digest,
        path=rule.path,
        groups=rule.groups,
        needs=rule.quorum,
        also=tuple(AlsoWanted(group=one) for one in rule.also),
        opened_at=found.opened_at,
        expires_at=found.opened_at + rule.approve_within,
        reason=_WHY[found.status],
    )
    return UpdateApproval(view=view, plan=found.request.plan)
