"""The goal `InspectStack`: what a stack is, for people who are about to decide something about it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import (
        DETECT_DRIFT,
        LOOK_AT_LOCK,
        READ_HISTORY,
        READ_OUTPUTS,
        DriftLook,
        OutputsLook,
        StackLook,
    )
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.pulumi.goal import StackGoal
    from workflows.pulumi.goals import (
        INSPECT_STACK,
        DeploymentTold,
        DriftTold,
        InspectStackInput,
        InspectStackResult,
        asked_for,
    )


@goal(INSPECT_STACK)
class InspectStackWorkflow(StackGoal):
    """Read a stack's outputs, history, lock and state, while no goal works on it."""

    @workflow.init
    def __init__(self, request: InspectStackInput) -> None:
        super().__init__(request, asked_for(request))
        self._drift = request.drift

    @workflow.run
    async def run(self, request: InspectStackInput) -> InspectStackResult:
        """Read it all; a refusal by the guard is a result."""
        return await self.run_goal(
            self._inspect(),
            denied=lambda reason: InspectStackResult(
                outcome=State.DENIED, reason=reason, repository=request.repository, stack=request.stack
            ),
        )

    async def _inspect(self) -> InspectStackResult:
        stack, place = self.stack, self.stack.place
        prepared = await stack.prepare()
        found = InspectStackResult(repository=place.repository, stack=place.stack, project=prepared.project)
        async with stack.holding():
            read = await stack.inspect(READ_OUTPUTS, OutputsLook, summary="Export state and outputs")
            if not read.deployed:
                return found.model_copy(update={"deployed": False})
            history = await stack.inspect(READ_HISTORY, StackLook, summary="Read its history")
            lock = await stack.inspect(LOOK_AT_LOCK, StackLook, summary="Look who holds its lock")
            drift = await self._drifted() if self._drift else None
        deployments = tuple(DeploymentTold.model_validate(dict(one)) for one in history.deployments)
        return found.model_copy(
            update={
                "outputs": read.outputs,
                "deployments": deployments,
                "locked_by": lock.owners,
                "state": read.state,
                "exported": read.exported,
                "drift": drift,
            }
        )

    async def _drifted(self) -> DriftTold:
        seen = await self.stack.inspect(DETECT_DRIFT, DriftLook, summary="Look what stands outside otherwise")
        return DriftTold(
            drifted=len(seen.fingerprints),
            quiet=seen.quiet,
            looked_at=seen.looked_at,
            complete=seen.complete,
            lines=seen.lines,
            report=seen.report,
        )
