"""The goal `ReconcileLeases`: the sweep, when a person asks for it, with a say in what becomes of strangers."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.step import Step
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.leases.goals import RECONCILE_LEASES, ReconcileLeasesInput, ReconcileLeasesResult
    from workflows.leases.reconciling import Reconciling


@goal(RECONCILE_LEASES)
class ReconcileLeasesWorkflow(Goal):
    """One look; it parks where a provider stays away, as every goal does."""

    @workflow.init
    def __init__(self, request: ReconcileLeasesInput) -> None:
        super().__init__(request)
        self._reconciling = Reconciling(request, ask=self._ask, look=self._ask)

    @workflow.run
    async def run(self, request: ReconcileLeasesInput) -> ReconcileLeasesResult:
        """Look; a refusal by the guard is a result."""
        del request
        return await self.run_goal(
            self._reconciling.run(),
            denied=lambda reason: ReconcileLeasesResult(outcome=State.DENIED, reason=reason),
        )

    async def _ask(self, step: Step[Any, Any], request: BaseModel, summary: str) -> Any:
        return await self.step(step, request, summary=summary)
