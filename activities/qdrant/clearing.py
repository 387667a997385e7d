"""Steps around a cluster's removal that the connectors worker does: look at it before, and forget its keys after."""

from activities.qdrant.clusters import account_of
from activities.qdrant.removal_contracts import (
    FORGET_CLUSTER,
    INSPECT_CLUSTER,
    MOST_TOLD,
    ClusterForgotten,
    ClusterInspected,
    ForgetClusterRequest,
    InspectClusterRequest,
)
from activities.secrets import KeepingTokens, keeper_for_step, secret_for_step
from activities.step import implements
from connectors.errors import Conflict, NotFound
from connectors.http import Api
from connectors.qdrant import manifest
from connectors.qdrant.client import Account, dialect
from connectors.qdrant.models import Backup, Cluster


class ClusterClearing:
    """The steps.

    Args:
        vault: Makes the tokens that read the key, and that forget what opened a database.
        base_url: Where Qdrant Cloud's management API is.
    """

    def __init__(self, vault: KeepingTokens, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(dialect(manifest.READING_KEY), base_url=base_url)

    @implements(INSPECT_CLUSTER)
    async def inspect_cluster(self, request: InspectClusterRequest) -> ClusterInspected:
        """Tell of a cluster what people should know before it goes.

        Raises:
            NotFound: There is none of that name or id.
            Conflict: There are several.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with (
            secret_for_step(self._vault, manifest.READ) as fields,
            account_of(self._api, fields, manifest.READING_KEY) as account,
        ):
            found = await _the_one(account, request.cluster)
            backups = sorted(await account.backups(found.id), key=lambda one: one.created_at, reverse=True)
        return ClusterInspected(
            id=found.id,
            name=found.name,
            phase=found.state.phase.removeprefix("CLUSTER_PHASE_"),
            provider=found.cloud_provider_id,
            region=found.cloud_provider_region_id,
            nodes=found.configuration.number_of_nodes,
            backups=tuple(_told(one) for one in backups[:MOST_TOLD]),
            all_backups=len(backups),
        )

    @implements(FORGET_CLUSTER)
    async def forget_cluster(self, request: ForgetClusterRequest) -> ClusterForgotten:
        """Remove from Vault what opened a cluster that is gone. Safe to repeat.

        Raises:
            Conflict: There is a cluster of that name: its keys stay.
            ConnectorError: As the tree says.
        """
        async with (
            keeper_for_step(self._vault, manifest.FORGET) as keeper,
            account_of(self._api, keeper.fields, manifest.READING_KEY) as account,
        ):
            if there := [one.id for one in await account.clusters() if one.name == request.cluster]:
                raise Conflict(
                    f"Qdrant Cloud has a cluster {request.cluster!r} ({', '.join(there)}): what opens it stays in "
                    "Vault until it is deleted"
                )
            secrets = (manifest.READERS, manifest.WRITERS)
            for secret in secrets:
                await keeper.forget(secret, request.cluster)
        return ClusterForgotten(paths=tuple(one.at(request.cluster) for one in secrets))


async def _the_one(account: Account, cluster: str) -> Cluster:
    found = [one for one in await account.clusters() if cluster in {one.id, one.name}]
    if not found:
        raise NotFound(f"Qdrant Cloud has no cluster {cluster!r}: it was deleted, or has another name")
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise Conflict(
            f"Qdrant Cloud has {len(found)} clusters {cluster!r}: name the one that is to go by its id, of {ids}"
        )
    return found[0]


def _told(one: Backup) -> str:
    status = one.status.removeprefix("BACKUP_STATUS_").lower()
    return f"{one.name or one.id} of {one.created_at or 'an unknown time'}, {status or 'in no state'}"[:200]
