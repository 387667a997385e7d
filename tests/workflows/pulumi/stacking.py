"""Goals on stacks on the real server: approvals, keys and checks are the real ones, the steps are scripted."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.contracts import ResolvedRule, ResolveRule
from activities.github.contracts import FetchRepositoryRequest, RepositoryFetched
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.pulumi.contracts import (
    Deployment,
    DriftLook,
    DriftSeen,
    LockSeen,
    OutputsLook,
    PreparedStack,
    PrepareStackRequest,
    PreviewRequest,
    RestoreLook,
    SealCredentialsRequest,
    SealedCredentials,
    StackChanged,
    StackHistory,
    StackLook,
    StackOutputs,
    StackPreviewed,
    StackRestored,
    StackUnlocked,
)
from activities.queues import TaskQueue
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.outcome import Ended, ResourceChange, UpOutcome
from hitl.approval.plan import Change, Plan, Resource, Risk
from tests.workflows.approval.approving import House
from tests.workflows.approval.telling import Teller
from tests.workflows.scripted import FETCHED, next_answer
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS
from workflows.pulumi.drift_contracts import TELL_DRIFT, TellDrift, ToldDrift
from workflows.pulumi.goals import (
    DestroyStackInput,
    DetectDriftInput,
    InspectStackInput,
    PreviewAndUpInput,
    RestoreStateInput,
    UnlockStackInput,
)

ACTIONS = ("pulumi.update_stack", "pulumi.destroy_stack", "pulumi.unlock_stack", "pulumi.restore_state")
DIGEST = f"sha256:{'a' * 64}"
KEPT = f"sha256:{'b' * 64}"
URN = "urn:pulumi:dev::infra::banksman:postgres:Database::shop"
PREPARED = PreparedStack(project="infra", commit=FETCHED.commit, prepared=DIGEST)
UP = PreviewAndUpInput(repository="acme/infra", stack="dev")
DESTROY = DestroyStackInput(repository="acme/infra", stack="dev")
UNLOCK = UnlockStackInput(repository="acme/infra", stack="dev")
RESTORE = RestoreStateInput(repository="acme/infra", stack="dev", exported=KEPT)
DRIFT = DetectDriftInput(repository="acme/infra", stack="dev")
INSPECT = InspectStackInput(repository="acme/infra", stack="dev")
NO_DRIFT = DriftSeen(state="0" * 64, looked_at=2, missing=0)
DRIFTED = DriftSeen(
    state="0" * 64, report=DIGEST, fingerprints=("sha256:one",), lines=("shop: comment",), new=("shop: comment",)
)


RESTORED = StackRestored(ended=Ended.APPLIED, state="1" * 64, exported=KEPT, replaced=DIGEST)
PUT_BACK = StackOutputs(state=RESTORED.state, exported=KEPT)


def plan(action: str = ACTIONS[0], *, name: str = "shop") -> str:
    made = Plan(
        action=action,
        parameters={"repository": "acme/infra", "stack": "dev", "restored": RESTORED.state},
        resources=(Resource(kind="banksman:postgres:Database", name=name, change=Change.CREATE),),
        summary=("infra/dev: 1 to create",),
        risk=Risk.LOW,
    )
    return made.text()


PREVIEWED = StackPreviewed(state="0" * 64, plan=plan(), whole_plan=DIGEST, headline="1 to create")
NOTHING = StackPreviewed(state="0" * 64, headline="nothing to do")
APPLIED = StackChanged(
    outcome=UpOutcome(
        ended=Ended.APPLIED, done=(ResourceChange(urn=URN, change=ChangeKind.CREATE),), outputs_recorded=True
    ),
    outputs={"database": "shop"},
)
HISTORY = StackHistory(
    deployments=(
        Deployment(version=2, kind="update", result="succeeded"),
        Deployment(version=1, kind="update", result="succeeded", commit="1" * 40),
    )
)


@dataclass
class Stack:
    """What each step answers, in order; the last answer stays. `asked` has the requests by the step's name."""

    fetched: list[RepositoryFetched | Exception] = field(default_factory=lambda: [FETCHED])
    prepared: list[PreparedStack | Exception] = field(default_factory=lambda: [PREPARED])
    refreshed: list[DriftSeen | Exception] = field(default_factory=lambda: [NO_DRIFT])
    previewed: list[StackPreviewed | Exception] = field(default_factory=lambda: [PREVIEWED])
    drift: list[DriftSeen | Exception] = field(default_factory=lambda: [NO_DRIFT])
    history: list[StackHistory | Exception] = field(default_factory=lambda: [HISTORY])
    lock: list[LockSeen | Exception] = field(default_factory=lambda: [LockSeen(owners=("run-1",)), LockSeen()])
    changed: list[StackChanged | Exception] = field(default_factory=lambda: [APPLIED])
    unlocked: list[StackUnlocked | Exception] = field(
        default_factory=lambda: [StackUnlocked(released=True, owners=("run-1",))]
    )
    restored: list[StackRestored | Exception] = field(default_factory=lambda: [RESTORED])
    told: list[ToldDrift | Exception] = field(default_factory=lambda: [ToldDrift(channel="C0OPS", ts="1.0")])
    rules: list[ResolvedRule | Exception] = field(default_factory=list[ResolvedRule | Exception])
    outputs: list[StackOutputs | Exception] = field(
        default_factory=lambda: [
            StackOutputs(state="0" * 64, exported=DIGEST, outputs={"database": "shop"}, otherwise=0)
        ]
    )
    stopped: StackChanged | None = None
    """What an update says of itself that goes on until it is cancelled."""
    asked: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    seals: int = 0

    def names(self) -> list[str]:
        """The steps that ran, in order."""
        return [name for name, _ in self.asked]

    def of(self, name: str) -> list[Any]:
        """What one step was asked."""
        return [request for one, request in self.asked if one == name]

    @activity.defn(name="github.fetch_repository")
    async def fetch(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        self.asked.append(("fetch", request))
        return next_answer(self.fetched)

    @activity.defn(name="approval.resolve_rule")
    async def rule(self, request: ResolveRule) -> ResolvedRule:
        return next_answer(self.rules)

    @activity.defn(name="pulumi.seal_credentials")
    async def seal(self, request: SealCredentialsRequest) -> SealedCredentials:
        self.seals += 1
        return SealedCredentials(secrets=f"sealed-{self.seals}")

    @activity.defn(name="pulumi.prepare_stack")
    async def prepare(self, request: PrepareStackRequest) -> PreparedStack:
        self.asked.append(("prepare", request))
        return next_answer(self.prepared).model_copy(update={"commit": request.source.commit})

    @activity.defn(name="pulumi.refresh_stack")
    async def refresh(self, request: StackLook) -> DriftSeen:
        self.asked.append(("refresh", request))
        return next_answer(self.refreshed)

    @activity.defn(name="pulumi.preview_stack")
    async def preview(self, request: PreviewRequest) -> StackPreviewed:
        self.asked.append(("preview", request))
        return next_answer(self.previewed)

    @activity.defn(name="pulumi.preview_destroy")
    async def preview_destroy(self, request: PreviewRequest) -> StackPreviewed:
        self.asked.append(("preview", request))
        return next_answer(self.previewed)

    @activity.defn(name="pulumi.preview_restore")
    async def preview_restore(self, request: RestoreLook) -> StackPreviewed:
        self.asked.append(("compare", request))
        return next_answer(self.previewed)

    @activity.defn(name="pulumi.detect_drift")
    async def detect(self, request: DriftLook) -> DriftSeen:
        self.asked.append(("drift", request))
        return next_answer(self.drift)

    @activity.defn(name="pulumi.read_history")
    async def read_history(self, request: StackLook) -> StackHistory:
        return next_answer(self.history)

    @activity.defn(name="pulumi.read_outputs")
    async def read_outputs(self, request: OutputsLook) -> StackOutputs:
        self.asked.append(("outputs", request))
        return next_answer(self.outputs)

    @activity.defn(name="pulumi.look_at_lock")
    async def look_at_lock(self, request: StackLook) -> LockSeen:
        return next_answer(self.lock)

    @activity.defn(name="pulumi.update_stack")
    async def update(self, request: GrantedRequest) -> StackChanged:
        self.asked.append(("update", request))
        if self.stopped is None:
            return next_answer(self.changed)
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            return self.stopped

    @activity.defn(name="pulumi.destroy_stack")
    async def destroy(self, request: GrantedRequest) -> StackChanged:
        self.asked.append(("destroy", request))
        return next_answer(self.changed)

    @activity.defn(name="pulumi.restore_state")
    async def restore(self, request: GrantedRequest) -> StackRestored:
        self.asked.append(("restore", request))
        return next_answer(self.restored)

    @activity.defn(name="pulumi.unlock_stack")
    async def unlock(self, request: GrantedRequest) -> StackUnlocked:
        self.asked.append(("unlock", request))
        return next_answer(self.unlocked)

    @activity.defn(name=TELL_DRIFT.name)
    async def tell(self, request: TellDrift) -> ToldDrift:
        self.asked.append(("tell", request))
        return next_answer(self.told)


class StackSessions(House):
    """Goals on stacks: each click counts, and what was clicked on is carried out by a script."""

    def __init__(self, client: Client, folder: Path, stack: Stack, *, action: str = ACTIONS[0]) -> None:
        super().__init__(client, folder, action=action)
        self.stack = stack
        stack.rules = stack.rules or [self.resolved()]

    @contextlib.asynccontextmanager
    async def at_work(self, *, destructive: bool = True, teller: Teller | None = None) -> AsyncGenerator[None]:
        """A worker on each of the queues, or on all but the one where things are changed."""
        await self.keys.refresh()
        stack, client = self.stack, self.client
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        goals = Worker(
            client,
            task_queue=TaskQueue.GOALS,
            workflows=WORKFLOWS,
            interceptors=[DecisionChecks(check)],
        )
        connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=[stack.fetch, stack.rule, stack.seal])
        looks = [stack.prepare, stack.refresh, stack.preview, stack.preview_destroy, stack.detect]
        looks += [stack.read_history, stack.look_at_lock, stack.read_outputs, stack.preview_restore]
        sandbox = Worker(client, task_queue=TaskQueue.SANDBOX, activities=looks)
        changes = [stack.update, stack.destroy, stack.unlock, stack.restore]
        # Not made where it is not wanted: a worker has its queue for itself from the moment it is made.
        changing = (
            Worker(client, task_queue=TaskQueue.DESTRUCTIVE, activities=changes)
            if destructive
            else contextlib.nullcontext()
        )
        tell = (teller or Teller()).tell
        gateway = Worker(client, task_queue=TaskQueue.HITL, activities=[stack.tell, self.messages.update, tell])
        posts = Worker(client, task_queue=TaskQueue.POSTS, activities=[self.messages.post, tell])
        async with goals, connectors, sandbox, changing, gateway, posts:
            yield

    async def approved(self, goal: WorkflowHandle[Any, Any], *, after: int = 0) -> None:
        """Two people say yes."""
        approval = await self.approval_of(goal, after=after)
        await self.decide(approval, "alice")
        await self.decide(approval, "bob")
