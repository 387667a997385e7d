"""The goal `FlowStatus`: how captures, collections and materialisations at Estuary do."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.estuary.contracts import LOOK_AT_FLOW, LookAtFlowRequest
    from workflows.contracts import State
    from workflows.estuary.goals import FLOW_STATUS, FlowStatusInput, FlowStatusResult, FlowTold
    from workflows.goal import Goal
    from workflows.goal_type import goal


@goal(FLOW_STATUS)
class FlowStatusWorkflow(Goal):
    """Look once."""

    @workflow.init
    def __init__(self, request: FlowStatusInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: FlowStatusInput) -> FlowStatusResult:
        """Look; a refusal by the guard is a result."""
        del request
        return await self.run_goal(
            self._look(), denied=lambda reason: FlowStatusResult(outcome=State.DENIED, reason=reason)
        )

    async def _look(self) -> FlowStatusResult:
        wanted = self._wanted
        seen = await self.step(
            LOOK_AT_FLOW, LookAtFlowRequest(names=wanted.names, prefix=wanted.prefix), summary=wanted.summary()
        )
        there = {one.name for one in seen.specs}
        return FlowStatusResult(
            specs=tuple(FlowTold(**one.model_dump()) for one in seen.specs),
            missing=tuple(one for one in wanted.names if one not in there),
            troubled=tuple(one.name for one in seen.specs if one.status in {"WARNING", "ERROR"}),
            more=seen.more,
        )
