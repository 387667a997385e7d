"""The step that deletes a cluster at Qdrant Cloud, by a grant; for the destructive worker."""

from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.qdrant.clusters import account_of
from activities.qdrant.removal_contracts import DELETE_CLUSTER, ClusterDeleted, DeleteClusterParameters
from activities.step import implements
from connectors.errors import Conflict, NotFound
from connectors.http import Api
from connectors.qdrant import manifest
from connectors.qdrant.client import dialect


class ClusterDeletion:
    """The step. Its key is out of every other process's reach.

    Args:
        secrets: Hands the key out.
        base_url: Where Qdrant Cloud's management API is.
    """

    def __init__(self, secrets: DestructiveSecrets, *, base_url: str) -> None:
        self._secrets, self._api = secrets, Api(dialect(manifest.DELETING_KEY), base_url=base_url)

    @implements(DELETE_CLUSTER)
    async def delete_cluster(self, request: GrantedRequest) -> ClusterDeleted:
        """Delete the cluster that was approved, by its id and under its name; its backups stay.

        Idempotent by the id, which no other cluster gets: one that is gone, by whomever, is what was wanted.

        Raises:
            Conflict: It has another name by now, and is kept.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        approved = request.approved().parameters_as(DeleteClusterParameters)
        key = await self._secrets.read(manifest.DELETE)
        async with account_of(self._api, key.fields, manifest.DELETING_KEY) as account:
            try:
                found = await account.cluster(approved.cluster)
            except NotFound:
                return ClusterDeleted(name=approved.resource, already_gone=current_attempt().use is Use.FIRST)
            if found.name != approved.resource:
                raise Conflict(
                    f"the cluster {approved.cluster!r} was called {approved.resource!r} when people approved its "
                    f"deletion, and has another name now: it is kept"
                )
            await key.last_look()
            await account.delete_cluster(approved.cluster)
        return ClusterDeleted(name=approved.resource)
