"""Qdrant's twin: one account of Qdrant Cloud, and behind the keys of its clusters their databases.

All clusters answer at the twin's own address: which of them is meant is told by the database key.
"""

import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.creation import mark
from connectors.qdrant import database_operations as database
from connectors.qdrant.client import READER, WRITER
from connectors.qdrant.database_operations import Envelope
from connectors.qdrant.models import (
    MARK_LABEL,
    AskForQuote,
    Cluster,
    ClusterState,
    Configuration,
    CreateBackupSchedule,
    CreateCluster,
    CreateDatabaseKey,
    Ended,
    Endpoint,
    Label,
    Phase,
)
from connectors.qdrant.operations import (
    CREATE_CLUSTER,
    CREATE_KEY,
    CREATE_SCHEDULE,
    DELETE_CLUSTER,
    DELETE_KEY,
    GET_CLUSTER,
    GET_QUOTE,
    LIST_BACKUPS,
    LIST_CLUSTERS,
    LIST_KEYS,
    LIST_PACKAGES,
    LIST_SCHEDULES,
)
from connectors.qdrant.twin import shapes
from connectors.qdrant.twin.problems import DatabaseProblem
from connectors.qdrant.twin.shapes import Access, SeededDatabase, TwinConfig
from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, carries

if TYPE_CHECKING:
    from connectors.qdrant.twin.databases import TwinDatabase

_MANAGEMENT: Final = "/api/"
_VERSION: Final = "v1.16.2"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GRPC_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 503: 14}
_RETENTION: Final = re.compile(r"([0-9]{1,9})s")
_SHORTEST_RETENTION, _LONGEST_RETENTION = 86_400, 31_536_000


@dataclass(frozen=True)
class _Manager:
    """Who calls the management API."""

    writes: bool = False
    deletes: bool = False


@dataclass(frozen=True)
class _Opened:
    """Who calls a database."""

    cluster: str
    access: Access


@dataclass
class Known:
    """What the account has; a test may change it by hand."""

    clusters: dict[str, shapes.TwinCluster] = field(default_factory=dict[str, shapes.TwinCluster])
    keys: dict[str, tuple[shapes.TwinKey, Access]] = field(default_factory=dict[str, tuple[shapes.TwinKey, Access]])
    backups: dict[str, shapes.TwinBackup] = field(default_factory=dict[str, shapes.TwinBackup])
    schedules: dict[str, shapes.TwinSchedule] = field(default_factory=dict[str, shapes.TwinSchedule])
    databases: dict[str, "TwinDatabase"] = field(default_factory=dict[str, "TwinDatabase"])


class _Qdrant(Twin):
    """The twin.

    Attributes:
        known: What the account has.
    """

    def __init__(self, config: TwinConfig, clock: TwinClock | None) -> None:
        super().__init__(clock=clock)
        self._config = config
        self.known = Known()
        self._unfilled = {self._seeded(one): one for one in config.databases}

    def authorise(self, request: Request) -> _Manager | _Opened:
        config = self._config
        if not request.url.path.startswith(_MANAGEMENT):
            return self._opened(request)
        by_key = {
            config.reading_key: _Manager(),
            config.writing_key: _Manager(writes=True),
            config.buying_key: _Manager(writes=True),
            config.deleting_key: _Manager(deletes=True),
        }
        found = [manager for key, manager in by_key.items() if carries(request, "authorization", f"apikey {key}")]
        if not found:
            raise Problem(401, "invalid management key")
        if request.path_params.get("account", config.account) != config.account:
            raise Problem(403, "no access to this account")
        return found[0]

    def _opened(self, request: Request) -> _Opened:
        for key, access in self.known.keys.values():
            if key.key is not None and carries(request, "api-key", key.key):
                return _Opened(key.cluster_id, access)
        raise DatabaseProblem(401, "Must provide an API key or an Authorization bearer token")

    def problem(self, problem: Problem) -> JsonValue:
        if isinstance(problem, DatabaseProblem):
            return problem.shown()
        return {"code": _GRPC_CODES.get(problem.status, 2), "message": problem.message, "details": []}

    def _moment(self) -> str:
        return f"{datetime.fromtimestamp(self.clock(), UTC):%Y-%m-%dT%H:%M:%SZ}"

    # The management API.

    @handles(LIST_CLUSTERS)
    def clusters(self, account: str, query: shapes.Page) -> shapes.Clusters:
        del account
        if not query.page_token.isascii() or not query.page_token.isdigit():
            raise Problem(400, "invalid page token")
        every, start = list(self.known.clusters.values()), int(query.page_token[:9])
        end = start + query.page_size
        following = str(end) if end < len(every) else None
        return shapes.Clusters(items=tuple(every[start:end]), total_size=len(every), next_page_token=following)

    @handles(GET_CLUSTER)
    def cluster(self, account: str, cluster: str) -> shapes.OneCluster:
        del account
        return shapes.OneCluster(cluster=self._cluster(cluster))

    @handles(CREATE_CLUSTER)
    def create_cluster(
        self, account: str, body: CreateCluster, caller: _Manager, request: Request
    ) -> shapes.OneCluster:
        self._require_writes(caller)
        wanted = body.cluster
        if not _NAME.fullmatch(wanted.name):
            raise Problem(400, "name can only contain letters, numbers, underscores and dashes")
        self._price(wanted.configuration.package_id, wanted.configuration.number_of_nodes)
        made = shapes.TwinCluster(
            id=str(uuid.uuid4()),
            account_id=account,
            created_at=self._moment(),
            **wanted.model_dump(exclude={"configuration"}),
            configuration=wanted.configuration.model_copy(update={"version": _VERSION}),
            state=ClusterState(phase=Phase.CREATING, version=_VERSION),
        )
        self.known.clusters[made.id] = made
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        endpoint = Endpoint(url=f"{request.url.scheme}://{request.url.hostname}", rest_port=port)
        self.clock.after(self._config.creates_in, lambda: self._comes_up(made.id, endpoint))
        return shapes.OneCluster(cluster=made)

    def _comes_up(self, cluster: str, endpoint: Endpoint) -> None:
        if (found := self.known.clusters.get(cluster)) is not None and found.state.phase == Phase.CREATING:
            state = ClusterState(phase=Phase.HEALTHY, version=_VERSION, endpoint=endpoint)
            self.known.clusters[cluster] = found.model_copy(update={"state": state})

    @handles(LIST_PACKAGES)
    def packages(self, account: str) -> shapes.Packages:
        del account
        return shapes.Packages(items=self._config.packages)

    @handles(GET_QUOTE)
    def quote(self, account: str, body: AskForQuote) -> shapes.Quote:
        del account
        price = str(self._price(body.package_id, body.number_of_nodes))
        return shapes.Quote(original_price_per_hour=price, discounted_price_per_hour=price)

    @handles(LIST_KEYS)
    def keys(self, account: str, query: shapes.OfCluster) -> shapes.Keys:
        del account
        found = [one for one, _ in self.known.keys.values() if query.cluster_id in {None, one.cluster_id}]
        return shapes.Keys(items=tuple(one.model_copy(update={"key": None}) for one in found))

    @handles(CREATE_KEY)
    def create_key(self, account: str, body: CreateDatabaseKey, caller: _Manager) -> shapes.OneKey:
        del account
        self._require_writes(caller)
        wanted = body.database_api_key
        self._cluster(wanted.cluster_id)
        access: dict[str, Access] = {READER: "read", WRITER: "manage"}
        asked = {one.global_access.access_type for one in wanted.access_rules}
        if len(asked) != 1 or not asked <= access.keys():
            raise Problem(400, "this twin knows keys with one kind of global access")
        made = self._add_key(wanted.cluster_id, wanted.name, secrets.token_urlsafe(32), access[asked.pop()])
        return shapes.OneKey(database_api_key=made)

    def _add_key(self, cluster: str, name: str, key: str, access: Access) -> shapes.TwinKey:
        made = shapes.TwinKey(
            id=str(uuid.uuid4()),
            account_id=self._config.account,
            created_at=self._moment(),
            cluster_id=cluster,
            name=name,
            postfix=key[-4:],
            key=key,
        )
        self.known.keys[made.id] = (made, access)
        return made

    @handles(DELETE_KEY)
    def delete_key(self, account: str, key: str, caller: _Manager) -> Ended:
        del account
        self._require_writes(caller)
        if self.known.keys.pop(key, None) is None:
            raise Problem(404, "database api key not found")
        return Ended()

    @handles(LIST_SCHEDULES)
    def schedules(self, account: str, query: shapes.Page) -> shapes.Schedules:
        del account
        found = [one for one in self.known.schedules.values() if query.cluster_id in {None, one.cluster_id}]
        return shapes.Schedules(items=tuple(found), total_size=len(found))

    @handles(CREATE_SCHEDULE)
    def create_schedule(self, account: str, body: CreateBackupSchedule, caller: _Manager) -> shapes.OneSchedule:
        self._require_writes(caller)
        wanted = body.backup_schedule
        self._cluster(wanted.cluster_id)
        kept = _RETENTION.fullmatch(wanted.retention_period)
        if kept is None or not _SHORTEST_RETENTION <= int(kept[1]) <= _LONGEST_RETENTION:
            raise Problem(400, "retention period must be between 1 day and 365 days")
        made = shapes.TwinSchedule(
            id=str(uuid.uuid4()), account_id=account, created_at=self._moment(), **wanted.model_dump()
        )
        self.known.schedules[made.id] = made
        return shapes.OneSchedule(backup_schedule=made)

    @handles(DELETE_CLUSTER)
    def delete_cluster(self, account: str, cluster: str, caller: _Manager) -> Ended:
        del account
        if not caller.deletes:
            raise Problem(403, "this key may not do that")
        found = self._cluster(cluster)
        if found.deleted_at is None:
            state = found.state.model_copy(update={"phase": Phase.DELETING})
            self.known.clusters[cluster] = found.model_copy(update={"deleted_at": self._moment(), "state": state})
            self.known.keys = {key: one for key, one in self.known.keys.items() if one[0].cluster_id != cluster}
            self.clock.after(self._config.deletes_in, lambda: self.known.clusters.pop(cluster, None))
        return Ended()

    @handles(LIST_BACKUPS)
    def backups(self, account: str, query: shapes.Page) -> shapes.TwinBackups:
        del account
        every = [one for one in self.known.backups.values() if query.cluster_id in {None, one.cluster_id}]
        start = int(query.page_token[:9]) if query.page_token.isascii() and query.page_token.isdigit() else None
        if start is None:
            raise Problem(400, "invalid page token")
        end = start + query.page_size
        following = str(end) if end < len(every) else None
        return shapes.TwinBackups(items=tuple(every[start:end]), total_size=len(every), next_page_token=following)

    def _cluster(self, cluster: str) -> shapes.TwinCluster:
        if (found := self.known.clusters.get(cluster)) is None:
            raise Problem(404, "cluster not found")
        return found

    def _price(self, package: str, nodes: int) -> int:
        found = next((one for one in self._config.packages if one.id == package), None)
        if found is None or nodes < 1:
            raise Problem(400, "invalid package or number of nodes")
        return found.unit_int_price_per_hour * nodes

    @staticmethod
    def _require_writes(caller: _Manager) -> None:
        if not caller.writes:
            raise Problem(403, "this key may not do that")

    # The databases.

    @handles(database.LIST_COLLECTIONS)
    def collections(self, caller: _Opened) -> Envelope:
        return _ok(self._database(caller).collections())

    @handles(database.GET_COLLECTION)
    def collection(self, collection: str, caller: _Opened) -> Envelope:
        return _ok(self._database(caller).collection(collection))

    @handles(database.CREATE_COLLECTION)
    async def create_collection(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._changed(caller).create_collection(collection, body))

    @handles(database.CREATE_INDEX)
    async def create_index(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._changed(caller).create_index(collection, body))

    @handles(database.LIST_ALIASES)
    def aliases(self, caller: _Opened) -> Envelope:
        return _ok(self._database(caller).aliases())

    @handles(database.CHANGE_ALIASES)
    async def change_aliases(self, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._changed(caller).change_aliases(body))

    @handles(database.UPSERT)
    async def upsert(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._changed(caller).upsert(collection, body))

    @handles(database.SCROLL)
    async def scroll(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._database(caller).scroll(collection, body))

    @handles(database.COUNT)
    async def count(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._database(caller).count(collection, body))

    @handles(database.QUERY)
    async def nearest(self, collection: str, caller: _Opened, request: Request) -> Envelope:
        body = await request.body()
        return _ok(self._database(caller).query(collection, body))

    @handles(database.LIST_SNAPSHOTS)
    def snapshots(self, collection: str, caller: _Opened) -> Envelope:
        return _ok(self._database(caller).snapshots(collection))

    @handles(database.CREATE_SNAPSHOT)
    def create_snapshot(self, collection: str, caller: _Opened) -> Envelope:
        return _ok(self._changed(caller).create_snapshot(collection))

    def _changed(self, caller: _Opened) -> "TwinDatabase":
        if caller.access != "manage":
            raise DatabaseProblem(403, "Forbidden: Write access to this collection is required")
        return self._database(caller)

    def _database(self, caller: _Opened) -> "TwinDatabase":
        # Slow to import, and most environments never ask a database.
        from connectors.qdrant.twin.databases import TwinDatabase  # noqa: PLC0415 - see above

        if caller.cluster not in self.known.databases:
            self.known.databases[caller.cluster] = made = TwinDatabase(self.clock)
            if (seeded := self._unfilled.pop(caller.cluster, None)) is not None:
                if seeded.content is not None:
                    made.take(seeded.content)
                elif seeded.collection:
                    made.fill(seeded.collection, seeded.alias, points=seeded.points)
        return self.known.databases[caller.cluster]

    def _seeded(self, one: SeededDatabase) -> str:
        host, _, port = self._config.listen.rpartition(":")
        endpoint = Endpoint(url=f"http://{host}", rest_port=int(port))
        if one.cluster is not None:
            return self._as_copied(one, one.cluster, endpoint)
        made = shapes.TwinCluster(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._config.account}/{one.name}")),
            account_id=self._config.account,
            created_at=self._moment(),
            name=one.name,
            cloud_provider_id="aws",
            cloud_provider_region_id="eu-central-1",
            configuration=Configuration(number_of_nodes=1, package_id=self._config.packages[0].id, version=_VERSION),
            state=ClusterState(phase=Phase.HEALTHY, version=_VERSION, endpoint=endpoint),
            labels=(Label(key=MARK_LABEL, value=mark(one.goal, one.name)),) if one.goal else (),
        )
        return self._added(one, made)

    def _as_copied(self, one: SeededDatabase, cluster: Cluster, endpoint: Endpoint) -> str:
        """It answers here, where it answered at all."""
        told = cluster.model_dump(exclude={"state"})
        at = {"endpoint": endpoint} if cluster.state.endpoint.url else {}
        state = cluster.state.model_copy(update=at)
        made = shapes.TwinCluster(account_id=self._config.account, created_at=self._moment(), state=state, **told)
        return self._added(one, made)

    def _added(self, one: SeededDatabase, made: shapes.TwinCluster) -> str:
        self.known.clusters[made.id] = made
        self._add_key(made.id, "readers", one.readers, "read")
        self._add_key(made.id, "writers", one.writers, "manage")
        return made.id


def _ok(result: JsonValue) -> Envelope:
    return {"time": 0.0, "status": "ok", "result": result}


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front."""
    return _Qdrant(config, clock).application()
