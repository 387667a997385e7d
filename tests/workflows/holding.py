"""A workflow that has a stack for as long as it is let; in a module of its own, which the sandbox loads again."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.pulumi.lock import STACK_TURN, StackQueueing, StackTurn


@workflow.defn(name="Holder")
class HolderWorkflow:
    """Has a stack until it is told to give it back."""

    @workflow.init
    def __init__(self, project: str) -> None:
        del project
        self._queueing = StackQueueing(self._wait_for, look_after=timedelta(seconds=1))
        self._waits: str | None = None
        self._has = False
        self._enough = False

    @workflow.signal(name=STACK_TURN)
    def stack_turn(self, turn: StackTurn) -> None:
        self._queueing.take_turn(turn)

    @workflow.signal
    def enough(self) -> None:
        self._enough = True

    @workflow.query
    def waits(self) -> str | None:
        return self._waits

    @workflow.query
    def has(self) -> bool:
        return self._has

    @workflow.run
    async def run(self, project: str) -> str:
        async with self._queueing.holding(project, "dev"):
            self._has = True
            await workflow.wait_condition(lambda: self._enough)
            self._has = False
        return "given back"

    def _wait_for(self, what: str | None) -> None:
        self._waits = what
