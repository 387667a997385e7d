"""The steps of both workers on real parts: Vault with each process's own login, two database roles, real containers.

All tests work on one stack after another of the same name: what one of them prepared, planned or deployed is the next
one's, too.
"""

import asyncio
import dataclasses
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import pytest_asyncio
import yaml
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.guard.current_attempt import Attempts
from activities.guard.grant_use import GrantRecords
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.pulumi.attempts import PART
from activities.pulumi.contracts import (
    DriftLook,
    DriftSeen,
    OutputsLook,
    PreparedStack,
    PrepareStackRequest,
    PreviewRequest,
    SealCredentialsRequest,
    StackChanged,
    StackPreviewed,
)
from activities.pulumi.credentials import StackCredentials
from activities.pulumi.destruction import StackDestruction
from activities.pulumi.looking import StackActivities
from activities.pulumi.place import StackPlace
from activities.pulumi.sessions import StackSessions
from activities.sandbox.contracts import Source
from connectors.artifacts import ArtifactStore
from connectors.pulumi import identity
from connectors.pulumi.approval import UpdateStackParameters
from connectors.vault import VaultSession
from deploy.local.tools import CACHE
from deploy.vault.bootstrap import seed_secret
from hitl.approval.plan import read_plan
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.registries import MirrorSettings
from sandbox.provisioning import Images
from sandbox.pulumi.outcome import RunOutcome
from sandbox.pulumi.request import UpRequest
from sandbox.pulumi.runner import PulumiSandbox, Secrets
from sandbox.spec import Limits
from tests.activities.guard.attempts import admitted, times
from tests.connectors.vault.server import House, VaultServer
from tests.hitl.approval.granting import Gateway
from tests.sandbox.pulumi.conftest import (
    EMPTY,
    PASSPHRASE_CANARY,
    PROJECT,
    Database,
    Sandboxes,
    Way,
    still_wanted,
)
from workers.sandbox import Provision
from workers.settings import Settings
from workers.stack_engine import OwnEngine
from workers.stacks import Stacks

LOOK_PASSWORD = "look-password-canary-41c0"
CHANGE_PASSWORD = "change-password-canary-92aa"
REPOSITORY = "acme/shop"
FOLDER = "infra/shop"
SHOP = """
import pulumi
from databases import Database

config = pulumi.Config()
Database("shop", "NAME_shop", comment=config.get("comment") or "first")
pulumi.export("database", "NAME_shop")
pulumi.export("token", pulumi.Output.secret("output-canary-0d"))
"""
DATABASES = """
import pulumi

class Database(pulumi.CustomResource):
    def __init__(self, name, database, comment="", **options):
        properties = {"name": database, "comment": comment}
        super().__init__("banksman:postgres:Database", name, properties, pulumi.ResourceOptions(**options))
"""
_MEMORY = Limits(memory_bytes=512 * 2**20, workspace_bytes=256 * 2**20, tmp_bytes=64 * 2**20)
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(vault_server: VaultServer) -> AsyncIterator[House]:
    house = await House.build(vault_server)
    yield house
    await house.close()


@dataclass(frozen=True)
class Logins:
    """Of the three workers."""

    sandbox: VaultSession
    destructive: VaultSession
    connectors: VaultSession


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def logins(house: House) -> AsyncIterator[Logins]:
    logins = Logins(
        sandbox=await house.login("sandbox"),
        destructive=await house.login("destructive"),
        connectors=await house.login("connectors"),
    )
    each = (logins.sandbox, logins.destructive, logins.connectors)
    keeping = [asyncio.create_task(one.keep_alive()) for one in each]
    yield logins
    for one in keeping:
        one.cancel()
    await asyncio.gather(*keeping, return_exceptions=True)


@dataclass
class Former:
    """What earlier tests made, by the programs that had been applied one after the other, and what they asked for.

    Attributes:
        prepared: What commits were taken apart into.
        previewed: What they would change.
        deployed: A copy of the state's database, the databases that programs had made, and how it was told.
    """

    prepared: dict[str, PreparedStack] = field(default_factory=dict[str, PreparedStack])
    previewed: dict[str, StackPreviewed] = field(default_factory=dict[str, StackPreviewed])
    deployed: dict[tuple[str, ...], tuple[str, Mapping[str, str], StackChanged]] = field(
        default_factory=dict[tuple[str, ...], tuple[str, Mapping[str, str], StackChanged]]
    )


@pytest.fixture(scope="session")
def former() -> Former:
    return Former()


@dataclass
class Shop:
    """One stack of one repository, and the steps of the three workers that work on it."""

    name: str
    looks: StackActivities
    changes: StackDestruction
    seals: StackCredentials
    records: GrantRecords
    store: ArtifactStore
    pulumi: PulumiSandbox
    sandbox: DockerSandbox
    way: Way
    database: Database
    vault: House
    folder: Path
    former: Former = field(default_factory=Former)
    applied: tuple[str, ...] = ()
    prepared: PreparedStack | None = None
    beats: list[object] = field(default_factory=list[object])

    @property
    def place(self) -> StackPlace:
        return StackPlace(repository=REPOSITORY, folder=FOLDER, stack="dev")

    async def run(self, step: Callable[[_Asked], Awaitable[_Answer]], request: _Asked, **info: object) -> _Answer:
        """One execution of a step, with what the server would say of it."""
        if isinstance(request, GrantedRequest):
            changing = cast("Callable[[GrantedRequest], Awaitable[_Answer]]", step)
            return await self.environment(**info).run(self.admitted(changing), request)
        return await self.environment(**info).run(step, request)

    def admitted(
        self, step: Callable[[GrantedRequest], Awaitable[_Answer]], attempts: Attempts | None = None
    ) -> Callable[[GrantedRequest], Coroutine[Any, Any, _Answer]]:
        """A step as its guard lets it begin."""
        return admitted(step, self.records, attempts)

    def environment(self, **info: object) -> ActivityEnvironment:
        """Around one execution."""
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *details: self.beats.append(details)
        given: dict[str, object] = {"activity_id": uuid.uuid4().hex[:8], **times()}
        environment.info = dataclasses.replace(environment.info, **(given | info))  # pyright: ignore[reportArgumentType] - any field
        return environment

    async def commit(self, code: str, **more: str | bytes) -> Source:
        """A commit as a pack, as the GitHub step fetches it."""
        files = {"Pulumi.yaml": PROJECT.decode(), "__main__.py": code, "databases.py": DATABASES, **more}
        placed = {
            name: text.replace("NAME", self.name).encode() if isinstance(text, str) else text
            for name, text in files.items()
        }
        commit, pack = await asyncio.to_thread(self._packed, placed)
        return Source(repository=REPOSITORY, commit=commit, pack=await self.store.put(pack))

    def _packed(self, files: dict[str, bytes]) -> tuple[str, bytes]:
        git = self.folder / uuid.uuid4().hex
        for name, text in files.items():
            (git / FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (git / FOLDER / name).write_bytes(text)
        said = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
            subprocess.run(["git", "-C", git, *said, *words], check=True, timeout=20)
        commit = subprocess.run(["git", "-C", git, "rev-parse", "HEAD"], capture_output=True, check=True, timeout=20)
        packing = ["git", "-C", git, "pack-objects", "--stdout", "--revs", "--quiet"]
        packed = subprocess.run(packing, input=b"HEAD\n", capture_output=True, check=True, timeout=20)
        return commit.stdout.decode().strip(), packed.stdout

    async def prepare(self, code: str = SHOP, **more: str | bytes) -> PreparedStack:
        """Take a commit of these files apart, unless an earlier test did."""
        key = repr((code, sorted(more.items())))
        if key not in self.former.prepared:
            source = await self.commit(code, **more)
            asked = PrepareStackRequest(place=self.place, source=source)
            self.former.prepared[key] = await self.run(self.looks.prepare_stack, asked)
        self.prepared = self.former.prepared[key]
        return self.prepared

    async def begin(self) -> None:
        """An empty stack, as `Stack.begin` says."""
        if EMPTY in self.database.names:
            make_state(self.database, self.name, EMPTY)
            return
        await self.prepare("import pulumi")
        await self.preview()
        self.prepared = None
        self.database.copy(self.name, EMPTY, "postgres")

    async def planned(self, code: str = SHOP, **more: str | bytes) -> StackPreviewed:
        """Prepare and preview, unless an earlier test did, on a stack that only `deployed` has changed."""
        prepared = await self.prepare(code, **more)
        key = repr((self.applied, prepared.prepared))
        if key not in self.former.previewed:
            self.former.previewed[key] = await self.preview()
        return self.former.previewed[key]

    async def deployed(self, *programs: str) -> StackChanged:
        """These programs were applied one after the other to an empty stack; by an earlier test, if there was one."""
        programs = programs or (SHOP,)
        if programs not in self.former.deployed:
            if programs[:-1]:
                await self.deployed(*programs[:-1])
            changed = await self.update(await self.planned(programs[-1]))
            assert changed.outcome.ended == "applied", changed
            template = f"deployed_{len(self.former.deployed)}"
            self.database.copy(self.name, template, "postgres")
            self.former.deployed[programs] = (template, self.database.made_by(self.name), changed)
        else:
            template, made, changed = self.former.deployed[programs]
            make_state(self.database, self.name, template)
            self.database.make_again(self.name, made, f"{self.name}_change")
            await self.prepare(programs[-1])
        self.applied = programs
        return changed

    async def seal(self) -> str:
        return (await self.run(self.seals.seal_credentials, SealCredentialsRequest(place=self.place))).secrets

    async def look(self) -> OutputsLook:
        """A request of any step that looks."""
        assert self.prepared is not None
        return OutputsLook(place=self.place, prepared=self.prepared, secrets=await self.seal())

    async def preview(self, **more: object) -> StackPreviewed:
        look = await self.look()
        return await self.run(self.looks.preview_stack, PreviewRequest.model_validate({**look.model_dump(), **more}))

    async def drift(self, *known: str) -> DriftSeen:
        look = await self.look()
        return await self.run(self.looks.detect_drift, DriftLook.model_validate({**look.model_dump(), "known": known}))

    async def update(self, previewed: StackPreviewed, **info: object) -> StackChanged:
        """Apply what a preview planned, by a grant of its own."""
        return await self.run(self.changes.update_stack, self.grant(previewed), **info)

    def grant(self, previewed: StackPreviewed) -> GrantedRequest:
        assert previewed.plan is not None
        return self.granted(previewed.plan)

    def granted(self, plan: str) -> GrantedRequest:
        """What the guard has checked before a step sees it."""
        decisions = Gateway(self.folder).grant("alice", approval_run_id=uuid.uuid4().hex)
        return GrantedRequest(plan=plan, decisions=tuple(decisions))

    async def deploy(self, code: str = SHOP) -> StackChanged:
        """Prepare, preview and apply, to what is there now."""
        await self.prepare(code)
        changed = await self.update(await self.preview())
        assert changed.outcome.ended == "applied", changed
        return changed

    async def begun(self, request: GrantedRequest, **info: object) -> tuple[str, "asyncio.Task[RunOutcome]"]:
        """The first attempt at an update, without anybody who waits for how it ends; and what its run is called."""

        async def begin(request: GrantedRequest) -> tuple[UpRequest, Secrets]:
            wanted = read_plan(request.plan).parameters_as(UpdateStackParameters)
            opened = await self.changes._open(wanted, salt=wanted.salt)
            bound = {"plan": wanted.inputs.plan_file, "identity": wanted.inputs.state}
            asked = opened.request(UpRequest, part=PART, program=opened.files.program, **bound)
            return asked, opened.secrets

        asked, secrets = await self.run(begin, request, **info)
        return asked.run_id, asyncio.create_task(self.pulumi.up(asked, secrets, last_look=still_wanted))

    async def kill(self, run: str) -> None:
        """The engine's container of a run, without a word to anybody."""
        containers = self.sandbox.containers
        name = next(name for name in containers.live if name.startswith(f"banksman-run-{run}-engine"))
        await containers.engine.call(containers.engine.api.kill, name)

    @property
    def databases(self) -> list[str]:
        """What programs have made."""
        mine = f"{self.name}_"
        return sorted(one.removeprefix(mine) for one in self.database.names if one.startswith(mine))

    async def text(self, reference: str | None) -> str:
        assert reference is not None
        return (await self.store.get(reference)).decode()


def make_roles(database: Database, name: str) -> None:
    """One that looks and one that changes; in the state's database both are the one that owns its tables."""
    database.make_role(f"{name}_state", "NOLOGIN")
    database.make_role(f"{name}_look", f"LOGIN PASSWORD '{LOOK_PASSWORD}'")
    database.make_role(f"{name}_change", f"LOGIN CREATEDB CREATEROLE PASSWORD '{CHANGE_PASSWORD}'")
    database.asked(f"GRANT {name}_state TO {name}_look, {name}_change")


def make_state(database: Database, name: str, template: str | None = None) -> None:
    """The state's database, empty or as it once was."""
    if template is None:
        database.asked(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        database.asked(f"CREATE DATABASE {name} OWNER {name}_state")
    else:
        database.copy(template, name, f"{name}_state")
    for role in ("look", "change"):
        database.asked(f"ALTER ROLE {name}_{role} IN DATABASE {name} SET role = '{name}_state'")


def write_stacks(folder: Path, name: str, way: Way, **more: object) -> Path:
    """The deployment's file."""
    said = {
        "state": {"kind": "postgres", "host": way.host, "port": way.port, "database": name, "tls": "disable"},
        "packages": ["banksman"],
        "environment": {
            "PGHOST": "{state.host}", "PGPORT": "{state.port}", "PGUSER": "{state-role}", "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
        },
        "passwords": [{"relay": "state", "database": "*", "secret": "state-password"}],
        **more,
    }  # fmt: skip
    path = folder / "stacks.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


async def put_secrets(house: House, name: str, **changes: str) -> None:
    """What Vault holds for a look and for a change."""
    for path, role, password in (("look", "look", LOOK_PASSWORD), ("change", "change", CHANGE_PASSWORD)):
        values = {"passphrase": PASSPHRASE_CANARY, "state-role": f"{name}_{role}", "state-password": password}
        secrets = {key: SecretStr(value) for key, value in (values | changes).items()}
        await seed_secret(address=house.server.address, token=house.server.root, path=f"pulumi/{path}", values=secrets)


@pytest.fixture
def unmade() -> bool:
    return False


@pytest.fixture
def noise() -> str:
    """Known drift; a test that has some gives another."""
    return "noise: []\n"


@pytest.fixture
def said() -> dict[str, object]:
    """What else the deployment's file says; a test that needs more gives another."""
    return {}


@pytest.fixture
def stack_name(database: Database) -> str:
    """Of the state's database, and before the names of all that programs make; its roles are there, and no more."""
    name = "shop"
    make_roles(database, name)
    database.make_again(name, {}, f"{name}_change")
    return name


@pytest_asyncio.fixture(loop_scope="session")
async def shop(
    sandboxes: Sandboxes,
    store: ArtifactStore,
    images: Images,
    pulumi_image: str,
    way: Way,
    database: Database,
    stack_name: str,
    house: House,
    logins: Logins,
    former: Former,
    tmp_path: Path,
    noise: str,
    said: dict[str, object],
    unmade: bool,
) -> AsyncIterator[Shop]:
    name = stack_name
    make_state(database, name)
    await put_secrets(house, name)
    (tmp_path / "noise.yaml").write_text(noise)
    stacks = Stacks.load(write_stacks(tmp_path, name, way, noise="noise.yaml", **said), environment="live")
    mirrors = {"package-registries": MirrorSettings()}
    others = EgressSettings(mirrors=mirrors, proxy_image=images.proxy.digest, outbound=way.network)
    sandbox = sandboxes.get(stacks.said.opened(others))
    settings = Settings(sandbox_images=CACHE / "images.json", artifacts=store.location)
    own = OwnEngine(Provision(sandbox, images.base.digest, _MEMORY), settings)
    assert (await own.place()).image == pulumi_image
    parts = StackSessions(stacks, own, store)
    shop = Shop(
        name=name,
        looks=StackActivities(parts, logins.sandbox),
        changes=StackDestruction(parts, DestructiveSecrets(logins.destructive)),
        records=logins.destructive,
        seals=StackCredentials(logins.connectors),
        store=store,
        pulumi=PulumiSandbox(sandbox, store, Path(str(identity.__file__))),
        sandbox=sandbox,
        way=way,
        database=database,
        vault=house,
        folder=tmp_path,
        former=former,
    )
    if not unmade:
        await shop.begin()
    yield shop
    await sandboxes.require_clean(sandbox)
