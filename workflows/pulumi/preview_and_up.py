"""The goals `PreviewAndUp` and `RollBackStack`: a program's plan, approved, and applied as it was approved."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import (
        PREVIEW_STACK,
        READ_HISTORY,
        REFRESH_STACK,
        UPDATE_STACK,
        Deployment,
        PreviewRequest,
        StackLook,
        StackPreviewed,
    )
    from activities.pulumi.place import StackPlace
    from hitl.approval.plan import Plan
    from workflows.goal_type import goal
    from workflows.pulumi import goals
    from workflows.pulumi.change import REPLANS, NothingToDo, StackChange
    from workflows.pulumi.goals import PreviewAndUpInput, RollBackStackInput, StackAsked, StackResult, asked_for


class UpdatingGoal(StackChange):
    """What both have in common: refresh, preview, ask, up, look. Not a workflow by itself."""

    def __init__(self, request: PreviewAndUpInput | RollBackStackInput) -> None:
        super().__init__(request, asked_for(request))
        self._wanted = request
        self._refresh = True
        self._why = ""

    async def update(self) -> StackResult:
        """Bring the stack to what the program says, with people's consent."""
        try:
            changed = await self.approved_step(
                UPDATE_STACK,
                self._plan,
                summary=self._wanted.summary(),
                under=self.unchanged,
                confirm=self.confirm_change,
                replans=REPLANS,
            )
        except NothingToDo:
            return self.result()
        return await self.ended(changed)

    async def _plan(self) -> Plan:
        self._prepared = await self.prepare(self._asked_for)
        async with self.holding(self.prepared, self._asked_for.place):
            previewed = await self._preview()
        return self.planned(previewed)

    async def _preview(self) -> StackPreviewed:
        place, prepared = self._asked_for.place, self.prepared
        drift = None
        if self._refresh:
            seen = await self.inspect(
                REFRESH_STACK,
                lambda secrets: StackLook(place=place, prepared=prepared, secrets=secrets),
                place=place,
                summary="Refresh state",
            )
            drift = seen.report
        return await self.inspect(
            PREVIEW_STACK,
            lambda secrets: PreviewRequest(place=place, prepared=prepared, secrets=secrets, drift=drift, why=self._why),
            place=place,
            summary=f"Preview {prepared.project}/{place.stack} at {prepared.commit[:12]}",
        )


@goal(goals.PREVIEW_AND_UP)
class PreviewAndUpWorkflow(UpdatingGoal):
    """Bring a stack to what its program says."""

    @workflow.init
    def __init__(self, request: PreviewAndUpInput) -> None:
        super().__init__(request)
        self._refresh = request.refresh

    @workflow.run
    async def run(self, request: PreviewAndUpInput) -> StackResult:
        """Plan, ask, apply, look; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(self.update(), denied=self.denied)


@goal(goals.ROLL_BACK_STACK)
class RollBackStackWorkflow(UpdatingGoal):
    """Bring a stack back to what its program said at an earlier deployment."""

    @workflow.init
    def __init__(self, request: RollBackStackInput) -> None:
        super().__init__(request)
        self._version = request.version

    @workflow.run
    async def run(self, request: RollBackStackInput) -> StackResult:
        """Look the deployment up; then plan, ask, apply and look as for any other program."""
        del request
        return await self.run_goal(self._roll_back(), denied=self.denied)

    async def _roll_back(self) -> StackResult:
        self._prepared = await self.prepare(self._asked_for)
        found = await self._deployment(self._asked_for.place)
        when = f" of {found.started:%Y-%m-%d %H:%M} UTC" if found.started else ""
        self._why = f"Back to deployment {found.version}{when}, at {str(found.commit)[:12]}"
        self._asked_for = StackAsked(place=self._asked_for.place, ref=found.commit, moves=False)
        return await self.update()

    async def _deployment(self, place: StackPlace) -> Deployment:
        prepared = self.prepared
        async with self.holding(prepared, place):
            history = await self.inspect(
                READ_HISTORY,
                lambda secrets: StackLook(place=place, prepared=prepared, secrets=secrets),
                place=place,
                summary=f"Read deployment {self._version}",
            )
        name = f"{prepared.project}/{place.stack}"
        found = next((one for one in history.deployments if one.version == self._version), None)
        if found is None:
            known = ", ".join(str(one.version) for one in history.deployments[:10]) or "none"
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{name!r} has no deployment {self._version}; its newest are: {known}",
            )
        if found.commit is None:
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"deployment {self._version} of {name!r} was not made by an update of Banksman's, so that nobody knows "
                "its program: ask for PreviewAndUp with its commit as 'ref'",
            )
        return found
