"""A deployment on the real server: approvals, keys, guard and its ledger are the real ones, the systems are played."""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.contracts import RESOLVE_RULE, ResolvedRule, ResolveRule
from activities.approvals.giving_up import GivingUp
from activities.approvals.rules import ApprovalRuleActivities
from activities.approvals.waiving_contracts import SnapshotWaived, WaiveSnapshot
from activities.github.contracts import (
    MERGE_PULL_REQUEST,
    CheckRunRequest,
    CommentRequest,
    FetchRepositoryRequest,
    FileRead,
    LookAtPullRequestRequest,
    MergePullRequestParameters,
    PullRequestLook,
    PullRequestMerged,
    PullRequestSeen,
    ReadFileRequest,
    RepositoryFetched,
    ThingMade,
)
from activities.guard.current_attempt import Use, current_attempt
from activities.guard.error_types import ErrorType, application_error
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.pulumi.contracts import (
    UPDATE_STACK,
    Deployment,
    DriftLook,
    DriftSeen,
    OutputsLook,
    PreparedStack,
    PrepareStackRequest,
    PreviewRequest,
    SealCredentialsRequest,
    SealedCredentials,
    StackChanged,
    StackHistory,
    StackLook,
    StackOutputs,
    StackPreviewed,
)
from activities.queues import TaskQueue
from activities.sandbox.contracts import CommandRun, RunCommandRequest
from activities.step import implements
from activities.verify.contracts import CheckPageRequest, MetricSeen, PageChecked, QueryMetricRequest
from connectors.pulumi.outcome import Ended, UpOutcome
from hitl.approval.decision import Decision
from hitl.approval.grant import execution_expiry
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
from hitl.approval.sequence import SEQUENCE, SequencePlan, read_any_plan
from hitl.approval.together import RulesTogether, covered
from hitl.policy.file import load_policy
from hitl.policy.together import rule_for
from tests.workflows.approval.approving import House, eventually
from tests.workflows.approval.telling import Teller
from tests.workflows.deploy_feature.database import PROJECT, Database
from tests.workflows.deploy_feature.sellers import Sellers
from tests.workflows.scripted import RAN
from workflows.approval.decision_checks import DecisionChecks
from workflows.deploy_feature.goals import DeployNewFeatureInput, DeployNewFeatureResult, DeployStatus, StepTold
from workflows.implementations import WORKFLOWS
from workflows.manifest.manifest import FILE_NAME

DIGEST = f"sha256:{'a' * 64}"
HEAD, NEWER, BEFORE = "c" * 40, "d" * 40, "b" * 40
POLICY = """\
people:
  alice: [slack:U0ALICE]
  bob: [slack:U0BOB]
  carol: [slack:U0CAROL]
  erin: [slack:U0ERIN]
groups:
  release: [alice, bob, carol]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: pulumi.update_stack
      - allow: github.merge_pull_request
      - allow: neon.migrate_database
    approvals:
      - {action: pulumi.update_stack, groups: [release], quorum: 2}
      - {action: github.merge_pull_request, groups: [release], quorum: 1}
      - {action: neon.migrate_database, groups: [release], quorum: 2}
"""
MANIFEST = """\
version: 1
service: {name: shop-web, owner: {team: web}}
test: {command: [make, test], directory: web}
pulumi:
  directory: infra
  stacks: {staging: staging, production: live}
verify:
  within: 5s
  output: url
  http:
    - {path: /healthz, every: 1s, for: 1s}
rollback: {infrastructure: previous}
"""
NEEDS = f"needs: {{neon: [{{name: orders, project: {PROJECT}, database: orders, hours: 2, max_cu: 1}}]}}\n"
MIGRATES = f"{MANIFEST}{NEEDS}migrate: {{command: [python3, migrate.py], directory: db, limits: {{time: 5m}}}}\n"
GOES_DOWN = MIGRATES.replace(
    "rollback: {infrastructure: previous}",
    "rollback: {infrastructure: previous, schema: down, down: {command: [python3, down.py]}}",
)
PULL = PullRequestSeen(
    number=7,
    url="https://github.example/acme/shop/pull/7",
    state="open",
    title="A cart",
    author="alice",
    draft=False,
    head=HEAD,
    head_branch="feature/cart",
    base="main",
    base_commit="e" * 40,
    mergeable=True,
)
UP = PageChecked(healthy=True, milliseconds=1)
DOWN = PageChecked(healthy=False, why="it answered 503", status=503, milliseconds=1)
WANTED = DeployNewFeatureInput(repository="acme/shop", branch="feature/cart")
Goal = WorkflowHandle[Any, DeployNewFeatureResult]
Found = UpOutcome | Exception


class World:
    """What is outside: a repository, two stacks, pages. `done` has what was done to it, in order.

    Attributes:
        unchanged: Stacks that are already as the commit wants.
        states: The identity of each stack's state.
        drifted: What stands otherwise than a stack's state says; a plan that is made then is made on that.
        updates: How the next updates end; each is applied when there is nothing here.
        pages: What the next looks at a page say; the last one stays.
        back: The same of a stack that was taken back to the commit before.
        losses: Whether a plan destroys what holds data.
        waives: Whether the policy lets that be without a snapshot.
        base: The manifest of the base; the feature's own when None.
    """

    def __init__(self, repository: str = "acme/shop", *, url: str = "https://{stack}.example.com") -> None:
        self.repository = repository
        self.project = "infra"
        self.url = url
        self.manifest = MANIFEST
        self.manifests: dict[str, str] = {}
        """Of other commits."""
        self.files: dict[tuple[str, str | None], str] = {}
        """Others than the manifest, by path and ref."""
        self.head = HEAD
        self.pull: PullRequestSeen | None = PULL
        self.ran: list[CommandRun] = [RAN]
        self.unchanged: set[str] = set()
        self.states = {"staging": "1" * 64, "live": "2" * 64}
        self.drifted: dict[str, tuple[str, ...]] = {}
        self.history: tuple[Deployment, ...] = (
            Deployment(version=4, kind="update", result="succeeded", commit=BEFORE),
        )
        self.updates: list[Found] = []
        self.previews: dict[str, Exception] = {}
        self.pages: list[PageChecked] = [PageChecked(healthy=True, milliseconds=1)]
        self.back: list[PageChecked] = [PageChecked(healthy=True, milliseconds=1)]
        self.numbers: list[MetricSeen] = [MetricSeen(value=0.0)]
        self.merging: list[Exception] = []
        self.silent: set[str] = set()
        """What GitHub does not let us write: `check` or `comment`."""
        self.losses, self.waives = False, True
        self.base: str | None = None
        self.database = Database()
        self.sellers = Sellers()
        self.done: list[str] = []
        self.checks: list[CheckRunRequest] = []
        self.comments: list[CommentRequest] = []
        self.commands: list[RunCommandRequest] = []
        self.urls: list[str] = []
        self.holds_at = ""
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def hold(self, name: str) -> None:
        """Here the test stops the world, where it wants to."""
        if name == self.holds_at:
            self.holds_at = ""
            self.reached.set()
            await self.opened.wait()

    @activity.defn(name="github.fetch_repository")
    async def fetch(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        ref = request.ref or ""
        is_commit = len(ref) == len(HEAD) and "/" not in ref
        return RepositoryFetched(commit=ref if is_commit else self.head, pack=DIGEST, size=1)

    @activity.defn(name="github.look_at_pull_request")
    async def look(self, request: LookAtPullRequestRequest) -> PullRequestLook:
        found = self.pull
        if found is not None and found.state == "open":
            found = found.model_copy(update={"head": self.head})
        return PullRequestLook(found=None if found and request.branch and found.state != "open" else found)

    @activity.defn(name="github.read_file")
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        of_base = self.base is not None and request.ref in {None, "main"}
        text = str(self.base) if of_base else self.manifests.get(str(request.ref), self.manifest)
        if request.path != FILE_NAME:
            text = self.files.get((request.path, request.ref), "")
        if not text:
            raise application_error(ErrorType.NOT_FOUND, "there is no such file")
        blob = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 - as git names what it keeps
        return FileRead(commit=str(request.ref), blob=blob, size=len(text), encoding="utf-8", content=text)

    @activity.defn(name="approval.waive_snapshot")
    async def waive(self, request: WaiveSnapshot) -> SnapshotWaived:
        if not self.waives:
            raise application_error(ErrorType.POLICY_DENIED, "no rule allows it")
        return SnapshotWaived()

    @activity.defn(name="github.check_run")
    async def check(self, request: CheckRunRequest) -> ThingMade:
        if "check" in self.silent:
            raise application_error(ErrorType.AUTH_DENIED, "GitHub refuses our token")
        self.checks.append(request)
        return ThingMade(id=len(self.checks))

    @activity.defn(name="github.comment")
    async def comment(self, request: CommentRequest) -> ThingMade:
        if "comment" in self.silent:
            raise application_error(ErrorType.AUTH_DENIED, "GitHub refuses our token")
        self.comments.append(request)
        return ThingMade(id=1)

    @activity.defn(name="sandbox.run_command")
    async def run_command(self, request: RunCommandRequest) -> CommandRun:
        self.commands.append(request)
        await self.hold("tests")
        return self.ran.pop(0) if len(self.ran) > 1 else self.ran[0]

    @activity.defn(name="pulumi.seal_credentials")
    async def seal(self, request: SealCredentialsRequest) -> SealedCredentials:
        return SealedCredentials(secrets=f"sealed-{request.place.stack}")

    @activity.defn(name="pulumi.prepare_stack")
    async def prepare(self, request: PrepareStackRequest) -> PreparedStack:
        return PreparedStack(project=self.project, commit=request.source.commit, prepared=DIGEST)

    @activity.defn(name="pulumi.refresh_stack")
    async def refresh(self, request: StackLook) -> DriftSeen:
        stack = request.place.stack
        return DriftSeen(state=self.states[stack], looked_at=1, fingerprints=self.drifted.get(stack, ()))

    @activity.defn(name="pulumi.preview_stack")
    async def preview(self, request: PreviewRequest) -> StackPreviewed:
        stack, commit = request.place.stack, request.prepared.commit
        await self.hold(f"preview {stack}")
        if (error := self.previews.get(commit)) is not None:
            raise error
        seen = StackPreviewed(state=self.states[stack], exported=DIGEST, headline="1 to update")
        if stack in self.unchanged:
            return seen.model_copy(update={"headline": "nothing to do"})
        plan = Plan(
            action=UPDATE_STACK.name,
            parameters={
                "repository": self.repository,
                "stack": stack,
                "commit": commit,
                "state": self.states[stack],
            },
            resources=(Resource(kind="container", name=f"web-{stack}", change=Change.UPDATE),),
            summary=(f"infra/{stack}: 1 to update",),
            risk=Risk.HIGH if self.losses else Risk.LOW,
            cost=Cost(usd_cents=500, per="month"),
        )
        return seen.model_copy(update={"plan": plan.text(), "whole_plan": DIGEST})

    @activity.defn(name="pulumi.read_history")
    async def read_history(self, request: StackLook) -> StackHistory:
        return StackHistory(deployments=self.history)

    @activity.defn(name="pulumi.read_outputs")
    async def outputs(self, request: OutputsLook) -> StackOutputs:
        stack = request.place.stack
        url = {"url": self.url.format(stack=stack)}
        return StackOutputs(state=self.states[stack], exported=DIGEST, outputs=url, otherwise=0)

    @activity.defn(name="pulumi.detect_drift")
    async def detect(self, request: DriftLook) -> DriftSeen:
        stack = request.place.stack
        seen = DriftSeen(state=self.states[stack], looked_at=1, missing=0)
        lines = self.drifted.get(stack, ())
        return seen.model_copy(update={"fingerprints": lines, "lines": lines, "new": lines})

    @activity.defn(name="verify.check_page")
    async def page(self, request: CheckPageRequest) -> PageChecked:
        self.urls.append(request.url)
        await self.hold("page")
        stack = request.url.removeprefix("https://").split(".")[0]
        pages = self.back if f"{stack} {BEFORE[0]}" in self.done else self.pages
        return pages.pop(0) if len(pages) > 1 else pages[0]

    @activity.defn(name="verify.query_metric")
    async def number(self, request: QueryMetricRequest) -> MetricSeen:
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]

    @implements(UPDATE_STACK)
    async def update(self, request: GrantedRequest) -> StackChanged:
        asked = request.approved().parameters
        stack, commit = str(asked["stack"]), str(asked["commit"])
        await self.hold(f"update {stack}")
        told = {"url": self.url.format(stack=stack)}
        if current_attempt().use is Use.RETRY and self.states[stack] != asked["state"]:
            # As the real step: what a lost attempt did is read from the state, and not done again.
            return StackChanged(outcome=UpOutcome(ended=Ended.APPLIED, outputs_recorded=True), outputs=told)
        found = self.updates.pop(0) if self.updates else UpOutcome(ended=Ended.APPLIED, outputs_recorded=True)
        if isinstance(found, Exception):
            raise found
        if found.ended is not Ended.REFUSED:
            self.done.append(f"{stack} {commit[0]}")
            self.states[stack] = secrets.token_hex(32)
        return StackChanged(outcome=found, outputs=told)

    @implements(MERGE_PULL_REQUEST)
    async def merge(self, request: GrantedRequest) -> PullRequestMerged:
        wanted = request.approved().parameters_as(MergePullRequestParameters)
        await self.hold("merge")
        if self.merging:
            raise self.merging.pop(0)
        assert self.pull is not None
        self.done.append(f"merge {wanted.expected_head[0]}")
        self.pull = self.pull.model_copy(update={"state": "merged", "head": wanted.expected_head})
        return PullRequestMerged(commit="9" * 40)


class Deploying(House):
    """Workers for a deployment, and people who decide on it."""

    def __init__(self, client: Client, folder: Path, world: World) -> None:
        super().__init__(client, folder)
        self.path.write_text(POLICY)
        self.world = world
        self.teller = Teller()
        self.patience: timedelta | None = None
        """For saying yes, where it is shorter than any policy can name."""

    @contextlib.asynccontextmanager
    async def at_work(self, *, forgets: bool = False) -> AsyncGenerator[None]:
        """A worker on each of the queues. One that forgets has every turn of a goal be a replay."""
        await self.keys.refresh()
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self.systems())
            await stack.enter_async_context(self.goals(forgets=forgets))
            yield

    @contextlib.asynccontextmanager
    async def systems(self) -> AsyncGenerator[None]:
        """All but that of the goals."""
        world, client = self.world, self.client
        rules = ApprovalRuleActivities(PolicySource(self.path, environment="live"))

        @activity.defn(name=RESOLVE_RULE.name)
        async def resolve(request: ResolveRule) -> ResolvedRule:
            rule = await rules.resolve_rule(request)
            return rule if self.patience is None else rule.model_copy(update={"approve_within": self.patience})

        read = [world.fetch, world.look, world.read_file, world.seal, world.page, world.number, world.waive, resolve]
        steps = [*read, world.check, world.comment, *world.database.connectors(), *world.sellers.steps()]
        connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=steps)
        looks = [world.prepare, world.refresh, world.preview, world.read_history, world.outputs, world.detect]
        sandbox = Worker(
            client, task_queue=TaskQueue.SANDBOX, activities=[*looks, world.run_command, world.database.rehearse]
        )
        hitl = Worker(client, task_queue=TaskQueue.HITL, activities=[self.messages.update, self.teller.tell])
        posts = Worker(client, task_queue=TaskQueue.POSTS, activities=[self.messages.post, self.teller.tell])
        async with connectors, sandbox, hitl, posts, self.guard() as guard:
            changes = [world.update, world.merge, world.database.migrate, GivingUp(self.records).give_up_steps]
            async with Worker(client, task_queue=TaskQueue.DESTRUCTIVE, activities=changes, interceptors=[guard]):
                yield

    def goals(self, *, forgets: bool = False) -> Worker:
        """That of the goals."""
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=WORKFLOWS,
            max_cached_workflows=0 if forgets else 1000,
            max_concurrent_workflow_tasks=2 if forgets else None,
            interceptors=[DecisionChecks(check)],
        )

    async def ask_for(self, **changes: object) -> Goal:
        return await self.client.start_workflow(
            "DeployNewFeature",
            DeployNewFeatureInput.model_validate(WANTED.model_dump(exclude_unset=True) | changes),
            id=f"deploy-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=DeployNewFeatureResult,
            execution_timeout=timedelta(minutes=3),
        )

    async def plan(self, approval: str) -> SequencePlan:
        """What people are asked."""
        found = read_any_plan(await self.client.get_workflow_handle(approval).query("plan", result_type=str))
        assert isinstance(found, SequencePlan)
        return found

    async def decision(self, approval_id: str, person: str, /, **changes: object) -> Decision:
        policy, plan = load_policy(self.path), await self.plan(approval_id)
        rule = rule_for(policy, "live", plan=plan)
        assert isinstance(rule, RulesTogether)
        opened = (await self.client.get_workflow_handle(approval_id).describe()).start_time
        fields: dict[str, object] = {
            "action": SEQUENCE,
            "rule_digest": rule.digest("live", SEQUENCE),
            "expires_at": execution_expiry(opened, rule),
            "steps": covered(rule, person, policy.people),
        }
        self.action = UPDATE_STACK.name  # whose rule the decision of one step would have
        return await super().decision(approval_id, person, **(fields | changes))

    async def approve(self, goal: Goal, *, after: int = 0) -> SequencePlan:
        """Two people say yes; what they said it to."""
        approval = await self.approval_of(goal, after=after)
        plan = await self.plan(approval)
        for person in ("alice", "bob"):
            await self.decide(approval, person)
        return plan

    async def ended(self, **changes: object) -> DeployNewFeatureResult:
        """A goal that asks nobody, with its workers from its start to its end."""
        async with self.at_work():
            return await (await self.ask_for(**changes)).result()

    async def deployed(self, **changes: object) -> DeployNewFeatureResult:
        """A goal that people approve once."""
        goal = await self.ask_for(**changes)
        await self.approve(goal)
        return await goal.result()

    @staticmethod
    async def status(goal: Goal) -> DeployStatus:
        return await goal.query("status", result_type=DeployStatus)

    async def until(self, goal: Goal, state: str) -> DeployStatus:
        """Wait until it is so."""

        async def so() -> bool:
            return (await self.status(goal)).state == state

        await eventually(so)
        return await self.status(goal)

    async def until_waits(self, goal: Goal) -> DeployStatus:
        """Wait until it waits for something."""

        async def so() -> bool:
            return (await self.status(goal)).waiting_for is not None

        await eventually(so)
        return await self.status(goal)


Make = Callable[[World], Deploying]


def marks(steps: tuple[StepTold, ...]) -> dict[str, str]:
    """Where each step stands."""
    return {one.name: one.mark.value for one in steps}
