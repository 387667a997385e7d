"""A whole way of an approval on the real server: goal, approval, guarded destructive worker, and a gateway's hand.

Only what lies outside is played: the people (who click through `Hand`) and the thing that is destroyed (`Remover`
counts). Policy, keys, signatures, guard, key ring and workflow sandbox are the real ones.
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Interceptor, Worker
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from pydantic import BaseModel, Field

    from activities.approvals.contracts import ResolvedRule
    from activities.approvals.rules import ApprovalRuleActivities
    from activities.guard.audit import AuditLog
    from activities.guard.current_attempt import AttemptsOnServer
    from activities.guard.error_types import denial_of
    from activities.guard.granted import GrantedRequest
    from activities.guard.grants import ClickCheck, SignedGrants
    from activities.guard.interceptor import GuardInterceptor
    from activities.guard.key_ring import KeyRing
    from activities.guard.policy_source import PolicySource
    from activities.guard.safeguards import Safeguards
    from activities.queues import TaskQueue
    from activities.step import DESTRUCTIVE_EFFECTS, Step, implements
    from activities.step_end import ApprovedAnswer
    from hitl.approval.decision import Decision, SignedDecision, Surface, Verdict
    from hitl.approval.grant import execution_expiry
    from hitl.approval.plan import Change, Plan, PlanParameters, Resource, Risk, plan_digest, read_plan
    from hitl.approval.sequence import AnyPlan
    from hitl.approval.stricter import Stricter
    from hitl.hidden import visible
    from hitl.policy.file import load_policy
    from hitl.policy.rules import approval_rule
    from hitl.protocol import Denial, Effect, Refusal
    from tests.activities.guard.attempts import Records
    from tests.workflows.shown import Messages
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.approval.contracts import (
        ApprovalRequest,
        ApprovalResult,
        ApprovalView,
        DecisionReceipt,
    )
    from workflows.approval.decision_checks import DecisionChecks
    from workflows.approval.messages import ApprovalNoticeWorkflow
    from workflows.approval.workflow import ApprovalWorkflow
    from workflows.contracts import DestructiveGoalInput, GoalResult, State
    from workflows.opinions.opinion import OpinionWorkflow

ACTION = "github.delete_branch"
PATIENCE = 30.0

POLICY = """\
people:
  alice: [slack:U0ALICE, github:alice]
  bob: [slack:U0BOB]
  carol: [slack:U0CAROL]
  dave: [slack:U0DAVE]
  erin: [slack:U0ERIN]
groups:
  release: [alice, bob, carol]
  leads: [dave]
  emergency: [dave, erin]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions: [{allow: github.delete_branch}]
    approvals:
      - action: github.delete_branch
        groups: [release]
        quorum: 2
        escalate: {group: leads, after: 1d}
        break_glass: {groups: [emergency]}
"""

Answer = TypeVar("Answer")


class BranchParameters(PlanParameters):
    repository: str
    branch: str


class Removed(ApprovedAnswer):
    branch: str


class RemoveInput(DestructiveGoalInput):
    """Remove one branch."""

    branch: str = "old"
    taken: int = 0
    """So many of the ids of its approvals are taken by somebody, right before."""
    tightening: Stricter | None = None
    """What the service's own file asks of the policy."""

    def business_key(self) -> str:
        return f"remove/{self.branch}"

    def summary(self) -> str:
        return f"Remove {self.branch}"


class RemoveResult(GoalResult):
    branch: str | None = None


REMOVE = Step(name=ACTION, request=GrantedRequest, response=Removed, effect=Effect.DESTRUCTIVE)


class Remover:
    """The destructive step, over something that only counts."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    @implements(REMOVE)
    async def remove(self, request: GrantedRequest) -> Removed:
        branch = read_plan(request.plan).parameters_as(BranchParameters).branch
        self.removed.append(branch)
        return Removed(branch=branch)


def make_plan(branch: str = "old") -> Plan:
    """As `DeleteBranch` does: the parameter as it is, and lines for people with what hides in it made visible."""
    return Plan(
        action=ACTION,
        parameters={"repository": "acme/shop", "branch": branch},
        resources=(Resource(kind="git branch", name=visible(branch), change=Change.DELETE),),
        summary=(f"Delete the branch {visible(branch)}",),
        risk=Risk.LOW,
    )


@workflow.defn(name="TestRemove")
class RemoveWorkflow(ApprovingGoal):
    """A goal as a release would have it."""

    @workflow.init
    def __init__(self, request: RemoveInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._taken = 0

    @workflow.run
    async def run(self, request: RemoveInput) -> RemoveResult:
        del request
        return await self.run_goal(
            self._remove(), denied=lambda reason: RemoveResult(outcome=State.DENIED, reason=reason)
        )

    async def _remove(self) -> RemoveResult:
        found = await self.approved_step(REMOVE, self._make, summary="Remove it", tightening=self._wanted.tightening)
        return RemoveResult(branch=found.branch)

    async def _make(self) -> Plan:
        return make_plan(self._wanted.branch)

    async def _answer(self, request: ApprovalRequest, plan: AnyPlan, approval: str) -> ApprovalResult:
        if self._taken < self._wanted.taken:
            self._taken += 1
            await workflow.start_child_workflow(
                "TestAsk", Ask(wait=True), id=approval, parent_close_policy=ParentClosePolicy.TERMINATE
            )
        return await super()._answer(request, plan, approval)


class Ask(BaseModel):
    """What a workflow of somebody's own does: ask as it likes, then run the step as it likes."""

    request: ApprovalRequest | None = None
    step_ids: list[str] = Field(default_factory=list)
    plan: str | None = None
    decisions: list[SignedDecision] | None = None
    most: int | None = Field(default=None, description="So many of the approval's decisions are handed on.")
    local: bool = False
    wait: bool = Field(default=False, description="For the signal `go`, before the step.")


class Asked(BaseModel):
    """What came of it."""

    approval: ApprovalResult | None = None
    removed: int = 0
    refusal: Denial | None = None


@workflow.defn(name="TestAsk")
class AskWorkflow:
    """Not one of ours: whoever reaches Temporal can run any workflow of their own."""

    def __init__(self) -> None:
        self._go = False
        self._looked = ""

    @workflow.signal
    def go(self) -> None:
        self._go = True

    @workflow.signal
    def approval_waits(self, approval: str) -> None:
        self._looked = approval

    @workflow.run
    async def run(self, order: Ask) -> Asked:
        asked = Asked()
        if order.request is not None:
            asked.approval = await workflow.execute_child_workflow(
                ApprovalWorkflow.run,
                order.request,
                id=f"approval/{workflow.info().workflow_id}/{workflow.uuid4()}",
                task_queue=TaskQueue.GOALS,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            )
        if order.wait:
            await workflow.wait_condition(lambda: self._go)
        given = list(asked.approval.decisions)[: order.most] if asked.approval else []
        decisions = given if order.decisions is None else order.decisions
        plan = order.plan or (order.request.plan if order.request else make_plan().text())
        for step_id in order.step_ids:
            asked.refusal = await self._remove(plan, decisions, step_id, local=order.local)
            asked.removed += asked.refusal is None
        return asked

    async def _remove(self, plan: str, decisions: list[SignedDecision], step_id: str, *, local: bool) -> Denial | None:
        request = GrantedRequest(plan=plan, decisions=tuple(decisions))
        limit = timedelta(seconds=20)
        try:
            if local:
                await workflow.execute_local_activity(
                    ACTION, request, activity_id=step_id, start_to_close_timeout=limit
                )
            else:
                await workflow.execute_activity(
                    ACTION,
                    request,
                    activity_id=step_id,
                    task_queue=TaskQueue.DESTRUCTIVE,
                    start_to_close_timeout=limit,
                )
        except (ActivityError, ApplicationError) as error:  # the server leaves the wrapping out for a local activity
            return denial_of(error.cause if isinstance(error, ActivityError) else error)
        return None


class House:
    """The workers, and the hand that signs as the gateway does."""

    def __init__(self, client: Client, folder: Path, *, requester: str = "slack:U0ERIN", action: str = ACTION) -> None:
        self.client = client
        self.folder = folder
        self.action = action
        self.path = folder / "policy.yaml"
        self.path.write_text(POLICY.replace(ACTION, action))
        self.cluster = "test-cluster"
        self.requester = requester
        self.versions = {1: Ed25519PrivateKey.generate()}
        self.keys = KeyRing(self._published)
        self.remover = Remover()
        self.records = Records()
        self.messages = Messages()
        self.ahead = timedelta()
        """How far the destructive worker's clock is ahead."""

    async def _published(self) -> Mapping[int, bytes]:
        return {
            version: key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            for version, key in self.versions.items()
        }

    @contextlib.asynccontextmanager
    async def workers(
        self,
        *,
        destructive: bool = True,
        gateway: bool = False,
        interceptors: Sequence[Interceptor] = (),
        few: bool = False,
    ) -> AsyncGenerator[None]:
        """Goals and connectors, and those that are wanted."""
        await self.keys.refresh()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.goals_worker(interceptors=interceptors, few=few))
            await stack.enter_async_context(self._connectors_worker())
            if destructive:
                await stack.enter_async_context(self.destructive_worker())
            if gateway:
                await stack.enter_async_context(self.gateway_worker())
            yield

    def goals_worker(
        self, *, checks: bool = True, interceptors: Sequence[Interceptor] = (), few: bool = False
    ) -> Worker:
        """With `few`, two workflows at a time, and none in memory between its turns: so it is with very many."""
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=[RemoveWorkflow, AskWorkflow, ApprovalWorkflow, ApprovalNoticeWorkflow, OpinionWorkflow],
            max_cached_workflows=0 if few else 1000,
            max_concurrent_workflow_tasks=2 if few else None,
            interceptors=[*([DecisionChecks(check)] if checks else []), *interceptors],
        )

    @contextlib.asynccontextmanager
    async def mixed_worker(self) -> AsyncGenerator[str]:
        """Workflows and the destructive step in one process, which we never have; on a queue of its own."""
        queue = f"mixed-{secrets.token_hex(4)}"
        async with self.guard() as guard:
            worker = Worker(
                self.client,
                task_queue=queue,
                workflows=[AskWorkflow],
                activities=[self.remover.remove],
                interceptors=[guard],
            )
            async with worker:
                yield queue

    def _connectors_worker(self) -> Worker:
        rules = ApprovalRuleActivities(PolicySource(self.path, environment="live"))
        return Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=[rules.resolve_rule])

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncGenerator[GuardInterceptor]:
        """The guard of the destructive worker."""
        audit = AuditLog(self.folder / "audit.jsonl")
        grants = SignedGrants(self.keys, cluster=self.cluster, clock=lambda: datetime.now(UTC) + self.ahead)
        policy = PolicySource(self.path, environment="live")
        try:
            attempts = AttemptsOnServer(self.client)
            safeguards = Safeguards(grants=grants, records=self.records, attempts=attempts)
            yield GuardInterceptor(
                policy, audit, role="destructive", effects=DESTRUCTIVE_EFFECTS, safeguards=safeguards
            )
        finally:
            audit.close()

    @contextlib.asynccontextmanager
    async def destructive_worker(self) -> AsyncGenerator[None]:
        async with self.guard() as guard:
            worker = Worker(
                self.client,
                task_queue=TaskQueue.DESTRUCTIVE,
                activities=[self.remover.remove],
                interceptors=[guard],
            )
            async with worker:
                yield

    @contextlib.asynccontextmanager
    async def gateway_worker(self) -> AsyncGenerator[None]:
        posts = Worker(self.client, task_queue=TaskQueue.POSTS, activities=[self.messages.post])
        async with posts, Worker(self.client, task_queue=TaskQueue.HITL, activities=[self.messages.update]):
            yield

    # What the gateway does.

    async def approval_of(self, goal: WorkflowHandle[Any, Any], *, after: int = 0) -> str:
        """The id of the goal's approval, once it waits; the one after so many earlier ones."""
        async with asyncio.timeout(PATIENCE):
            while True:
                history = await goal.fetch_history()
                children = (event.child_workflow_execution_started_event_attributes for event in history.events)
                started = [
                    child.workflow_execution.workflow_id for child in children if child.workflow_type.name == "Approval"
                ]
                if len(started) > after:
                    return started[after]
                await asyncio.sleep(0.05)

    async def decision(self, approval_id: str, person: str, /, **changes: object) -> Decision:
        """What the gateway would sign: ids as the server says them, the digest of the plan's own bytes."""
        handle = self.client.get_workflow_handle(approval_id)
        described = await handle.describe()
        view = await handle.query("view", result_type=ApprovalView)
        plan = await handle.query("plan", result_type=str)
        rule = approval_rule(load_policy(self.path), "live", action=self.action, path=view.path)
        assert not isinstance(rule, Refusal)
        fields: dict[str, object] = {
            "environment": "live",
            "cluster": self.cluster,
            "namespace": described.namespace,
            "workflow_id": described.parent_id,
            "run_id": described.parent_run_id,
            "action": self.action,
            "step_id": view.step_id,
            "plan_digest": plan_digest(plan),
            "rule_digest": rule.digest("live", self.action),
            "requester": self.requester,
            "person": person,
            "identity": f"slack:U0{person.upper()}",
            "surface": Surface.SLACK,
            "verdict": Verdict.APPROVE,
            "approval_id": approval_id,
            "approval_run_id": described.run_id,
            "decided_at": datetime.now(UTC),
            "expires_at": execution_expiry(described.start_time, rule),
            "nonce": secrets.token_hex(16),
        }
        return Decision.model_validate(fields | changes)

    def sign(self, decision: Decision) -> SignedDecision:
        version = max(self.versions)
        signature = base64.b64encode(self.versions[version].sign(decision.text().encode())).decode()
        return SignedDecision(text=decision.text(), signature=signature, key_version=version)

    async def decide(self, approval_id: str, person: str, /, **changes: object) -> DecisionReceipt:
        """One click."""
        return await self.send(approval_id, self.sign(await self.decision(approval_id, person, **changes)))

    async def send(self, approval_id: str, signed: SignedDecision) -> DecisionReceipt:
        """One update, sent again under its id when the server could not deliver it."""
        handle = self.client.get_workflow_handle(approval_id)
        click = f"click-{secrets.token_hex(8)}"
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await handle.execute_update("decide", signed, id=click, result_type=DecisionReceipt)
                except RPCError as error:
                    if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                        raise

    async def refused(self, sending: Awaitable[DecisionReceipt]) -> Denial:
        """That it was not counted, and why."""
        try:
            receipt = await sending
        except WorkflowUpdateFailedError as error:
            if (denial := denial_of(error.cause)) is not None:
                return denial
            raise
        raise AssertionError(f"it was counted: {receipt}")

    async def told(self, goal: WorkflowHandle[Any, Any]) -> list[str]:
        """What people were told of how this goal's step ended; what other tests left is told, too."""

        def ends() -> list[str]:
            return [one.ended for one in self.messages.updates if one.ended and one.view.goal == goal.id]

        async def ended() -> bool:
            return ends() != []

        await eventually(ended)
        return ends()

    async def view(self, approval_id: str) -> ApprovalView:
        return await self.client.get_workflow_handle(approval_id).query("view", result_type=ApprovalView)

    async def start(self, **changes: object) -> WorkflowHandle[Any, RemoveResult]:
        """A goal."""
        return await self._begin("TestRemove", RemoveInput.model_validate(changes), RemoveResult, TaskQueue.GOALS)

    async def ask(self, order: Ask, *, queue: str = TaskQueue.GOALS) -> WorkflowHandle[Any, Asked]:
        """A workflow of somebody's own."""
        return await self._begin("TestAsk", order, Asked, queue)

    async def _begin(self, name: str, given: object, result: type[Answer], queue: str) -> WorkflowHandle[Any, Answer]:
        return await self.client.start_workflow(
            name,
            given,
            id=f"{name.lower()}-{secrets.token_hex(4)}",
            task_queue=queue,
            result_type=result,
            execution_timeout=timedelta(minutes=2),
        )

    def resolved(self, **changes: object) -> ResolvedRule:
        """The rule as its step resolves it, with other times."""
        rule = approval_rule(load_policy(self.path), "live", action=self.action)
        assert not isinstance(rule, Refusal)
        return ResolvedRule.of(rule, environment="live", action=self.action).model_copy(update=changes)

    def request(self, branch: str = "old", *, step_id: str = f"{ACTION}/1", **rule: object) -> ApprovalRequest:
        return ApprovalRequest(plan=make_plan(branch).text(), step_id=step_id, rule=self.resolved(**rule))


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so, and less and less often: what is asked has to work for each answer."""
    pause = 0.05
    async with asyncio.timeout(PATIENCE):
        while not await check():
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 0.25)
