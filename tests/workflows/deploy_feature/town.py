"""Many deployments beside each other on one server: a repository, a stack and a page each, and one thing that happens.

The steps on GitHub, the looks at pages, the guard, its grants and the approvals are the real ones, on twins over HTTP
and real git. The container engine is played: `World`, which answers a second attempt as the real step does.
"""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any, get_type_hints

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.approvals.giving_up import GivingUp
from activities.approvals.rules import ApprovalRuleActivities
from activities.catalogue import steps
from activities.guard.audit import AuditLog
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.pulumi.contracts import Deployment
from activities.queues import TaskQueue
from activities.step import implemented, implements
from activities.verify.looking import VerifyActivities
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.limits import Limits
from connectors.github.twin.pulls import Pull
from connectors.github.twin.writes import Kept, keep_besides_git, kept_besides_git
from connectors.probes.hosts import Hosts
from connectors.probes.pages import Pages
from connectors.twins.faults import FaultInjector
from tests.activities.github import at_work
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.shop import Shop, git
from tests.connectors.serving import ServedTwin, served_twin
from tests.workflows.deploy_feature.deploying import Deploying, World
from tests.workflows.deploy_feature.mishaps import Beating, Cell, Cells, Held, Inside, Outside, Quick, Request, cell_of
from workflows.approval.contracts import PostApproval, PostedApproval
from workflows.approval.decision_checks import DecisionChecks
from workflows.contracts import Resume
from workflows.deploy_feature.goals import DeployNewFeatureInput, DeployNewFeatureResult, DeployStatus
from workflows.implementations import WORKFLOWS
from workflows.parked_contracts import TELL_PARKED, TellParked, ToldParked

MANIFEST = """\
version: 1
service: {name: shop-web, owner: {team: web}}
test: {command: [make, test]}
pulumi: {stacks: {staging: staging}}
verify:
  within: 60s
  output: url
  http: [{path: /healthz, every: 1s, for: 1s}]
rollback: {infrastructure: previous}
"""
BRANCH = "feature/cart"
CLIENT_ID = "Iv23liTestsOfTheMatrix"
_PULL = 1
_PATIENCE = 3
"""With GitHub, in seconds."""
_PERSON, _AGAIN = 120.0, 0.2
"""How long a person tries to be heard, and how often, in seconds."""
STEPS = steps()


@dataclass
class Twins:
    """What is outside and answers by HTTP: GitHub over real git, and the services' pages."""

    github: Served
    pages: ServedTwin
    folder: Path
    template: Path

    def settle(self, cell: str) -> str:
        """A repository of its own, with a pull request; the commit that it asks to merge."""
        bare = self.folder / "repositories" / cell / "shop.git"
        shutil.copytree(self.template, bare)
        at = "2026-01-01T00:00:00Z"
        pull = Pull(number=_PULL, title="A cart", body="", head=BRANCH, base="main", draft=False, at=at)
        keep_besides_git(self._beside(cell), Kept(pulls=[pull]))
        return git("rev-parse", BRANCH, at=bare)

    def before(self, cell: str) -> str:
        """The commit that its service was deployed from before."""
        return git("rev-parse", "main", at=self.folder / "repositories" / cell / "shop.git")

    def kept(self, cell: str) -> Kept:
        """What GitHub has of a repository besides git."""
        return kept_besides_git(self._beside(cell))

    def merges(self, cell: str) -> int:
        """So often the branch was merged, by git."""
        bare = self.folder / "repositories" / cell / "shop.git"
        return len(git("rev-list", "--merges", "main", at=bare).split())

    def plant(self, request: Request, cell: str, fault: Mapping[str, object]) -> None:
        """The next request like this one ends so."""
        asked = {**request.of(cell), **fault}
        twin = self.pages.plant if request.path.startswith("/CELL/staging") else self.github.plant
        twin(**asked)

    def requests(self) -> list[tuple[float, Request]]:
        """What was asked of both, in order."""
        every = [*self.github.requests(), *self.pages.requests()]
        return [(float(str(one["at"])), Request(str(one["method"]), str(one["path"]))) for one in every]

    def _beside(self, cell: str) -> Path:
        return self.folder / "beside" / f"{cell}.shop.json"


@contextlib.contextmanager
def twins(folder: Path) -> Generator[Twins]:
    """Both, without a repository yet."""
    for name in ("repositories", "beside", "work"):
        (folder / name).mkdir()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    config = TwinConfig(
        repositories=folder / "repositories",
        client_id=CLIENT_ID,
        public_key=public.decode(),
        limits=Limits(hourly=10**7, points=10**7, content_minute=10**7, content_hour=10**7),
        beside=folder / "beside",
    )

    async def page(request: Asked) -> PlainTextResponse:
        del request
        return PlainTextResponse("ok\n")

    pages = Starlette(routes=[Route("/{cell}/{stack}/healthz", page)], middleware=[Middleware(FaultInjector)])
    secret = SecretStr(pem.decode())
    with served(create_twin(config), client_id=CLIENT_ID, private_key=secret) as github, served_twin(pages) as other:
        yield Twins(github, other, folder, _template(folder))


def _template(folder: Path) -> Path:
    work, bare = folder / "work", folder / "template.git"
    git("init", "--quiet", "--initial-branch=main", at=work)
    (work / "banksman.yaml").write_text(MANIFEST)
    git("add", "--all", at=work)
    git("commit", "--quiet", "-m", "The shop", at=work)
    git("checkout", "--quiet", "-b", BRANCH, at=work)
    (work / "cart").write_text("a cart\n")
    git("add", "--all", at=work)
    git("commit", "--quiet", "-m", "A cart", at=work)
    while git("rev-parse", BRANCH, at=work)[0] == git("rev-parse", "main", at=work)[0]:
        # Worlds note a commit by its first letter.
        git("commit", "--quiet", "--amend", "-m", f"A cart, {secrets.token_hex(4)}", at=work)
    git("clone", "--quiet", "--bare", str(work), str(bare), at=folder)
    return bare


class Town(Deploying):
    """The workers of all cells, and the person who says yes to each question once.

    Attributes:
        cells: By their names.
        worlds: What a cell's played engine has.
        parked: What each cell said while it was parked.
        decisions: How often each cell asked a person.
    """

    def __init__(self, client: Client, folder: Path, twins: Twins) -> None:
        super().__init__(client, folder, World())
        self.twins = twins
        self.cells: Cells = {}
        self.held: Held = {}
        self.worlds: dict[str, World] = {}
        self.parked: dict[str, list[str]] = {}
        self.path.write_text(self.path.read_text().replace("quorum: 2", "quorum: 1"))
        self.clicked: set[str] = set()
        self.decisions: dict[str, int] = {}
        self.hands: set[asyncio.Task[None]] = set()

    def settle(self, cell: Cell) -> Cell:
        """Make room for one more."""
        head = self.twins.settle(cell.name)
        url = f"{self.twins.pages.url}/{cell.name}/{{stack}}"
        world = World(f"{cell.name}/shop", url=url)
        world.head, world.project = head, cell.name
        before = self.twins.before(cell.name)
        world.history = (Deployment(version=4, kind="update", result="succeeded", commit=before),)
        self.cells[cell.name], self.worlds[cell.name] = cell, world
        self.parked[cell.name] = []
        return cell

    async def published_keys(self) -> Mapping[int, bytes]:
        """By which those are known who decide."""
        return await self._published()

    @contextlib.asynccontextmanager
    async def systems(self) -> AsyncGenerator[None]:
        """All but that of the goals."""
        github = _GitHub(self.twins.github, Shop(self.folder, "", "", ""), ArtifactStore(str(self.folder / "store")))
        at = self.twins.pages.url.removeprefix("http://")
        rules = ApprovalRuleActivities(PolicySource(self.path, environment="live"))
        looks = VerifyActivities(Pages(Hosts((at,))), None)
        ordinary = implemented(github.reads, github.writes, github.pulls, looks, rules)
        engine = [self._played(name) for name in ("seal", "prepare", "refresh", "preview", "read_history")]
        engine += [self._played(name) for name in ("outputs", "detect", "run_command")]
        with contextlib.closing(AuditLog(self.folder / "ordinary.jsonl")) as audit:
            policy = PolicySource(self.path, environment="live")
            guard = GuardInterceptor(policy, audit, role="connectors")
            async with contextlib.AsyncExitStack() as stack:
                for queue in (TaskQueue.CONNECTORS, TaskQueue.SANDBOX):
                    await stack.enter_async_context(self._worker(queue, [*ordinary, *engine], guard))
                for queue in (TaskQueue.HITL, TaskQueue.POSTS):
                    told = [self._post(), self.messages.update, self._tell()]
                    await stack.enter_async_context(self._worker(queue, told, None))
                strict = await stack.enter_async_context(self.guard())
                changes = [self._played("update"), *implemented(github.merging, GivingUp(self.records))]
                await stack.enter_async_context(self._worker(TaskQueue.DESTRUCTIVE, changes, strict))
                yield

    def goals(self, *, forgets: bool = False) -> Worker:
        """That of the goals; it forgets nothing, and runs them as they are."""
        del forgets
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        return Worker(
            self.client,
            task_queue=TaskQueue.GOALS,
            workflows=WORKFLOWS,
            workflow_runner=UnsandboxedWorkflowRunner(),
            interceptors=[DecisionChecks(check), Quick(self.cells)],
        )

    async def end(self, cell: Cell) -> DeployNewFeatureResult | str:
        """Deploy it; how that ended, or the error of a goal that failed."""
        goal = await self.client.start_workflow(
            "DeployNewFeature",
            DeployNewFeatureInput(repository=f"{cell.name}/shop", branch=BRANCH),
            id=f"deploy-{cell.name}",
            task_queue=TaskQueue.GOALS,
            result_type=DeployNewFeatureResult,
        )
        try:
            return await goal.result()
        except WorkflowFailureError as error:
            return str(error.cause)

    def _worker(self, queue: TaskQueue, steps: list[Callable[..., Any]], guard: GuardInterceptor | None) -> Worker:
        guards = [guard] if guard is not None else []
        return Worker(
            self.client,
            task_queue=queue,
            activities=steps,
            interceptors=[Outside(self.cells), *guards, Beating(self.cells), Inside(self.cells, self.held)],
            max_concurrent_activities=1000,
        )

    def _played(self, name: str) -> Callable[..., Any]:
        """A step of the worlds, for whichever repository it is asked about."""
        method = getattr(World, name)
        definition = activity._Definition.must_from_callable(method)  # pyright: ignore[reportPrivateUsage]

        async def step(self: "Town", request: Any) -> Any:  # the SDK knows a method by its `self`
            world = self.worlds[_repository(request).split("/")[0]]
            return await getattr(world, name)(request)

        step.__annotations__ = get_type_hints(method)
        return MethodType(implements(STEPS[str(definition.name)])(step), self)

    def _post(self) -> Callable[..., Any]:
        """Shows an approval to the person who says yes."""

        @activity.defn(name="hitl.post_approval")
        async def post(request: PostApproval) -> PostedApproval:
            approval = str(activity.info().workflow_id)
            if approval not in self.clicked:
                self.clicked.add(approval)
                self._soon(self._say_yes(approval))
            return await self.messages.post(request)

        return post

    async def _say_yes(self, approval: str) -> None:
        cell = cell_of(self.cells, approval)
        self.decisions[cell.name] = self.decisions.get(cell.name, 0) + 1
        async with asyncio.timeout(_PERSON):
            while True:
                try:
                    await self.decide(approval, "alice")
                except RPCError:  # nobody runs the goals just now
                    await asyncio.sleep(_AGAIN)
                else:
                    return

    def _tell(self) -> Callable[..., Any]:
        """Tells people that a goal is parked: who hears it notes what it says, mends the provider, and has it go on."""

        @activity.defn(name=TELL_PARKED.name)
        async def tell(request: TellParked) -> ToldParked:
            if request.posted is None:
                self._soon(self._mend(cell_of(self.cells, activity.info().workflow_id)))
            return ToldParked(channel="C0OPS", ts="1.0")

        return tell

    async def _mend(self, cell: Cell) -> None:
        goal = self.client.get_workflow_handle(f"deploy-{cell.name}")
        status = await goal.query("status", result_type=DeployStatus)
        self.parked[cell.name].append(str(status.waiting_for))
        cell.mend()
        await goal.execute_update("resume", Resume(note="mended", person="carol"))

    def _soon(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self.hands.add(task)
        task.add_done_callback(self.hands.discard)


class _GitHub(at_work.House):
    """The steps on GitHub, which note nothing of what they are permitted."""

    @property
    def _app(self) -> GitHubApp:
        return GitHubApp(base_url=self.twin.address, timeout=_PATIENCE)


def _repository(request: Any) -> str:
    if isinstance(request, GrantedRequest):
        return str(request.approved().parameters["repository"])
    found = request.place if hasattr(request, "place") else request.source
    return str(found.repository)
