"""The goals `DestroyStack` and `UnlockStack`: the end of everything that a stack holds, and of a lock left behind."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import (
        DESTROY_STACK,
        LOOK_AT_LOCK,
        PREVIEW_DESTROY,
        UNLOCK_STACK,
        LockSeen,
        PreparedStack,
        PreviewRequest,
        StackLook,
        StackUnlocked,
    )
    from connectors.pulumi.approval import UNLOCK_ACTION, UnlockStackParameters
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.pulumi import goals
    from workflows.pulumi.change import REPLANS, NothingToDo, StackChange
    from workflows.pulumi.goals import DestroyStackInput, StackResult, UnlockStackInput, UnlockStackResult, asked_for


@goal(goals.DESTROY_STACK)
class DestroyStackWorkflow(StackChange):
    """Destroy what a stack holds; no program is run for it."""

    @workflow.init
    def __init__(self, request: DestroyStackInput) -> None:
        super().__init__(request, asked_for(request))
        self._wanted = request

    @workflow.run
    async def run(self, request: DestroyStackInput) -> StackResult:
        """List, ask, destroy, look; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(self._destroy(), denied=self.denied)

    async def _destroy(self) -> StackResult:
        try:
            changed = await self.approved_step(
                DESTROY_STACK,
                self._plan,
                summary=self._wanted.summary(),
                under=lambda: self.holding(self.prepared, self._asked_for.place),
                confirm=self.confirm_change,
                replans=REPLANS,
            )
        except NothingToDo:
            return self.result()
        return await self.ended(changed)

    async def _plan(self) -> Plan:
        place = self._asked_for.place
        prepared = self._prepared = await self.prepare(self._asked_for)
        async with self.holding(prepared, place):
            previewed = await self.inspect(
                PREVIEW_DESTROY,
                lambda secrets: PreviewRequest(place=place, prepared=prepared, secrets=secrets),
                place=place,
                summary=f"List resources of {prepared.project}/{place.stack}",
            )
        return self.planned(previewed)


@goal(goals.UNLOCK_STACK)
class UnlockStackWorkflow(StackChange):
    """Take a dead run's lock away. A run that lives keeps its lock, whatever people approved."""

    @workflow.init
    def __init__(self, request: UnlockStackInput) -> None:
        super().__init__(request, asked_for(request))
        self._wanted = request
        self._owners: tuple[str, ...] = ()

    @workflow.run
    async def run(self, request: UnlockStackInput) -> UnlockStackResult:
        """Look who holds it, ask, take it away; a refusal is a result, whoever refuses."""
        return await self.run_goal(
            self._unlock(),
            denied=lambda reason: UnlockStackResult(
                outcome=State.DENIED,
                reason=reason,
                repository=request.repository,
                stack=request.stack,
                owners=self._owners,
            ),
        )

    async def _unlock(self) -> UnlockStackResult:
        released = False
        try:
            unlocked = await self.approved_step(
                UNLOCK_STACK,
                self._plan,
                summary=self._wanted.summary(),
                under=lambda: self.holding(self.prepared, self._asked_for.place),
                confirm=self._confirm_released,
            )
            released = unlocked.released
        except NothingToDo:
            pass
        return UnlockStackResult(
            repository=self._wanted.repository, stack=self._wanted.stack, owners=self._owners, released=released
        )

    async def _confirm_released(self, plan: Plan, unlocked: StackUnlocked) -> None:
        if not unlocked.released and not self.looks_whatever_is_said():
            return
        ours, seen = set(self._owners), set((await self._look(self.prepared)).owners)
        if unlocked.released and ours & seen:
            raise self.doubted(plan, "its lock is still there")
        if not unlocked.released and ours & set(unlocked.owners) != ours & seen:
            raise self.doubted(plan, "its lock is not held as the step says", way="refused")

    async def _look(self, prepared: PreparedStack) -> LockSeen:
        place = self._asked_for.place
        return await self.inspect(
            LOOK_AT_LOCK,
            lambda secrets: StackLook(place=place, prepared=prepared, secrets=secrets),
            place=place,
            summary=f"Read lock of {prepared.project}/{place.stack}",
        )

    async def _plan(self) -> Plan:
        place = self._asked_for.place
        prepared = self._prepared = await self.prepare(self._asked_for)
        async with self.holding(prepared, place):
            seen = await self._look(prepared)
        self._owners = seen.owners
        name = f"{prepared.project}/{place.stack}"
        if not seen.owners:
            raise NothingToDo
        if len(set(seen.owners)) > 1:
            raise application_error(
                ErrorType.CONFLICT, f"{name!r} is locked by several runs, {', '.join(seen.owners)}: wait for them"
            )
        parameters = UnlockStackParameters(
            repository=place.repository,
            folder=place.folder,
            project=prepared.project,
            stack=place.stack,
            prepared=prepared.prepared,
            owner=seen.owners[0],
        )
        return Plan(
            action=UNLOCK_ACTION,
            parameters=parameters.model_dump(mode="json"),
            resources=(Resource(kind="Pulumi lock", name=name, change=Change.DELETE),),
            summary=(
                f"Take the lock of {seen.owners[0]} on {name} away",
                "Were that run still at work, its state would be lost: the step refuses while it lives here",
            ),
            risk=Risk.HIGH,
        )
