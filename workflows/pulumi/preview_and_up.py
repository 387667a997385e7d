"""The goals `PreviewAndUp` and `RollBackStack`: a program's plan, approved, and applied as it was approved."""

from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import (
        READ_HISTORY,
        UPDATE_STACK,
        Deployment,
        StackLook,
    )
    from workflows.goal_type import goal
    from workflows.pulumi.change import REPLANS, NothingToDo, StackChangeGoal
    from workflows.pulumi.goals import (
        PREVIEW_AND_UP,
        ROLL_BACK_STACK,
        PreviewAndUpInput,
        RollBackStackInput,
        StackAsked,
        StackResult,
        asked_for,
    )


async def _deploy(goal: StackChangeGoal, *, summary: str, refresh: bool = True, why: str = "") -> StackResult:
    """Prepare the program, plan what it changes, have people approve, apply exactly that, and verify it.

    Args:
        goal: Whose stack it is.
        summary: What people see of the change.
        refresh: Whether the plan is made on what is really there.
        why: One line for people, first in the plan.
    """
    stack, change = goal.stack, goal.change

    try:
        applied = await goal.approved_step(
            UPDATE_STACK,
            partial(change.plan, refresh=refresh, why=why),
            summary=summary,
            under=stack.holding_unchanged,
            confirm=change.verify,
            replans=REPLANS,
        )
    except NothingToDo:
        return change.result()
    return await change.ended(applied)


@goal(PREVIEW_AND_UP)
class PreviewAndUpWorkflow(StackChangeGoal):
    """Bring a stack to what its program says."""

    @workflow.init
    def __init__(self, request: PreviewAndUpInput) -> None:
        super().__init__(request, asked_for(request))

    @workflow.run
    async def run(self, request: PreviewAndUpInput) -> StackResult:
        """Prepare, plan, approve, apply, verify; a refusal is a result, whoever refuses."""
        deployed = _deploy(self, summary=request.summary(), refresh=request.refresh)
        return await self.run_goal(deployed, denied=self.change.denied)


@goal(ROLL_BACK_STACK)
class RollBackStackWorkflow(StackChangeGoal):
    """Bring a stack back to what its program said at an earlier deployment."""

    @workflow.init
    def __init__(self, request: RollBackStackInput) -> None:
        super().__init__(request, asked_for(request))

    @workflow.run
    async def run(self, request: RollBackStackInput) -> StackResult:
        """Find the deployment; then prepare, plan, approve, apply and verify as for any other program."""
        return await self.run_goal(self._roll_back(request), denied=self.change.denied)

    async def _roll_back(self, request: RollBackStackInput) -> StackResult:
        await self.stack.prepare()
        found = await self._deployment(request.version)
        when = f" of {found.started:%Y-%m-%d %H:%M} UTC" if found.started else ""
        why = f"Back to deployment {found.version}{when}, at {str(found.commit)[:12]}"
        self.stack.asked = StackAsked(place=self.stack.place, ref=found.commit, moves=False)
        return await _deploy(self, summary=request.summary(), why=why)

    async def _deployment(self, version: int) -> Deployment:
        async with self.stack.holding():
            history = await self.stack.inspect(READ_HISTORY, StackLook, summary=f"Read deployment {version}")
        name = self.stack.name
        found = next((one for one in history.deployments if one.version == version), None)
        if found is None:
            known = ", ".join(str(one.version) for one in history.deployments[:10]) or "none"
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{name!r} has no deployment {version}; its newest are: {known}",
            )
        if found.commit is None:
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"deployment {version} of {name!r} was not made by an update of Banksman's, so that nobody knows "
                "its program: ask for PreviewAndUp with its commit as 'ref'",
            )
        return found
