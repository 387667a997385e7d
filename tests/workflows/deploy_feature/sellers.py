"""Upstash, Qdrant Cloud and Estuary, played for the goals that provide what a service needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import JsonValue
from temporalio import activity

from activities.estuary.contracts import (
    FlowChange,
    FlowPublished,
    FlowSeen,
    FlowSpec,
    FlowTried,
    LookAtFlowRequest,
    PublishFlowRequest,
    SpecSeen,
    TryFlowRequest,
)
from activities.guard.error_types import ErrorType, application_error
from activities.neon.contracts import ConnectionKept, KeepConnectionRequest
from activities.qdrant.collection_contracts import AliasSeen, LookAtAliasRequest
from activities.qdrant.contracts import (
    ClusterMade,
    ClusterQuoted,
    ClusterRequest,
    ClusterSeen,
    CreateClusterRequest,
    DatabaseAnswers,
    IssueKeysRequest,
    KeysIssued,
    LookAtClusterRequest,
)
from activities.qdrant.contracts import DatabaseRequest as ClusterDatabase
from activities.redis.contracts import (
    AccessChecked,
    AccessGranted,
    CheckAccessRequest,
    DatabaseMade,
    DatabasePriced,
    DatabaseRequest,
    DatabaseSeen,
    GrantAccessRequest,
    LookAtDatabaseRequest,
)
from connectors.estuary.models import NOT_THERE


@dataclass
class Sellers:
    """What they have.

    Attributes:
        cents: What a database of Redis costs in a month.
        databases: Those of Redis, by name.
        cluster: The id of the one cluster of Qdrant, where it is there.
        behind: What the alias of the collection stands for.
        refuses: What a step that makes something is refused with.
        made: What was made, in order.
        flows: What is live at Estuary, by name: its publication and the specification.
        published: What was published there, in order.
    """

    cents: int = 0
    databases: set[str] = field(default_factory=set[str])
    cluster: str | None = None
    behind: str = "products-v2"
    refuses: Exception | None = None
    made: list[str] = field(default_factory=list[str])
    flows: dict[str, tuple[str, JsonValue]] = field(default_factory=dict[str, tuple[str, JsonValue]])
    published: list[tuple[str, JsonValue]] = field(default_factory=list[tuple[str, JsonValue]])

    def steps(self) -> list[Callable[..., Awaitable[object]]]:
        """All of them, on the connectors worker."""
        redis = [self.price, self.create, self.look, self.grant, self.check]
        qdrant = [self.quote, self.make, self.see, self.issue, self.open, self.alias]
        return [*redis, *qdrant, self.keep, self.see_flows, self.try_flow, self.publish]

    @activity.defn(name="estuary.look_at_flow")
    async def see_flows(self, request: LookAtFlowRequest) -> FlowSeen:
        there = [(name, *self.flows[name]) for name in request.names if name in self.flows]
        return FlowSeen(specs=tuple(SpecSeen(name=one, type="collection", publication=pub) for one, pub, _ in there))

    @activity.defn(name="estuary.try_flow")
    async def try_flow(self, request: TryFlowRequest) -> FlowTried:
        return FlowTried(changes=tuple(self._change(one) for one in request.specs))

    def _change(self, spec: FlowSpec) -> FlowChange:
        pub, live = self.flows.get(spec.name, (NOT_THERE, None))
        change = "create" if live is None else "unchanged" if live == spec.model else "update"
        return FlowChange(name=spec.name, type=spec.type, change=change, expect=pub)

    @activity.defn(name="estuary.publish_flow")
    async def publish(self, request: PublishFlowRequest) -> FlowPublished:
        if self.refuses is not None:
            raise self.refuses
        number = f"0a:00:00:00:00:00:00:{len(self.published) + 1:02x}"
        for one in request.specs:
            self.flows[one.name] = (number, one.model)
            self.published.append((one.name, one.model))
        return FlowPublished(publication=number)

    @activity.defn(name="neon.keep_connection")
    async def keep(self, request: KeepConnectionRequest) -> ConnectionKept:
        return ConnectionKept(host="h", port=1, database="orders", role="r", secret="banksman/neon/connections/x")

    @activity.defn(name="upstash.price_database")
    async def price(self, request: DatabaseRequest) -> DatabasePriced:
        return DatabasePriced(name=request.name, usd_cents=self.cents)

    @activity.defn(name="upstash.create_database")
    async def create(self, request: DatabaseRequest) -> DatabaseMade:
        if self.refuses is not None:
            raise self.refuses
        there = request.name in self.databases
        if not there:
            self.databases.add(request.name)
            self.made.append(request.name)
        return DatabaseMade(id="db-1", name=request.name, adopted=there)

    @activity.defn(name="upstash.look_at_database")
    async def look(self, request: LookAtDatabaseRequest) -> DatabaseSeen:
        return DatabaseSeen(id="db-1", name="shop-sessions", endpoint="h", port=1, tls=True, state="active")

    @activity.defn(name="upstash.grant_access")
    async def grant(self, request: GrantAccessRequest) -> AccessGranted:
        return AccessGranted(user="u", secret="banksman/upstash/logins/x", endpoint="h", port=1, tls=True)

    @activity.defn(name="upstash.check_access")
    async def check(self, request: CheckAccessRequest) -> AccessChecked:
        return AccessChecked(user="u")

    @activity.defn(name="qdrant.quote_cluster")
    async def quote(self, request: ClusterRequest) -> ClusterQuoted:
        return ClusterQuoted(package_id="p", package="free2", millicents_per_hour=0, existing=self.cluster)

    @activity.defn(name="qdrant.create_cluster")
    async def make(self, request: CreateClusterRequest) -> ClusterMade:
        self.cluster = "cl-1"
        self.made.append(request.name)
        return ClusterMade(id="cl-1")

    @activity.defn(name="qdrant.look_at_cluster")
    async def see(self, request: LookAtClusterRequest) -> ClusterSeen:
        return ClusterSeen(id="cl-1", name=request.name, phase="HEALTHY", url="https://q.example")

    @activity.defn(name="qdrant.issue_keys")
    async def issue(self, request: IssueKeysRequest) -> KeysIssued:
        return KeysIssued(reader="banksman/qdrant/x/reader", writer="banksman/qdrant/x/writer")

    @activity.defn(name="qdrant.check_database")
    async def open(self, request: ClusterDatabase) -> DatabaseAnswers:
        return DatabaseAnswers(collections=1)

    @activity.defn(name="qdrant.look_at_alias")
    async def alias(self, request: LookAtAliasRequest) -> AliasSeen:
        return AliasSeen(behind=self.behind, exists=True)


DENIED = application_error(ErrorType.POLICY_DENIED, "the account is not to be touched")
