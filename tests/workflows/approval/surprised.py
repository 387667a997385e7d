"""A goal that writes something and then destroys something, on the House; what it writes is only counted."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

with workflow.unsafe.imports_passed_through():
    from activities.approvals.rules import ApprovalRuleActivities
    from activities.approvals.surprises import SurpriseGrants, SurpriseReports
    from activities.github.contracts import COMMENT, CommentRequest, ThingMade
    from activities.guard.grants import ClickCheck
    from activities.guard.policy_source import PolicySource
    from activities.queues import TaskQueue
    from activities.step import implements
    from hitl.approval.plan import Plan
    from tests.workflows.approval.approving import ACTION, POLICY, REMOVE, House, RemoveInput, RemoveResult, make_plan
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.approval.decision_checks import DecisionChecks
    from workflows.approval.messages import ApprovalNoticeWorkflow
    from workflows.approval.workflow import ApprovalWorkflow
    from workflows.contracts import State

ALLOW = "approval.allow_surprise"
_RULE = """\
      - action: approval.allow_surprise
        groups: [release]
        quorum: 2
"""


class SayAndRemoveInput(RemoveInput):
    """Say something on a pull request, and remove one branch."""

    on: tuple[int, ...] = (1,)
    side_by_side: bool = False


@workflow.defn(name="TestSayAndRemove")
class SayAndRemoveWorkflow(ApprovingGoal):
    @workflow.init
    def __init__(self, request: SayAndRemoveInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: SayAndRemoveInput) -> RemoveResult:
        del request
        return await self.run_goal(
            self._work(), denied=lambda reason: RemoveResult(outcome=State.DENIED, reason=reason)
        )

    async def _work(self) -> RemoveResult:
        if self._wanted.side_by_side:
            await asyncio.gather(*map(self._say, self._wanted.on))
        else:
            for number in self._wanted.on:
                await self._say(number)
        found = await self.approved_step(REMOVE, self._make, summary="Remove it")
        return RemoveResult(branch=found.branch)

    async def _say(self, number: int) -> None:
        said = CommentRequest(repository="acme/shop", number=number, text=f"at {workflow.now()}")
        await self.step(COMMENT, said, summary="Comment")

    async def _make(self) -> Plan:
        return make_plan(self._wanted.branch)


class Talker:
    """The step that writes."""

    def __init__(self) -> None:
        self.said: list[int] = []

    @implements(COMMENT)
    async def comment(self, request: CommentRequest) -> ThingMade:
        self.said.append(request.number)
        return ThingMade(id=len(self.said))


class SurprisedHouse(House):
    """The House with this goal; nobody may allow a surprise where it is told so."""

    def __init__(self, client: Client, folder: Path, *, allowed: bool = True) -> None:
        super().__init__(client, folder)
        self.talker = Talker()
        if allowed:
            actions = f"actions: [{{allow: {ACTION}}}, {{allow: {ALLOW}}}]"
            self.path.write_text(POLICY.replace(f"actions: [{{allow: {ACTION}}}]", actions) + _RULE)

    def goals_worker(
        self, *, checks: bool = True, interceptors: Sequence[Interceptor] = (), few: bool = False
    ) -> Worker:
        del checks, few
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=[SayAndRemoveWorkflow, ApprovalWorkflow, ApprovalNoticeWorkflow],
            interceptors=[DecisionChecks(check), *interceptors],
        )

    def _connectors_worker(self) -> Worker:
        rules = ApprovalRuleActivities(PolicySource(self.path, environment="live"))
        steps = [rules.resolve_rule, SurpriseReports().report_surprise, self.talker.comment]
        return Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=steps)

    @contextlib.asynccontextmanager
    async def destructive_worker(self) -> AsyncGenerator[None]:
        async with self.guard() as guard:
            steps = [self.remover.remove, SurpriseGrants().allow_surprise]
            async with Worker(self.client, task_queue=TaskQueue.DESTRUCTIVE, activities=steps, interceptors=[guard]):
                yield
