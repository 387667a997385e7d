"""A goal that uses a machine; in a module of its own, which the sandbox loads again."""

from datetime import timedelta
from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import Field

    from tests.workflows.leases.sample import CREATE_MACHINE, MACHINE, CreateMachine, leased
    from workflows.contracts import GoalInput, GoalResult, State
    from workflows.leases.leasing import LeasingGoal

USE_MACHINE = "TestUseMachine"


class UseMachineInput(GoalInput):
    """Use a machine for a while."""

    mark: str
    hours: int = 4
    then: Literal["end", "return", "hand_over", "hold"] = "return"
    after: timedelta | None = Field(default=timedelta(), description="None: until somebody ends it.")

    def summary(self) -> str:
        return f"Use {self.mark}"


class UseMachineResult(GoalResult):
    """How it was ended, where the goal waited for it."""

    lease: str = ""
    tries: int | None = None


@workflow.defn(name=USE_MACHINE)
class UseMachineWorkflow(LeasingGoal):
    """Take the lease, create, use, and end in one of several ways."""

    @workflow.init
    def __init__(self, request: UseMachineInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: UseMachineInput) -> UseMachineResult:
        return await self.run_goal(
            self._use(), denied=lambda why: UseMachineResult(outcome=State.DENIED, reason=why, lease=request.mark)
        )

    async def _use(self) -> UseMachineResult:
        wanted, now = self._wanted, workflow.now()
        lease = await self.take_lease(
            MACHINE.lease(leased(wanted.mark), now=now, ends_at=now + timedelta(hours=wanted.hours))
        )
        await self.step(CREATE_MACHINE, CreateMachine(mark=wanted.mark, name="m"), summary="Create it")
        if wanted.after is None:
            await workflow.wait_condition(lambda: False)
        else:
            await workflow.sleep(wanted.after)
        match wanted.then:
            case "end":
                ended = await self.end_lease(lease)
                return UseMachineResult(lease=lease, tries=ended.tries if ended else None)
            case "hand_over":
                await self.hand_over_lease(lease)
            case "hold":
                over = await self.lease_over(lease)
                return UseMachineResult(lease=lease, tries=over.tries if over else None)
            case _:
                pass
        return UseMachineResult(lease=lease)
