"""The goal `PublishFlow` where it deletes data: approvals, keys and checks are real, the steps are scripted."""

import contextlib
import secrets
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.contracts import ResolvedRule, ResolveRule
from activities.estuary.contracts import (
    DELETE_FLOW,
    LOOK_AT_FLOW,
    TRY_FLOW,
    FlowPublished,
    FlowSeen,
    FlowTried,
    LookAtFlowRequest,
    TryFlowRequest,
)
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from tests.workflows.approval.approving import House
from tests.workflows.approval.telling import Teller
from tests.workflows.estuary.answers import ARCHIVE, CREATED, DELETED, LIVE, PUBLISHED
from tests.workflows.played import Played
from tests.workflows.scripted import next_answer
from workflows.approval.decision_checks import DecisionChecks
from workflows.estuary.goals import PUBLISH_FLOW, PublishFlowInput, PublishFlowResult
from workflows.implementations import WORKFLOWS

EXAMPLE: Final = PublishFlowInput.model_validate(PUBLISH_FLOW.example.model_dump())
BOTH: Final = PublishFlowInput(specs=EXAMPLE.specs, delete=(ARCHIVE,))
"""Something to publish and something to delete."""


class Flows(House):
    """The workers, and people who decide."""

    def __init__(self, client: Client, folder: Path) -> None:
        super().__init__(client, folder, action=DELETE_FLOW.name)
        both = FlowTried(changes=(CREATED, DELETED))
        self.tried: list[FlowTried | Exception] = [both]
        self.seen: list[FlowSeen | Exception] = [LIVE]
        self.deleted: list[FlowPublished | Exception] = [PUBLISHED]
        self.asked: list[str] = []
        self.plans: list[str] = []

    @activity.defn(name="approval.resolve_rule")
    async def rule(self, request: ResolveRule) -> ResolvedRule:
        return self.resolved()

    @activity.defn(name=TRY_FLOW.name)
    async def try_flow(self, request: TryFlowRequest) -> FlowTried:
        self.asked.append("try")
        return next_answer(self.tried)

    @activity.defn(name=LOOK_AT_FLOW.name)
    async def look(self, request: LookAtFlowRequest) -> FlowSeen:
        self.asked.append("look")
        return next_answer(self.seen)

    @activity.defn(name=DELETE_FLOW.name)
    async def delete(self, request: GrantedRequest) -> FlowPublished:
        self.asked.append("delete")
        self.plans.append(request.plan)
        return next_answer(self.deleted)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """A worker on each of the queues."""
        await self.keys.refresh()
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        tell = Teller().tell
        by_queue: Sequence[tuple[TaskQueue, list[Any]]] = (
            (TaskQueue.CONNECTORS, [self.rule, self.try_flow, self.look]),
            (TaskQueue.DESTRUCTIVE, [self.delete]),
            (TaskQueue.HITL, [self.messages.update, tell]),
            (TaskQueue.POSTS, [self.messages.post, tell]),
        )
        async with contextlib.AsyncExitStack() as running:
            goals = Worker(
                self.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=[DecisionChecks(check)]
            )
            await running.enter_async_context(goals)
            for queue, steps in by_queue:
                await running.enter_async_context(Worker(self.client, task_queue=queue, activities=steps))
            yield

    async def begin(
        self, request: PublishFlowInput = BOTH, *, goal_id: str = ""
    ) -> WorkflowHandle[Any, PublishFlowResult]:
        return await self.client.start_workflow(
            PUBLISH_FLOW.name,
            request,
            id=goal_id or f"publish-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=PublishFlowResult,
        )

    async def approved(self, goal: WorkflowHandle[Any, Any], *, after: int = 0) -> None:
        approval = await self.approval_of(goal, after=after)
        for person in ("alice", "bob"):
            await self.decide(approval, person)


@dataclass(frozen=True, kw_only=True)
class Approved(Played):
    """A run that people approve."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        """To its end."""
        with tempfile.TemporaryDirectory() as folder:
            flows = Flows(client, Path(folder))
            async with flows.at_work():
                goal = await flows.begin(goal_id=f"{self.goal.name}/{self.name}")
                await flows.approved(goal)
                await goal.result()
        return goal
