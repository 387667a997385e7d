"""The goal `DeleteNeonBranch` with its people: policy, keys, signatures and checks are real, its steps are scripted."""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.rules import ApprovalRuleActivities
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.leases.contracts import LeaseStanding
from activities.neon.contracts import (
    CHECK_BRANCH,
    DELETE_BRANCH,
    END_BRANCH,
    FORGET_CONNECTION,
    LOOK_AT_BRANCH,
    BranchEnded,
    ConnectionForgotten,
    ForgetConnectionRequest,
    LeasedBranch,
    LookAtNeonBranch,
    NeonBranchDeleted,
    NeonBranchSeen,
)
from activities.queues import TaskQueue
from tests.workflows.approval.approving import House
from tests.workflows.played import Played
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS
from workflows.neon.goals import DELETE_NEON_BRANCH, DeleteNeonBranchResult

SEEN: Final = NeonBranchSeen(id="br-1", name="old-idea", project_name="shop", parent="main", size=30_785_536)
MARKED: Final = SEEN.model_copy(update={"mark": "banksman-0123456789abcdef"})
GONE: Final = NeonBranchSeen(id=None, project_name="shop")
DELETED: Final = NeonBranchDeleted(id="br-1")

Run = WorkflowHandle[Any, DeleteNeonBranchResult]


class Scripted:
    """The steps; of each list the last answer stays."""

    def __init__(self, seen: Sequence[NeonBranchSeen], deleted: Sequence[NeonBranchDeleted | Exception]) -> None:
        self._seen, self._deleted = list(seen), list(deleted)
        self.looked: list[str] = []
        self.forgotten: list[str] = []
        self.forgets: Exception | None = None
        self.ended: list[str] = []

    @activity.defn(name=LOOK_AT_BRANCH.name)
    async def look(self, request: LookAtNeonBranch) -> NeonBranchSeen:
        self.looked.append(request.branch)
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]

    @activity.defn(name=FORGET_CONNECTION.name)
    async def forget(self, request: ForgetConnectionRequest) -> ConnectionForgotten:
        if self.forgets is not None:
            raise self.forgets
        self.forgotten.append(request.branch)
        return ConnectionForgotten(secret=f"banksman/neon/connections/{request.branch}")

    @activity.defn(name=END_BRANCH.name)
    async def end(self, request: LeasedBranch) -> BranchEnded:
        self.ended.append(request.mark)
        return BranchEnded()

    @activity.defn(name=CHECK_BRANCH.name)
    async def check(self, request: LeasedBranch) -> LeaseStanding:
        return LeaseStanding(there=request.mark not in self.ended)

    @activity.defn(name=DELETE_BRANCH.name)
    async def delete(self, request: object) -> NeonBranchDeleted:
        del request
        one = self._deleted.pop(0) if len(self._deleted) > 1 else self._deleted[0]
        if isinstance(one, Exception):
            raise one
        return one


@contextlib.asynccontextmanager
async def at_work(house: House, steps: Scripted) -> AsyncGenerator[None]:
    """A worker on each of the queues."""
    await house.keys.refresh()
    policy = PolicySource(house.path, environment="live")
    check = ClickCheck(house.keys, policy, cluster=house.cluster)
    goals = Worker(house.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=[DecisionChecks(check)])
    ordinary = [steps.look, steps.forget, steps.end, steps.check, ApprovalRuleActivities(policy).resolve_rule]
    connectors = Worker(house.client, task_queue=TaskQueue.CONNECTORS, activities=ordinary)
    destructive = Worker(house.client, task_queue=TaskQueue.DESTRUCTIVE, activities=[steps.delete])
    async with goals, connectors, destructive, house.gateway_worker():
        yield


async def start(client: Client, goal_id: str) -> Run:
    """The goal."""
    return await client.start_workflow(
        DELETE_NEON_BRANCH.name,
        DELETE_NEON_BRANCH.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=DeleteNeonBranchResult,
    )


async def approve(house: House, goal: Run) -> str:
    """Two people say yes; the approval's id."""
    approval = await house.approval_of(goal)
    await house.decide(approval, "alice")
    await house.decide(approval, "bob")
    return approval


@dataclass(frozen=True, kw_only=True)
class Approved(Played):
    """A run whose deletion people approve."""

    seen: tuple[NeonBranchSeen, ...] = (SEEN, GONE)

    async def run(self, client: Client) -> Run:
        """To its end."""
        with tempfile.TemporaryDirectory() as folder:
            house = House(client, Path(folder), action=DELETE_BRANCH.name)
            async with at_work(house, Scripted(self.seen, [DELETED])):
                goal = await start(client, f"{self.goal.name}/{self.name}")
                await approve(house, goal)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal
