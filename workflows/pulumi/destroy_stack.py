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
        PreviewRequest,
        StackLook,
        StackUnlocked,
    )
    from connectors.pulumi.approval import UNLOCK_ACTION, UnlockStackParameters
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.pulumi.change import REPLANS, NothingToDo, StackChangeGoal
    from workflows.pulumi.goals import DESTROY_STACK as DESTROY_GOAL
    from workflows.pulumi.goals import UNLOCK_STACK as UNLOCK_GOAL
    from workflows.pulumi.goals import DestroyStackInput, StackResult, UnlockStackInput, UnlockStackResult, asked_for


@goal(DESTROY_GOAL)
class DestroyStackWorkflow(StackChangeGoal):
    """Destroy what a stack holds; no program is run for it."""

    @workflow.init
    def __init__(self, request: DestroyStackInput) -> None:
        super().__init__(request, asked_for(request))
        self._wanted = request

    @workflow.run
    async def run(self, request: DestroyStackInput) -> StackResult:
        """List, ask, destroy, look; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(self._destroy(), denied=self.change.denied)

    async def _destroy(self) -> StackResult:
        try:
            changed = await self.approved_step(
                DESTROY_STACK,
                self._plan,
                summary=self._wanted.summary(),
                under=self.stack.holding,
                confirm=self.change.verify,
                replans=REPLANS,
            )
        except NothingToDo:
            return self.change.result()
        return await self.change.ended(changed)

    async def _plan(self) -> Plan:
        await self.stack.prepare()
        async with self.stack.holding():
            previewed = await self.stack.inspect(
                PREVIEW_DESTROY, PreviewRequest, summary=f"List resources of {self.stack.name}"
            )
        return self.change.planned(previewed)


@goal(UNLOCK_GOAL)
class UnlockStackWorkflow(StackChangeGoal):
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
                under=self.stack.holding,
                confirm=self._confirm_released,
            )
            released = unlocked.released
        except NothingToDo:
            pass
        return UnlockStackResult(
            repository=self._wanted.repository, stack=self._wanted.stack, owners=self._owners, released=released
        )

    async def _confirm_released(self, plan: Plan, unlocked: StackUnlocked) -> None:
        if not unlocked.released and not self.change.looks_whatever_is_said():
            return
        ours, seen = set(self._owners), set((await self._inspect_lock()).owners)
        if unlocked.released and ours & seen:
            raise self.change.doubted(plan, "its lock is still there")
        if not unlocked.released and ours & set(unlocked.owners) != ours & seen:
            raise self.change.doubted(plan, "its lock is not held as the step says", way="refused")

    async def _inspect_lock(self) -> LockSeen:
        return await self.stack.inspect(LOOK_AT_LOCK, StackLook, summary=f"Read lock of {self.stack.name}")

    async def _plan(self) -> Plan:
        prepared = await self.stack.prepare()
        async with self.stack.holding():
            seen = await self._inspect_lock()
        self._owners = seen.owners
        place, name = self.stack.place, self.stack.name
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
