"""The goal `InspectGpus`: what Lambda Labs has, and what the account has there."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lambdalabs.contracts import (
        LOOK_AT_ACCOUNT,
        LOOK_AT_TYPES,
        LookAtAccountRequest,
        LookAtTypesRequest,
    )
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.lambdalabs.goals import INSPECT_GPUS, InspectGpusInput, InspectGpusResult


@goal(INSPECT_GPUS)
class InspectGpusWorkflow(Goal):
    """Look at sizes, and at the account."""

    @workflow.init
    def __init__(self, request: InspectGpusInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: InspectGpusInput) -> InspectGpusResult:
        """Look; a refusal by the guard is a result."""
        del request
        return await self.run_goal(
            self._look(), denied=lambda reason: InspectGpusResult(outcome=State.DENIED, reason=reason)
        )

    async def _look(self) -> InspectGpusResult:
        wanted = self._wanted
        sizes = await self.step(LOOK_AT_TYPES, LookAtTypesRequest(names=wanted.types), summary=wanted.summary())
        account = await self.step(LOOK_AT_ACCOUNT, LookAtAccountRequest(), summary="Look at the account's machines")
        return InspectGpusResult(
            types=sizes.types, **{name: getattr(account, name) for name in type(account).model_fields}
        )
