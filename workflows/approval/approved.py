"""What people said yes to, and how they hear of what becomes of it."""

from dataclasses import dataclass
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.granted import GrantedRequest
    from activities.step_end import StepEnd
    from hitl.protocol import RefusalReason
    from workflows.approval.contracts import ApprovalResult, UpdateApproval
    from workflows.approval.messages import tell, update
    from workflows.approval.step_ends import told_of
    from workflows.goal import NotApproved


class RuleChanged(NotApproved):
    """Another rule is in force than the one that people were asked by."""

    reason: Final = RefusalReason.RULE_CHANGED


@dataclass(frozen=True, kw_only=True)
class Approved:
    """What people said yes to."""

    step_id: str
    request: GrantedRequest
    result: ApprovalResult

    async def tell(self, what: str, end: StepEnd | None = None) -> None:
        """Say how it goes on, where it was shown."""
        view = self.result.view
        if view is not None:
            last = UpdateApproval(view=view, plan=self.request.plan, posted=self.result.posted)
            await tell(last if end is None else last.model_copy(update=told_of(end)), what=what)

    async def say(self, progress: str) -> None:
        """Say how far the step is, where it was shown.

        Raises:
            ActivityError: It cannot be said.
        """
        view = self.result.view
        if view is not None:
            await update(
                UpdateApproval(view=view, plan=self.request.plan, posted=self.result.posted, progress=progress[:500])
            )
