"""The goal `CopyState`: what a rehearsal of goals on other providers than GitHub begins with."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.copies.steps import copy_step_for
    from activities.guard.error_types import ErrorType, application_error
    from workflows.contracts import State
    from workflows.copies.goals import COPY_STATE, CopyStateInput, CopyStateResult
    from workflows.goal import Goal
    from workflows.goal_type import goal


@goal(COPY_STATE)
class CopyStateWorkflow(Goal):
    """Copy it with a credential that only reads."""

    @workflow.init
    def __init__(self, request: CopyStateInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: CopyStateInput) -> CopyStateResult:
        """Copy it; a refusal by the guard is a result."""
        return await self.run_goal(
            self._copy(),
            denied=lambda reason: CopyStateResult(
                outcome=State.DENIED, reason=reason, provider=request.provider, part=request.part
            ),
        )

    async def _copy(self) -> CopyStateResult:
        wanted = self._wanted
        step = copy_step_for(wanted.provider, wanted.part)
        if step is None:
            raise application_error(
                ErrorType.INVALID_REQUEST, f"{wanted.provider} has no {wanted.part!r} that could be copied"
            )
        found = await self.step(step, step.request(part=wanted.part), summary=wanted.summary())
        return CopyStateResult(
            provider=wanted.provider, part=wanted.part, described=found.described, size=found.size, told=found.told
        )
