"""Qdrant Cloud's management API, as far as it is needed. It documents no limits; a 429 may come all the same.

Facts: the API's own description. A cluster's name need not be its own, so clusters are told apart by their label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import JsonValue, SecretStr

from connectors.errors import AuthDenied, InvalidRequest, MalformedAnswer, NotFound
from connectors.http import Call, Dialect, HeaderAuth, Problem, Session, by_cursor, member, pages
from connectors.provider import Secret
from connectors.qdrant.manifest import QDRANT
from connectors.qdrant.models import (
    FREE,
    MARK_LABEL,
    AccessRule,
    AskForQuote,
    Backup,
    BackupSchedule,
    Cluster,
    Configuration,
    CreateBackupSchedule,
    CreateCluster,
    CreateDatabaseKey,
    DatabaseKey,
    GlobalAccess,
    Label,
    MadeDatabaseKey,
    NewBackupSchedule,
    NewCluster,
    NewDatabaseKey,
    Package,
    Quote,
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

READER: Final = "GLOBAL_ACCESS_RULE_ACCESS_TYPE_READ_ONLY"
WRITER: Final = "GLOBAL_ACCESS_RULE_ACCESS_TYPE_MANAGE"

_ACTIVE: Final = frozenset({"PACKAGE_STATUS_ACTIVE", "PACKAGE_STATUS_UNSPECIFIED"})
_DOLLARS: Final = "USD"
_PAGE: Final = "100"


def dialect(secret: Secret) -> Dialect:
    """How Qdrant Cloud speaks to who calls with this secret."""
    return Dialect(provider=QDRANT, secret=secret, problem=_problem)


def _problem(body: JsonValue) -> Problem:
    """A `google.rpc.Status`."""
    return Problem(str(member(body, "code") or ""), str(member(body, "message") or ""))


@dataclass(frozen=True)
class ManagementKey:
    """Who calls, as Vault keeps it.

    Attributes:
        account: Its id.
        auth: Puts the key into each request.
    """

    account: str
    auth: httpx.Auth

    @classmethod
    def of(cls, fields: Mapping[str, SecretStr], secret: Secret) -> "ManagementKey":
        """From the fields of a secret.

        Raises:
            AuthDenied: A field is missing there.
        """
        if missing := sorted({"account", "api_key"} - fields.keys()):
            raise AuthDenied(f"Vault's secret {secret.path!r} lacks {', '.join(missing)}: put them there")
        header = {"Authorization": f"apikey {fields['api_key'].get_secret_value()}"}
        return cls(fields["account"].get_secret_value(), HeaderAuth(header))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A cluster that somebody wants.

    Attributes:
        provider: The cloud, as Qdrant names it: `aws`.
        region: As Qdrant names it: `eu-central-1`.
        nodes: How many.
    """

    name: str
    provider: str
    region: str
    package_id: str
    nodes: int


class Account:
    """One account, for as long as its session lasts.

    Args:
        session: Asks.
        account: Its id.
    """

    def __init__(self, session: Session, account: str) -> None:
        self._session, self._account = session, account

    def _path(self, **more: str) -> dict[str, str]:
        return {"account": self._account, **more}

    async def clusters(self) -> list[Cluster]:
        """All that there are; one that is being deleted is none any more.

        Raises:
            ConnectorError: By the tree.
        """
        first = Call(LIST_CLUSTERS, "the clusters", path=self._path(), query={"pageSize": _PAGE})
        found = pages(self._session, first, by_cursor(lambda page: page.next_page_token, parameter="pageToken"))
        return [one async for page in found for one in page.items if one.deleted_at is None]

    async def marked(self, mark: str) -> Sequence[Cluster]:
        """Those that a goal with this mark made."""
        return [one for one in await self.clusters() if one.marked(mark)]

    async def cluster(self, cluster_id: str) -> Cluster:
        """One, by its id.

        Raises:
            NotFound: There is none, or it is being deleted.
            ConnectorError: By the tree.
        """
        gone = f"Qdrant Cloud has no cluster {cluster_id!r} any more: somebody deleted it"
        asked = Call(GET_CLUSTER, f"the cluster {cluster_id!r}", path=self._path(cluster=cluster_id), missing=gone)
        found = (await self._session.ask(asked)).cluster
        if found.deleted_at is not None:
            raise NotFound(gone)
        return found

    async def create_cluster(self, wanted: Wanted, mark: str) -> Cluster:
        """Make one with this mark.

        Raises:
            ConnectorError: By the tree; `OutcomeUnknown` where it may have been made.
        """
        made = NewCluster(
            name=wanted.name,
            cloud_provider_id=wanted.provider,
            cloud_provider_region_id=wanted.region,
            labels=(Label(key=MARK_LABEL, value=mark),),
            configuration=Configuration(number_of_nodes=wanted.nodes, package_id=wanted.package_id),
        )
        what = f"a cluster {wanted.name!r}"
        asked = Call(CREATE_CLUSTER, what, path=self._path(), body=CreateCluster(cluster=made))
        return (await self._session.ask(asked)).cluster

    async def delete_cluster(self, cluster_id: str) -> None:
        """Delete one with all that is in it, for good; its backups stay. One that is gone is gone."""
        asked = Call(DELETE_CLUSTER, f"the end of the cluster {cluster_id!r}", path=self._path(cluster=cluster_id))
        try:
            await self._session.ask(asked)
        except NotFound:
            return

    async def backups(self, cluster_id: str) -> Sequence[Backup]:
        """What there is of a cluster besides itself."""
        what = f"the backups of the cluster {cluster_id!r}"
        first = Call(LIST_BACKUPS, what, path=self._path(), query={"clusterId": cluster_id, "pageSize": _PAGE})
        found = pages(self._session, first, by_cursor(lambda page: page.next_page_token, parameter="pageToken"))
        return [one async for page in found for one in page.items if one.deleted_at is None]

    async def package(self, name: str, *, provider: str, region: str) -> Package:
        """The one of that name or id.

        Raises:
            InvalidRequest: There is none in this region, or several have that name.
            ConnectorError: By the tree.
        """
        where = {"cloudProviderId": provider, "cloudProviderRegionId": region}
        listed = await self._session.ask(Call(LIST_PACKAGES, "the packages", path=self._path(), query=where))
        active = [one for one in listed.items if one.status in _ACTIVE]
        found = [one for one in active if name in {one.id, one.name}]
        if len(found) != 1:
            known = ", ".join(sorted({one.name or one.id for one in active})[:20]) or "none at all"
            raise InvalidRequest(
                f"Qdrant Cloud has {len(found)} packages {name!r} in {provider} {region}: name one by its id; there "
                f"are {known}"
            )
        return found[0]

    async def price(self, wanted: Wanted) -> int:
        """What it would cost now, for all nodes: thousandths of a US cent an hour.

        Raises:
            InvalidRequest: There is no such package, or its price is in another currency.
            MalformedAnswer: There is no price, and it is not free.
            ConnectorError: By the tree.
        """
        package = await self.package(wanted.package_id, provider=wanted.provider, region=wanted.region)
        quote = await self._quote(wanted)
        if quote.currency != _DOLLARS:
            raise InvalidRequest(
                f"Qdrant Cloud tells the price of {wanted.name!r} in {quote.currency!r}, and not in {_DOLLARS}"
            )
        # A zero may be left out of an answer, and looks then like a price that is missing.
        if quote.discounted_price_per_hour == 0 and package.type != FREE:
            raise MalformedAnswer(f"Qdrant Cloud tells no price of {wanted.name!r}, and {package.id!r} is not free")
        return quote.discounted_price_per_hour

    async def _quote(self, wanted: Wanted) -> Quote:
        body = AskForQuote(
            cloud_provider_id=wanted.provider,
            cloud_provider_region_id=wanted.region,
            number_of_nodes=wanted.nodes,
            package_id=wanted.package_id,
        )
        return await self._session.ask(Call(GET_QUOTE, f"the price of {wanted.name!r}", path=self._path(), body=body))

    async def keys(self, cluster_id: str, name: str) -> Sequence[DatabaseKey]:
        """The keys of a cluster that have this name."""
        what = f"the keys of the cluster {cluster_id!r}"
        asked = Call(LIST_KEYS, what, path=self._path(), query={"clusterId": cluster_id})
        listed = await self._session.ask(asked)
        return [one for one in listed.items if one.name == name and one.cluster_id in {cluster_id, ""}]

    async def create_key(self, cluster_id: str, name: str, access: str) -> MadeDatabaseKey:
        """Make a key; this answer alone shows it.

        Args:
            cluster_id: Whose.
            name: Its own; several may have it.
            access: `READER` or `WRITER`.

        Raises:
            ConnectorError: By the tree; `OutcomeUnknown` where it may have been made, and nobody knows it.
        """
        rules = (AccessRule(global_access=GlobalAccess(access_type=access)),)
        body = CreateDatabaseKey(database_api_key=NewDatabaseKey(cluster_id=cluster_id, name=name, access_rules=rules))
        asked = Call(CREATE_KEY, f"a key {name!r} of the cluster {cluster_id!r}", path=self._path(), body=body)
        return (await self._session.ask(asked)).database_api_key

    async def delete_key(self, cluster_id: str, key: DatabaseKey) -> None:
        """End a key; one that is gone is gone."""
        what = f"the end of the key {key.name!r} of the cluster {cluster_id!r}"
        query = {"clusterId": cluster_id}
        try:
            await self._session.ask(Call(DELETE_KEY, what, path=self._path(key=key.id), query=query))
        except NotFound:
            return

    async def schedules(self, cluster_id: str) -> Sequence[BackupSchedule]:
        """When backups are made of a cluster."""
        what = f"the backup schedules of the cluster {cluster_id!r}"
        first = Call(LIST_SCHEDULES, what, path=self._path(), query={"clusterId": cluster_id, "pageSize": _PAGE})
        found = pages(self._session, first, by_cursor(lambda page: page.next_page_token, parameter="pageToken"))
        return [one async for page in found for one in page.items if one.deleted_at is None]

    async def create_schedule(self, cluster_id: str, *, cron: str, days: int, name: str) -> BackupSchedule:
        """Have backups made of a cluster, each kept for some days.

        Raises:
            ConnectorError: By the tree; `OutcomeUnknown` where it may have been made.
        """
        made = NewBackupSchedule(
            cluster_id=cluster_id, schedule=cron, retention_period=f"{days * 86_400}s", display_name=name
        )
        what = f"a backup schedule of the cluster {cluster_id!r}"
        body = CreateBackupSchedule(backup_schedule=made)
        return (await self._session.ask(Call(CREATE_SCHEDULE, what, path=self._path(), body=body))).backup_schedule
