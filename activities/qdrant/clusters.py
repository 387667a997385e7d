"""Steps on clusters of Qdrant Cloud that read, or make what the policy lets a goal make by itself."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from temporalio import activity

from activities.creation import created_for_step
from activities.qdrant.contracts import (
    CREATE_CLUSTER,
    ISSUE_KEYS,
    LOOK_AT_CLUSTER,
    QUOTE_CLUSTER,
    SCHEDULE_BACKUPS,
    BackupsScheduled,
    ClusterMade,
    ClusterQuoted,
    ClusterRequest,
    ClusterSeen,
    CreateClusterRequest,
    IssueKeysRequest,
    KeysIssued,
    LookAtClusterRequest,
    ScheduleBackupsRequest,
)
from activities.secrets import KeepingTokens, keeper_for_step, secret_for_step
from activities.step import implements
from connectors.creation import Creation, mark
from connectors.errors import Conflict, OutcomeUnknown, Unavailable
from connectors.http import Api
from connectors.provider import Secret
from connectors.qdrant import manifest
from connectors.qdrant.client import READER, WRITER, Account, ManagementKey, Wanted, dialect
from connectors.qdrant.models import BackupSchedule, Cluster, MadeDatabaseKey

SHOWS_WITHIN: Final = timedelta(seconds=30)
"""How long a cluster that was made may take until a list has it."""

_PHASE: Final = "CLUSTER_PHASE_"


def mark_of(name: str, part: str = "") -> str:
    """What the step's goal marks its cluster of this name with, and each of its keys."""
    return mark(activity.info().workflow_id or "", f"{name}/{part}" if part else name)


class ClusterActivities:
    """The steps.

    Args:
        vault: Makes the tokens that read the keys, and keep those that are made.
        base_url: Where Qdrant Cloud's management API is.
    """

    def __init__(self, vault: KeepingTokens, *, base_url: str) -> None:
        self._vault = vault
        self._reads = Api(dialect(manifest.READING_KEY), base_url=base_url)
        self._writes = Api(dialect(manifest.WRITING_KEY), base_url=base_url)

    @implements(QUOTE_CLUSTER)
    async def quote_cluster(self, request: ClusterRequest) -> ClusterQuoted:
        """Tell what a cluster would cost, and whether this goal has made it before.

        Raises:
            Conflict: Another one has its name, by which Vault keeps its keys; or this goal's is not as it is wanted.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading() as account:
            existing = _mine(await account.clusters(), request.name)
            package = await account.package(request.package, provider=request.provider, region=request.region)
            wanted = Wanted(
                name=request.name,
                provider=request.provider,
                region=request.region,
                package_id=package.id,
                nodes=request.nodes,
            )
            if existing is not None:
                _require_same(existing, wanted)
            price = await account.price(wanted)
        return ClusterQuoted(
            package_id=package.id,
            package=package.name or package.id,
            millicents_per_hour=price,
            existing=existing.id if existing is not None else None,
        )

    @implements(CREATE_CLUSTER)
    async def create_cluster(self, request: CreateClusterRequest) -> ClusterMade:
        """Make a cluster, at no higher a price than the policy was told; one that an earlier attempt made is adopted.

        Raises:
            Conflict: It costs more, and nothing was made.
            ConnectorError: As the tree says.
        """
        wanted = Wanted(**request.model_dump(exclude={"millicents_per_hour"}))
        async with secret_for_step(self._vault, manifest.WRITE) as fields, self._writing(fields) as account:
            return await make_cluster(
                account, wanted, at_most=request.millicents_per_hour, create=account.create_cluster
            )

    @implements(LOOK_AT_CLUSTER)
    async def look_at_cluster(self, request: LookAtClusterRequest) -> ClusterSeen:
        """Tell where a cluster stands.

        Raises:
            NotFound: Somebody deleted it.
            ConnectorError: As the tree says.
        """
        async with self._reading() as account:
            found = await account.cluster(request.id)
        return ClusterSeen(
            id=found.id,
            name=found.name,
            phase=found.state.phase.removeprefix(_PHASE),
            reason=found.state.reason[:500],
            url=found.state.endpoint.address,
            version=found.state.version,
            package_id=found.configuration.package_id,
            nodes=found.configuration.number_of_nodes,
            ours=found.marked(mark_of(request.name)),
        )

    @implements(ISSUE_KEYS)
    async def issue_keys(self, request: IssueKeysRequest) -> KeysIssued:
        """See that a cluster has a key that reads and one that does all, and that Vault keeps them.

        A key is shown once. One whose answer was lost, or that never reached Vault, is of no use to anybody: another
        attempt makes a new one, keeps it, and then ends every other of its name. Where the database is this step asks
        Qdrant itself: a goal could be lied to, and the key would go there.

        Raises:
            Conflict: The cluster has another name by now.
            Unavailable: It has no address yet.
            ConnectorError: As the tree says; never `OutcomeUnknown`.
        """
        adopted = False
        async with keeper_for_step(self._vault, manifest.ISSUE) as keeper, self._writing(keeper.fields) as account:
            url = _address(await account.cluster(request.id), request.name)
            for secret, access in ((manifest.READERS, READER), (manifest.WRITERS, WRITER)):
                name = mark_of(request.name, secret.path)
                there = await account.keys(request.id, name)
                if there and not request.anew and activity.info().attempt == 1:
                    adopted = True
                else:
                    made = await _issue(account, request.id, name=name, access=access)
                    await keeper.keep(secret, {"url": SecretStr(url), "api_key": made.key}, request.name)
                    await _end_others(account, request.id, made)
        reader, writer = (one.at(request.name) for one in (manifest.READERS, manifest.WRITERS))
        return KeysIssued(reader=reader, writer=writer, adopted=adopted)

    @implements(SCHEDULE_BACKUPS)
    async def schedule_backups(self, request: ScheduleBackupsRequest) -> BackupsScheduled:
        """See that backups are made of a cluster at these times.

        Raises:
            ConnectorError: As the tree says.
        """
        async with secret_for_step(self._vault, manifest.WRITE) as fields, self._writing(fields) as account:

            async def find(_: str) -> list[BackupSchedule]:
                kept = f"{request.days * 86_400}s"
                every = await account.schedules(request.id)
                # Two with the same times and the same end do what one does: the first is as good.
                return [one for one in every if (one.schedule, one.retention_period) == (request.cron, kept)][:1]

            async def create(label: str) -> BackupSchedule:
                return await account.create_schedule(request.id, cron=request.cron, days=request.days, name=label)

            what = f"a backup schedule of {request.name!r}"
            made = await created_for_step(
                Creation(what=what, find=find, create=create, id_of=lambda one: one.id, shows_within=SHOWS_WITHIN)
            )
        return BackupsScheduled(id=made.resource.id)

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Account]:
        async with (
            secret_for_step(self._vault, manifest.READ) as fields,
            account_of(self._reads, fields, manifest.READING_KEY) as account,
        ):
            yield account

    def _writing(self, fields: Mapping[str, SecretStr]) -> contextlib.AbstractAsyncContextManager[Account]:
        return account_of(self._writes, fields, manifest.WRITING_KEY)


@contextlib.asynccontextmanager
async def account_of(api: Api, fields: Mapping[str, SecretStr], secret: Secret) -> AsyncGenerator[Account]:
    """The account, by a key as Vault keeps it."""
    key = ManagementKey.of(fields, secret)
    async with api.open(key.auth) as session:
        yield Account(session, key.account)


async def make_cluster(
    account: Account, wanted: Wanted, *, at_most: int, create: Callable[[Wanted, str], Awaitable[Cluster]]
) -> ClusterMade:
    """See that the goal of the step that runs now has this cluster.

    Args:
        account: Where it is looked for.
        wanted: Which one.
        at_most: Thousandths of a US cent an hour; where it costs more, none is made.
        create: Makes one with a mark.

    Raises:
        Conflict: It costs more.
        ConnectorError: As the tree says.
    """
    if not await account.marked(mark_of(wanted.name)) and (price := await account.price(wanted)) > at_most:
        raise Conflict(
            f"{wanted.name!r} now costs {price} millicents an hour, and may cost {at_most}: none was made; ask again"
        )
    creation = Creation(
        what=f"a cluster {wanted.name!r}",
        find=account.marked,
        create=lambda label: create(wanted, label),
        id_of=lambda one: one.id,
        shows_within=SHOWS_WITHIN,
    )
    made = await created_for_step(creation, wanted.name)
    return ClusterMade(id=made.resource.id, adopted=made.adopted)


def _mine(clusters: list[Cluster], name: str) -> Cluster | None:
    """The one that this goal has made.

    Raises:
        Conflict: Another one has its name, or there are several.
    """
    label = mark_of(name)
    mine = [one for one in clusters if one.marked(label)]
    others = [one.id for one in clusters if one.name == name and not one.marked(label)]
    if others:
        raise Conflict(
            f"Qdrant Cloud has a cluster {name!r} that this goal did not make ({', '.join(others)}): take another name"
        )
    if len(mine) > 1:
        ids = ", ".join(one.id for one in mine)
        raise Conflict(f"this goal has {len(mine)} clusters {name!r}: delete all but one of {ids}")
    return mine[0] if mine else None


def _require_same(existing: Cluster, wanted: Wanted) -> None:
    """No goal changes a cluster.

    Raises:
        Conflict: It is elsewhere, or has another size.
    """
    made = existing.configuration
    there = (existing.cloud_provider_id, existing.cloud_provider_region_id, made.package_id, made.number_of_nodes)
    if there != (wanted.provider, wanted.region, wanted.package_id, wanted.nodes):
        provider, region, package, nodes = there
        raise Conflict(
            f"the cluster {wanted.name!r} is there with {nodes} × {package!r} in {provider} {region}, and is not "
            "changed: ask for that, or change it in Qdrant's console first"
        )


def _address(cluster: Cluster, name: str) -> str:
    if cluster.name != name:
        raise Conflict(f"the cluster {cluster.id!r} is called {cluster.name!r}, and not {name!r} any more")
    if not (address := cluster.state.endpoint.address):
        raise Unavailable(f"the cluster {name!r} has no address yet")
    return address


async def _issue(account: Account, cluster: str, *, name: str, access: str) -> MadeDatabaseKey:
    try:
        return await account.create_key(cluster, name, access)
    except OutcomeUnknown as error:
        # Nobody will ever know that key, so that nothing is lost by another, which ends it.
        raise Unavailable(f"{error}; another is issued, and that one ended") from error


async def _end_others(account: Account, cluster: str, kept: MadeDatabaseKey) -> None:
    for other in await account.keys(cluster, kept.name):
        if other.id != kept.id:
            await account.delete_key(cluster, other)
