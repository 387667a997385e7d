"""The goal `MigrateDatabase` with its people: policy, keys, signatures and checks are real, its steps are scripted."""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.rules import ApprovalRuleActivities
from activities.github.contracts import FETCH_REPOSITORY, RepositoryFetched
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.leases.contracts import LeaseStanding
from activities.neon.contracts import (
    CHECK_BRANCH,
    CREATE_BRANCH,
    END_BRANCH,
    LOOK_AT_BRANCH,
    PROLONG_BRANCH,
    BranchEnded,
    BranchProlonged,
    CreateNeonBranchRequest,
    LookAtNeonBranch,
    NeonBranchCreated,
    NeonBranchSeen,
)
from activities.neon.logins.contracts import (
    CHECK_LOGIN,
    END_LOGIN,
    ISSUE_LOGIN,
    OPEN_DATABASE,
    SWEEP_LOGINS,
    DatabaseOpened,
    LoginEnded,
    LoginIssued,
    LoginsSwept,
)
from activities.neon.migrations.contracts import (
    COMPARE_SCHEMA,
    LOOK_AT_SCHEMA,
    MIGRATE_DATABASE,
    REHEARSE_MIGRATION,
    SEAL_LOGIN,
    DatabaseMigrated,
    LoginSealed,
    Ran,
    Rehearsed,
    SchemaCompared,
    SchemaSeen,
    TableLocked,
)
from activities.queues import TaskQueue
from activities.step import Step
from connectors.creation import mark
from tests.workflows.approval.approving import House
from tests.workflows.played import Played
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS
from workflows.neon.goals import MIGRATE_DATABASE_GOAL, MigrateDatabaseResult

BEFORE: Final = SchemaSeen(digest=f"sha256:{'b' * 64}")
AFTER: Final = SchemaSeen(digest=f"sha256:{'a' * 64}", tables=("public.schema_migrations",))
OTHER: Final = SchemaSeen(digest=f"sha256:{'c' * 64}")
COMMIT: Final = "c" * 40
_END: Final = datetime(2026, 12, 1, tzinfo=UTC)
RAN: Final = Ran(exit_code=0, ended="exit", seconds=1.5, stdout="migrating to 0002-totals\n")
FAILED: Final = Ran(exit_code=1, ended="exit", seconds=0.5, stderr="ERROR: division by zero\n")
REHEARSED: Final = Rehearsed(
    ran=RAN, looks=30, locks=(TableLocked(table="public.orders", mode="AccessExclusiveLock", seconds=1.25),)
)
COMPARED: Final = SchemaCompared(
    lines=("+    total_cents bigint DEFAULT 0 NOT NULL", "+CREATE INDEX orders_placed_at ON public.orders;"),
    digest=f"sha256:{'d' * 64}",
)
MIGRATED: Final = DatabaseMigrated(way="completed", ran=RAN, schema_now=AFTER.digest)


def way_back_seen(steps: "Scripted", request: BaseModel) -> NeonBranchSeen:
    """The branch that was made last, as whoever looks at it sees it."""
    made = steps.requests(CREATE_BRANCH)[-1]
    assert isinstance(made, CreateNeonBranchRequest)
    assert isinstance(request, LookAtNeonBranch)
    return NeonBranchSeen(
        id=request.branch,
        name=made.branch,
        parent="main",
        expires_at=made.expires_at,
        mark=mark(activity.info().workflow_id or "", made.part),
    )


USUAL: Final[Mapping[Step[Any, Any], Sequence[object]]] = {
    FETCH_REPOSITORY: [RepositoryFetched(commit=COMMIT, pack=f"sha256:{'e' * 64}", size=1)],
    LOOK_AT_BRANCH: [NeonBranchSeen(id="br-0", name="main", project_name="shop", default=True), way_back_seen],
    CREATE_BRANCH: [
        NeonBranchCreated(id="br-1", name="rehearsal", endpoint="ep-1"),
        NeonBranchCreated(id="br-2", name="before-cccccccccccc-back", endpoint="ep-2"),
    ],
    SWEEP_LOGINS: [LoginsSwept()],
    OPEN_DATABASE: [DatabaseOpened(host="ep-1.neon.tech", port=5432, database="shop")],
    ISSUE_LOGIN: [
        LoginIssued(
            secret="banksman/neon/logins/x", host="ep-1.neon.tech", port=5432, database="shop", role="v-migrate-x",
            expires_at=_END,
        )
    ],
    SEAL_LOGIN: [LoginSealed(secrets="sealed")],
    REHEARSE_MIGRATION: [REHEARSED],
    COMPARE_SCHEMA: [COMPARED],
    # On the copy before and after it; on the database once more, on the way back, and to verify it.
    LOOK_AT_SCHEMA: [BEFORE, AFTER, BEFORE, BEFORE, AFTER],
    END_LOGIN: [LoginEnded()],
    CHECK_LOGIN: [LeaseStanding(there=False)],
    END_BRANCH: [BranchEnded(ids=("br-1",))],
    CHECK_BRANCH: [LeaseStanding(there=False)],
    PROLONG_BRANCH: [BranchProlonged(until=_END)],
    MIGRATE_DATABASE: [MIGRATED],
}  # fmt: skip

Run = WorkflowHandle[Any, MigrateDatabaseResult]


@dataclass
class Scripted:
    """The steps; of each list the last answer stays. One that is a function is asked for its answer."""

    answers: Mapping[Step[Any, Any], Sequence[object]]
    asked: list[tuple[str, BaseModel]] = field(default_factory=list[tuple[str, BaseModel]])

    def names(self) -> list[str]:
        """Which were taken, in their order; those of leases are left out, for nobody says when theirs come."""
        leases = {one.name for one in (END_LOGIN, CHECK_LOGIN, END_BRANCH, CHECK_BRANCH, PROLONG_BRANCH)}
        return [name for name, _ in self.asked if name not in leases]

    def count(self, step: Step[Any, Any]) -> int:
        """How often one was taken."""
        return sum(name == step.name for name, _ in self.asked)

    def requests(self, step: Step[Any, Any]) -> list[BaseModel]:
        """What it was asked."""
        return [request for name, request in self.asked if name == step.name]

    def on(self, queue: TaskQueue) -> list[Callable[..., Awaitable[object]]]:
        """Those of one queue."""
        return [self._answering(step, list(said)) for step, said in self.answers.items() if step.queue is queue]

    def _answering(self, step: Step[Any, Any], said: list[object]) -> Callable[..., Awaitable[object]]:
        async def answer(request: BaseModel) -> object:
            self.asked.append((step.name, request))
            one = said.pop(0) if len(said) > 1 else said[0]
            if isinstance(one, Exception):
                raise one
            return one(self, request) if callable(one) else one

        answer.__annotations__ = {"request": step.request, "return": step.response}
        return activity.defn(name=step.name)(answer)


@contextlib.asynccontextmanager
async def at_work(house: House, steps: Scripted) -> AsyncGenerator[None]:
    """A worker on each of the queues."""
    await house.keys.refresh()
    policy = PolicySource(house.path, environment="live")
    check = ClickCheck(house.keys, policy, cluster=house.cluster)
    rules = ApprovalRuleActivities(policy).resolve_rule
    workers = [
        Worker(house.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=[DecisionChecks(check)]),
        Worker(
            house.client,
            task_queue=TaskQueue.CONNECTORS,
            activities=[*steps.on(TaskQueue.CONNECTORS), rules],
        ),
        Worker(house.client, task_queue=TaskQueue.SANDBOX, activities=steps.on(TaskQueue.SANDBOX)),
        Worker(house.client, task_queue=TaskQueue.DESTRUCTIVE, activities=steps.on(TaskQueue.DESTRUCTIVE)),
        house.gateway_worker(),
    ]
    async with contextlib.AsyncExitStack() as running:
        for worker in workers:
            await running.enter_async_context(worker)
        yield


async def start(client: Client, goal_id: str) -> Run:
    """The goal."""
    return await client.start_workflow(
        MIGRATE_DATABASE_GOAL.name,
        MIGRATE_DATABASE_GOAL.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=MigrateDatabaseResult,
    )


async def approve(house: House, goal: Run) -> str:
    """Two people say yes; the approval's id."""
    approval = await house.approval_of(goal)
    await house.decide(approval, "alice")
    await house.decide(approval, "bob")
    return approval


@dataclass(frozen=True, kw_only=True)
class Migrating(Played):
    """A run with people, who approve where they are asked."""

    asks: bool = True

    async def run(self, client: Client) -> Run:
        """To its end."""
        with tempfile.TemporaryDirectory() as folder:
            house = House(client, Path(folder), action=MIGRATE_DATABASE.name)
            async with at_work(house, Scripted({**USUAL, **self.answers})):
                goal = await start(client, f"{self.goal.name}/{self.name}")
                if self.asks:
                    await approve(house, goal)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal
