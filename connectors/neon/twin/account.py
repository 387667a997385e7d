"""What all parts of the twin share: its projects, who may call, what goes on after an answer, and the clusters.

A branch has no cluster until somebody connects to it, or until something is done that only a cluster can tell; a child
is copied from its parent's where that has one, and otherwise made from the same lists of roles and databases.
"""

import asyncio
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request

from connectors.neon.copy import CopiedBranch, CopiedProject
from connectors.neon.models import MARK
from connectors.neon.twin.clusters import HOST, Clusters, Login
from connectors.neon.twin.computes import Computes
from connectors.neon.twin.models import (
    Connection,
    Parameters,
    TwinBranch,
    TwinDatabase,
    TwinEndpoint,
    TwinOperation,
    TwinProject,
    TwinRole,
    TwinSnapshot,
)
from connectors.neon.twin.passwords import new_password
from connectors.neon.twin.postgres import PostgresFailed
from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.problems import Problem, bearer, carries

BUSY: Final = "project already has running conflicting operations, scheduling of new ones is prohibited"
_DEFAULT_IDLE: Final = 300
_NEVER: Final = -1


class SeededProject(BaseModel):
    """A project that is there from the start.

    Attributes:
        branches: Names of branches of its first one.
        password: Of the database's owner.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    database: str
    owner: str
    password: str = Field(repr=False)
    branches: tuple[str, ...] = ()


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        keys: API keys; each may all that Neon's may.
        clusters: The folder of PostgreSQL's data. What is there is removed.
        projects: What the organisation has.
        copied: A project that it has besides, as it was copied of another one.
        operation_seconds: How long each operation takes.
        containers: Where containers of this machine's engine reach the computes, beside the machine itself. It need
            not be there yet.
        most_branches: How many a project may have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8304"
    keys: tuple[str, ...] = Field(repr=False)
    clusters: Path
    projects: tuple[SeededProject, ...] = ()
    copied: CopiedProject | None = None
    operation_seconds: float = 1.0
    containers: IPv4Address | None = None
    most_branches: int = 100


@dataclass
class Held:
    """A branch with all that is in it."""

    branch: TwinBranch
    roles: dict[str, TwinRole] = field(default_factory=dict[str, TwinRole])
    databases: dict[str, TwinDatabase] = field(default_factory=dict[str, TwinDatabase])
    endpoints: dict[str, TwinEndpoint] = field(default_factory=dict[str, TwinEndpoint])
    annotation: Mapping[str, str] = field(default_factory=dict[str, str])
    cluster: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def writer(self) -> TwinEndpoint | None:
        """Its compute that writes."""
        return next((one for one in self.endpoints.values() if one.type == "read_write"), None)


@dataclass
class HeldSnapshot:
    """A snapshot, with what the branch was then."""

    snapshot: TwinSnapshot
    then: Held


@dataclass
class HeldProject:
    """A project with all that is in it."""

    project: TwinProject
    branches: dict[str, Held] = field(default_factory=dict[str, Held])
    deleted: dict[str, Held] = field(default_factory=dict[str, Held])
    operations: list[TwinOperation] = field(default_factory=list[TwinOperation])
    snapshots: dict[str, HeldSnapshot] = field(default_factory=dict[str, HeldSnapshot])

    @property
    def default(self) -> Held:
        """Its default branch."""
        return next(one for one in self.branches.values() if one.branch.default)

    def endpoint(self, name: str) -> tuple[Held, TwinEndpoint]:
        """A compute and its branch.

        Raises:
            Problem: There is none.
        """
        for held in self.branches.values():
            if name in held.endpoints:
                return held, held.endpoints[name]
        raise Problem(404, "endpoint not found")


@dataclass(frozen=True)
class Doing:
    """One operation to be."""

    action: str
    branch: str | None = None
    endpoint: str | None = None


class Account(Twin):
    """One organisation."""

    def __init__(self, config: TwinConfig, clock: TwinClock | None) -> None:
        super().__init__(clock=clock)
        self._config = config
        self._clusters = Clusters(config.clusters)
        self._computes = Computes(self._wake, self._rested, also=config.containers)
        self._behind: set[asyncio.Task[None]] = set()
        self.kept: dict[str, HeldProject] = {}
        for one in config.projects:
            self._seed(one)
        if config.copied is not None:
            self._take(config.copied)

    def authorise(self, request: Request) -> None:
        """By one of the keys."""
        if not any(carries(request, "authorization", bearer(key)) for key in self._config.keys):
            raise Problem(401, "not allowed. authorization failed")

    def problem(self, problem: Problem) -> JsonValue:
        """As Neon says it; `code` is often empty."""
        return {"request_id": str(uuid.uuid4()), "code": problem.code, "message": problem.message}

    async def close(self) -> None:
        """End all clusters, and remove what they hold."""
        self._computes.close()
        await asyncio.gather(*self._behind, return_exceptions=True)
        await self._clusters.close()

    def moment(self, ahead: float = 0) -> datetime:
        """Now, by the twin's clock."""
        return datetime.fromtimestamp(self.clock() + ahead, UTC)

    def project_of(self, name: str) -> HeldProject:
        """A project.

        Raises:
            Problem: There is none.
        """
        if (found := self.kept.get(name)) is None:
            raise Problem(404, "project not found")
        return found

    def branch_of(self, project: HeldProject, name: str) -> Held:
        """A branch.

        Raises:
            Problem: There is none.
        """
        if (found := project.branches.get(name)) is None:
            raise Problem(404, "branch not found")
        return found

    def require_idle(self, project: HeldProject) -> None:
        """Neon makes one change of a project at a time.

        Raises:
            Problem: Another one goes on.
        """
        if any(one.status in {"scheduling", "running"} for one in project.operations):
            raise Problem(423, BUSY)

    async def carry_out(
        self,
        project: HeldProject,
        *doing: Doing,
        work: Callable[[], Awaitable[object]] | None = None,
        then: Callable[[], object] | None = None,
    ) -> list[TwinOperation]:
        """Begin operations; they end by the twin's clock, and what is really done is done before the answer.

        Args:
            project: Whose they are. It must be idle.
            doing: Which ones.
            work: What PostgreSQL has to do for it. Where it fails, so have the operations.
            then: What is so when they have ended well.
        """
        begun = [self._begin(project, one) for one in doing]
        broken = ""
        try:
            if work is not None:
                await work()
        except PostgresFailed as error:
            broken = str(error)
        shown = [one.model_copy() for one in begun]

        def end() -> None:
            for one in begun:
                one.status, one.error = ("failed", broken) if broken else ("finished", None)
                one.failures_count = 1 if broken else 0
                one.updated_at = self.moment()
                one.total_duration_ms = int((one.updated_at - one.created_at).total_seconds() * 1000)
            if then is not None and not broken:
                then()

        self.clock.after(self._config.operation_seconds, end)
        return shown

    def behind(self, work: Awaitable[object]) -> None:
        """Something that nobody waits for."""

        async def done() -> None:
            await work

        task = asyncio.get_running_loop().create_task(done())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def cluster_of(self, held: Held) -> str:
        """A branch's cluster, made where it has none yet.

        Raises:
            PostgresFailed: It cannot be made.
        """
        async with held.lock:
            if held.cluster is None:
                logins = [Login(one.name, one.password or "") for one in held.roles.values()]
                databases = [(one.name, one.owner_name) for one in held.databases.values()]
                held.cluster = await self._clusters.create(logins, databases)
            return held.cluster

    async def copy_cluster(self, source: Held, target: Held) -> None:
        """Let a branch have all that another's cluster holds now, where it has one.

        Raises:
            PostgresFailed: It cannot be copied.
        """
        async with target.lock:  # who connects meanwhile waits, and gets no cluster of its own
            if source.cluster is not None:
                target.cluster = await self._clusters.copy(source.cluster)

    async def sql(self, held: Held, statements: str) -> None:
        """Run statements where there is a cluster; one that is made later is made with what the lists say then.

        Raises:
            PostgresFailed: One of them is refused.
        """
        if held.cluster is not None:
            await self._clusters.sql(held.cluster, statements)

    async def rest(self, held: Held) -> None:
        """End a branch's cluster, and keep what it holds."""
        if held.cluster is not None:
            await self._clusters.stop(held.cluster)

    async def remove(self, cluster: str | None) -> None:
        """End a cluster, and remove what it holds."""
        if cluster is not None:
            await self._clusters.remove(cluster)

    def cut(self, held: Held) -> None:
        """End all connections to a branch."""
        for one in held.endpoints:
            self._computes.drop(one)

    def forget_computes(self, held: Held) -> None:
        """The addresses of a branch are nobody's any more."""
        for one in held.endpoints:
            self._computes.forget(one)

    async def connection(self, held: Held, endpoint: TwinEndpoint, database: str, role: str) -> Connection:
        """How a role connects to a database by a compute.

        Raises:
            Problem: The branch has not got one of them.
        """
        if database not in held.databases:
            raise Problem(404, "database not found")
        if role not in held.roles:
            raise Problem(404, "role not found")
        port, password = await self._computes.port(endpoint.id), held.roles[role].password or ""
        uri = f"postgresql://{role}:{password}@{HOST}:{port}/{database}?sslmode=disable"
        parameters = Parameters(database=database, password=password, role=role, host=HOST, pooler_host=HOST)
        return Connection(connection_uri=uri, connection_parameters=parameters)

    def new_endpoint(self, held: Held, **said: Any) -> TwinEndpoint:
        """A compute of a branch, that is about to come up."""
        now = self.moment()
        made = TwinEndpoint(
            id=f"ep-{named()}",
            host=HOST,
            project_id=held.branch.project_id,
            branch_id=held.branch.id,
            current_state="init",
            pending_state="active",
            created_at=now,
            updated_at=now,
            **{name: value for name, value in said.items() if value is not None},
        )
        held.endpoints[made.id] = made
        return made

    def up(self, held: Held) -> None:
        """All computes of a branch that were coming up are up, and the branch is ready."""
        held.branch.current_state, held.branch.pending_state = "ready", None
        for one in held.endpoints.values():
            if one.pending_state is not None:
                one.current_state, one.pending_state = one.pending_state, None

    def _seed(self, one: SeededProject) -> None:
        kept = self.kept[one.id] = HeldProject(TwinProject(id=one.id, name=one.name))
        main = Held(TwinBranch(id=f"br-{one.id}-main", project_id=one.id, name="main", default=True, primary=True))
        main.roles[one.owner] = TwinRole(branch_id=main.branch.id, name=one.owner, password=one.password)
        main.databases[one.database] = TwinDatabase(
            id=1, branch_id=main.branch.id, name=one.database, owner_name=one.owner
        )
        kept.branches[main.branch.id] = main
        for name in one.branches:
            child = child_of(main, name=name, id=f"br-{one.id}-{name}")
            kept.branches[child.branch.id] = child
        for held in kept.branches.values():
            id_ = f"ep-{held.branch.id.removeprefix('br-')}"
            held.endpoints[id_] = TwinEndpoint(id=id_, host=HOST, project_id=one.id, branch_id=held.branch.id)

    def _take(self, copied: CopiedProject) -> None:
        """A copied project: each role has a password of its own, and each branch a compute."""
        kept = self.kept[copied.part] = HeldProject(TwinProject(id=copied.part, name=copied.name))
        for one in copied.branches:
            held = kept.branches[one.id] = _held(copied.part, one)
            id_ = f"ep-{one.id.removeprefix('br-')}"
            held.endpoints[id_] = TwinEndpoint(id=id_, host=HOST, project_id=copied.part, branch_id=one.id)

    def _begin(self, project: HeldProject, doing: Doing) -> TwinOperation:
        now = self.moment()
        begun = TwinOperation(
            id=str(uuid.uuid4()),
            project_id=project.project.id,
            branch_id=doing.branch,
            endpoint_id=doing.endpoint,
            action=doing.action,
            created_at=now,
            updated_at=now,
        )
        project.operations.insert(0, begun)
        return begun

    async def _wake(self, endpoint: str) -> int:
        """Somebody connects.

        Raises:
            Problem: The compute is gone, or disabled.
            PostgresFailed: It does not come up.
        """
        held, found = self._compute(endpoint)
        if found.disabled:
            raise Problem(403, "endpoint is disabled")
        port = await self._clusters.start(await self.cluster_of(held))
        found.current_state, found.pending_state = "active", None
        return port

    def _rested(self, endpoint: str) -> None:
        """Nobody is connected any more: the compute sleeps after a while in which nobody comes."""

        def sleep() -> None:
            for project in self.kept.values():
                for held in project.branches.values():
                    found = held.endpoints.get(endpoint)
                    if found is not None and not self._computes.connected(endpoint):
                        found.current_state = "idle"
                        self.behind(self.rest(held))

        found = next((one for kept in self.kept.values() for one in _endpoints(kept) if one.id == endpoint), None)
        if found is not None and found.suspend_timeout_seconds != _NEVER:
            self.clock.after(found.suspend_timeout_seconds or _DEFAULT_IDLE, sleep)

    def _compute(self, endpoint: str) -> tuple[Held, TwinEndpoint]:
        for project in self.kept.values():
            for held in project.branches.values():
                if endpoint in held.endpoints:
                    return held, held.endpoints[endpoint]
        raise Problem(404, "endpoint not found")


def named() -> str:
    """The part of an id by which Neon's things are told apart."""
    return f"quiet-{secrets.token_hex(4)}"


def child_of(parent: Held, *, name: str, id: str, **said: Any) -> Held:  # noqa: A002 - the field's name
    """A branch with the roles, passwords and databases of another; without its computes and its cluster."""
    branch = TwinBranch(id=id, project_id=parent.branch.project_id, name=name, parent_id=parent.branch.id, **said)
    return Held(
        branch=branch,
        roles={key: one.model_copy(update={"branch_id": id}) for key, one in parent.roles.items()},
        databases={key: one.model_copy(update={"branch_id": id}) for key, one in parent.databases.items()},
    )


def _held(project: str, one: CopiedBranch) -> Held:
    told = one.model_dump(exclude={"mark", "roles", "databases"})
    if one.logical_size is None:
        del told["logical_size"]
    branch = TwinBranch(project_id=project, primary=one.default, **told)
    return Held(
        branch=branch,
        roles={name: TwinRole(branch_id=one.id, name=name, password=new_password()) for name in one.roles},
        databases={
            database.name: TwinDatabase(id=number, branch_id=one.id, name=database.name, owner_name=database.owner)
            for number, database in enumerate(one.databases, start=1)
        },
        annotation={MARK: one.mark} if one.mark else {},
    )


def _endpoints(project: HeldProject) -> list[TwinEndpoint]:
    return [one for held in project.branches.values() for one in held.endpoints.values()]
