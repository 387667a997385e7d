"""Plans of goals on the real server: real goals, binder, guard and signatures; people and GitHub are played."""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Interceptor, Worker

from activities.agent.binding import PlanBinding
from activities.agent.running import PlanGrants, UnaskedPlans
from activities.approvals.rules import ApprovalRuleActivities
from activities.github.contracts import DELETE_BRANCH, BranchDeleted, BranchSeen, DeleteBranchParameters
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from activities.step import implements
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, read_plan
from hitl.plan_language.catalogue import Catalogue
from tests.hitl.plan_language.planning import MOTTO, OPEN, delete, plan_of
from tests.workflows.approval.approving import House, eventually
from tests.workflows.scripted import SEEN, Steps
from workflows.agent.described import described
from workflows.agent.goals import RunPlanInput, RunPlanResult
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS

RUN: Final = "agent.run_plan"
DELETE: Final = "github.delete_branch"
POLICY: Final = """\
people:
  alice: [slack:U0ALICE, github:alice]
  bob: [slack:U0BOB]
  erin: [slack:U0ERIN]
groups:
  release: [alice, bob]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: github.delete_branch
      - allow: agent.run_plan
    approvals:
      - {action: github.delete_branch, groups: [release], quorum: 1}
      - {action: agent.run_plan, groups: [release], quorum: 1}
"""
UNASKED: Final = "      - {allow: agent.run_unasked, where: {resource: OpenPullRequest}}\n"
WRITES: Final = plan_of()
"""Reads a file, and opens a pull request with what is in it."""
DESTROYS: Final = plan_of(act=[OPEN, delete("old"), {**MOTTO, "id": "after"}])
"""The same, deletes a branch, and reads once more."""


class Deleting:
    """The step that destroys, over something that only counts."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    @implements(DELETE_BRANCH)
    async def delete_branch(self, request: GrantedRequest) -> BranchDeleted:
        parameters = request.approved().parameters_as(DeleteBranchParameters)
        self.deleted.append(parameters.branch)
        return BranchDeleted(head=parameters.expected_head)


class PlanHouse(House):
    """The House with every goal of the release."""

    def __init__(self, client: Client, folder: Path, *, unasked: bool = False, also: Sequence[type] = ()) -> None:
        super().__init__(client, folder, action=RUN)
        self.also, self.unasked = also, unasked
        self.path.write_text(POLICY.replace("    approvals:\n", f"{UNASKED}    approvals:\n") if unasked else POLICY)
        self.steps = Steps(seen=[SEEN, BranchSeen(head=None)])
        self.deleting = Deleting()
        self.catalogue: Catalogue = described()
        """Of the connectors worker; a test takes goals out of it."""

    def goals_worker(
        self, *, checks: bool = True, interceptors: Sequence[Interceptor] = (), few: bool = False
    ) -> Worker:
        del checks, few
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=[*WORKFLOWS, *self.also],
            interceptors=[DecisionChecks(check), *interceptors],
        )

    def _connectors_worker(self) -> Worker:
        policy, steps = PolicySource(self.path, environment="live"), self.steps
        ours = (
            ApprovalRuleActivities(policy).resolve_rule,
            PlanBinding(lambda: self.catalogue).bind_plan,
            UnaskedPlans(policy, lambda: self.catalogue).run_unasked,
        )
        github = (steps.read_file, steps.look_at_branch, steps.commit_files, steps.open_pull_request)
        return Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=[*ours, *github, steps.report_surprise])

    @contextlib.asynccontextmanager
    async def destructive_worker(self) -> AsyncGenerator[None]:
        async with self.guard() as guard:
            steps = [self.deleting.delete_branch, PlanGrants().run_plan]
            async with Worker(self.client, task_queue=TaskQueue.DESTRUCTIVE, activities=steps, interceptors=[guard]):
                yield

    async def run(
        self,
        plan: dict[str, JsonValue],
        *,
        lists: dict[str, tuple[str, ...]] | None = None,
        name: str = "",
        decisions: int | None = None,
        limited: bool = False,
    ) -> WorkflowHandle[Any, RunPlanResult]:
        return await self.client.start_workflow(
            "RunPlan",
            RunPlanInput(plan=plan, lists=lists or {}, decisions=decisions, limited=limited),
            id=name or f"run-plan-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=RunPlanResult,
            execution_timeout=timedelta(minutes=2),
        )

    async def click(
        self, goal: WorkflowHandle[Any, Any], action: str, verdict: Verdict = Verdict.APPROVE, *, after: int = 0
    ) -> Plan:
        """Alice decides on what this goal asks, the question after so many earlier ones; what she saw."""
        self.action = action
        await there(goal)
        approval = await self.approval_of(goal, after=after)
        shown = read_plan(await self.client.get_workflow_handle(approval).query("plan", result_type=str))
        await self.decide(approval, "alice", verdict=verdict)
        return shown

    def child(self, goal: WorkflowHandle[Any, Any], step: str) -> WorkflowHandle[Any, Any]:
        """The goal of one step."""
        return self.client.get_workflow_handle(f"{goal.id}/{step}")


async def there(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until it is."""
    await eventually(lambda: exists(handle))


async def exists(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether there is such a workflow."""
    try:
        await handle.describe()
    except RPCError:
        return False
    return True


def ends(result: RunPlanResult) -> list[tuple[str, str]]:
    """Each step with its outcome."""
    return [(one.id, str(one.outcome)) for one in result.steps]
