"""Goals that wait: for a person, and for a step that nobody takes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import GoalInput, GoalResult, State
    from workflows.goal import Goal, StepWaits
    from workflows.parking import Parking


class ParkInput(GoalInput):
    """Wait for a person."""

    why: str

    def summary(self) -> str:
        return "Park"


@workflow.defn(name="TestPark")
class ParkWorkflow(Goal):
    @workflow.init
    def __init__(self, request: ParkInput) -> None:
        super().__init__(request)
        self._why = request.why

    @workflow.run
    async def run(self, request: ParkInput) -> GoalResult:
        del request
        return await self.run_goal(self._park(), denied=lambda reason: GoalResult(outcome=State.DENIED, reason=reason))

    async def _park(self) -> GoalResult:
        with Parking() as parking:
            await self.park(StepWaits(self._why, step="test.nobody"), parking)
        return GoalResult()


@workflow.defn(name="TestStep")
class StepWorkflow(ParkWorkflow):
    """Takes a step, which nobody runs."""

    @workflow.init
    def __init__(self, request: ParkInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ParkInput) -> GoalResult:
        self.begin("Read README.md")
        await workflow.execute_activity(
            "test.nobody", task_queue=request.why, start_to_close_timeout=timedelta(seconds=9)
        )
        return GoalResult()


@workflow.defn(name="TestNobody")
class NobodyWorkflow:
    @workflow.run
    async def run(self, queue: str) -> None:
        await workflow.execute_activity("test.nobody", task_queue=queue, start_to_close_timeout=timedelta(seconds=9))


@workflow.defn(name="TestClock")
class ClockWorkflow:
    """Strikes the hours, so that a server that skips time never skips more than one.

    It skips to the next timer as soon as no task is under way, and a signal of one workflow's to another is none: a
    notice that was about to hear of its goal's end found itself at the end of the ten years that a run may take.
    """

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.sleep(timedelta(hours=1))
