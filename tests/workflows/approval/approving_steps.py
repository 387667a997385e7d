"""A goal with many destructive steps on the real server, between the same pieces as `approving`, and a real ledger."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

with workflow.unsafe.imports_passed_through():
    from activities.approvals.giving_up import GivingUp
    from activities.guard.current_attempt import Use, current_attempt
    from activities.guard.error_types import ErrorType, application_error
    from activities.guard.grant_use import GrantRecords
    from activities.guard.granted import GrantedRequest
    from activities.guard.grants import ClickCheck
    from activities.guard.policy_source import PolicySource
    from activities.queues import TaskQueue
    from activities.step import Step, implements
    from activities.step_end import ApprovedAnswer, StepEnd, Way
    from hitl.approval.plan import Change, Plan, Resource
    from hitl.approval.sequence import MAX_STEPS, AnyPlan, SequencePlan
    from hitl.approval.stricter import Stricter
    from hitl.protocol import Effect
    from tests.hitl.approval.granting_steps import BASE, BRANCH, POLICY, step
    from tests.workflows.approval.approving import House
    from workflows.approval.approved_steps import ApprovedSteps, SequenceGoal
    from workflows.approval.contracts import ApprovalRequest, ApprovalResult
    from workflows.approval.decision_checks import DecisionChecks
    from workflows.approval.messages import ApprovalNoticeWorkflow
    from workflows.approval.workflow import ApprovalWorkflow
    from workflows.contracts import DestructiveGoalInput, GoalResult, State
    from workflows.goal import NotApproved


class TakenDown(ApprovedAnswer):
    way: Way = "completed"

    def end(self) -> StepEnd:
        """As told."""
        return StepEnd(way=self.way)


class TakeDownInput(DestructiveGoalInput):
    """Take three things down, by one approval."""

    name: str = "feature"
    stops_after: int | None = None
    """The goal is satisfied with so many steps."""
    bulk: int = 0
    """With so many characters in each of as many steps as a plan can have."""
    patience: timedelta | None = None
    """For saying yes, where it is shorter than any policy can name."""
    refused_after: int | None = None
    """People refuse something else that it wants after so many."""
    pauses_after: int | None = None
    """It waits for the signal `go` after so many."""
    tightening: Stricter | None = None
    """What the service's own file asks of the policy."""

    def business_key(self) -> str:
        return f"take-down/{self.name}"

    def summary(self) -> str:
        return f"Take {self.name} down"


class TakeDownResult(GoalResult):
    done: int = 0


def declared(action: str) -> Step[GrantedRequest, TakenDown]:
    return Step(name=action, request=GrantedRequest, response=TakenDown, effect=Effect.DESTRUCTIVE)


STEPS = {action: declared(action) for action in (BRANCH, BASE)}


def make_plan(name: str, *, bulk: int = 0) -> SequencePlan:
    if bulk:
        parts = (Resource(kind="branch", name=f"{name}-{one}", change=Change.DELETE) for one in range(30))
        long = step(BRANCH, parameters={"branch": name, "notes": "n" * bulk}, resources=tuple(parts))
        return SequencePlan(steps=(long,) * MAX_STEPS, summary=(f"Take {name} down",) * 50)
    steps = (step(BRANCH, f"{name}-one"), step(BASE, f"{name}-two"), step(BRANCH, f"{name}-three"))
    return SequencePlan(steps=steps, summary=(f"Take {name} down",))


@workflow.defn(name="TestTakeDown")
class TakeDownWorkflow(SequenceGoal):
    """A goal as a release would have it."""

    @workflow.init
    def __init__(self, request: TakeDownInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._go = False
        self._looked: list[str] = []

    @workflow.signal
    def go(self) -> None:
        self._go = True

    @workflow.query
    def looked(self) -> list[str]:
        """What was looked at after it was done."""
        return self._looked

    @workflow.run
    async def run(self, request: TakeDownInput) -> TakeDownResult:
        del request
        work = self.approved_steps(self._make, self._take_down, tightening=self._wanted.tightening)
        return await self.run_goal(work, denied=lambda why: TakeDownResult(outcome=State.DENIED, reason=why))

    async def _make(self) -> SequencePlan:
        return make_plan(self._wanted.name, bulk=self._wanted.bulk)

    async def _answer(self, request: ApprovalRequest, plan: AnyPlan, approval: str) -> ApprovalResult:
        if self._wanted.patience is not None:
            shorter = request.rule.model_copy(update={"approve_within": self._wanted.patience})
            request = request.model_copy(update={"rule": shorter})
        return await super()._answer(request, plan, approval)

    async def _take_down(self, steps: ApprovedSteps) -> TakeDownResult:
        for planned in steps.plan.steps:
            await steps.run(STEPS[planned.action], summary=f"Delete {planned.action}", confirm=self._confirm)
            if steps.done == self._wanted.stops_after:
                break
            if steps.done == self._wanted.refused_after:
                raise NotApproved(State.REJECTED, "nobody wants the surprise")
            if steps.done == self._wanted.pauses_after:
                await workflow.wait_condition(lambda: self._go)
        return TakeDownResult(done=steps.done)

    async def _confirm(self, plan: Plan, answer: TakenDown) -> None:
        del answer
        self._looked.append(str(plan.parameters["branch"]))


class Wrecker:
    """The destructive steps, over something that only counts."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.uses: list[Use] = []
        self.fails_at = ""
        self.loses_at = ""
        """Where its answer is lost once."""
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self.holds_at = ""

    @implements(STEPS[BRANCH])
    async def delete_branch(self, request: GrantedRequest) -> TakenDown:
        return await self._act(request)

    @implements(STEPS[BASE])
    async def delete_base(self, request: GrantedRequest) -> TakenDown:
        return await self._act(request)

    async def _act(self, request: GrantedRequest) -> TakenDown:
        name = str(request.approved().parameters["branch"])
        self.uses.append(use := current_attempt().use)
        if self.fails_at and name.endswith(self.fails_at):
            raise application_error(ErrorType.CONFLICT, f"{name!r} is not what was approved")
        if use is Use.FIRST or name not in self.done:
            self.done.append(name)
        if self.holds_at and name.endswith(self.holds_at):
            self.reached.set()
            await self.opened.wait()
        if self.loses_at and name.endswith(self.loses_at):
            self.loses_at = ""
            raise application_error(ErrorType.UNAVAILABLE, "no answer")
        return TakenDown()


class StepsHouse(House):
    """Workers for a goal with many steps."""

    def __init__(self, client: Client, folder: Path, records: GrantRecords) -> None:
        super().__init__(client, folder)
        self.path.write_text(POLICY)
        self.ledger = records
        self.records = records  # pyright: ignore[reportAttributeAccessIssue] - the guard asks for no more
        self.wrecker = Wrecker()

    def goals_worker(
        self, *, checks: bool = True, interceptors: Sequence[Interceptor] = (), few: bool = False
    ) -> Worker:
        del checks
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=[TakeDownWorkflow, ApprovalWorkflow, ApprovalNoticeWorkflow],
            max_cached_workflows=0 if few else 1000,
            max_concurrent_workflow_tasks=2 if few else None,
            interceptors=[DecisionChecks(check), *interceptors],
        )

    @contextlib.asynccontextmanager
    async def destructive_worker(self) -> AsyncGenerator[None]:
        async with self.guard() as guard:
            steps = [
                self.wrecker.delete_branch,
                self.wrecker.delete_base,
                GivingUp(self.ledger).give_up_steps,
            ]
            worker = Worker(self.client, task_queue=TaskQueue.DESTRUCTIVE, activities=steps, interceptors=[guard])
            async with worker:
                yield
