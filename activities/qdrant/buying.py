"""The step that buys a cluster at Qdrant Cloud, by a grant; for the destructive worker: what is spent is spent."""

from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.qdrant.clusters import account_of, make_cluster
from activities.qdrant.contracts import BUY_CLUSTER, BuyClusterParameters, ClusterMade
from activities.step import implements
from connectors.http import Api
from connectors.qdrant import manifest
from connectors.qdrant.client import Wanted, dialect
from connectors.qdrant.models import Cluster


class ClusterPurchase:
    """The step. Its key is out of every other process's reach.

    Args:
        secrets: Hands the key out.
        base_url: Where Qdrant Cloud's management API is.
    """

    def __init__(self, secrets: DestructiveSecrets, *, base_url: str) -> None:
        self._secrets, self._api = secrets, Api(dialect(manifest.BUYING_KEY), base_url=base_url)

    @implements(BUY_CLUSTER)
    async def buy_cluster(self, request: GrantedRequest) -> ClusterMade:
        """Buy the cluster that was approved, at no higher a price; one that an earlier attempt bought is adopted.

        Raises:
            Conflict: It has become more expensive, and nothing was bought.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        approved = request.approved().parameters_as(BuyClusterParameters)
        key = await self._secrets.read(manifest.BUY)
        wanted = Wanted(
            name=approved.resource,
            provider=approved.provider,
            region=approved.region,
            package_id=approved.package_id,
            nodes=approved.nodes,
        )
        async with account_of(self._api, key.fields, manifest.BUYING_KEY) as account:

            async def create(wanted: Wanted, mark: str) -> Cluster:
                await key.last_look()
                return await account.create_cluster(wanted, mark)

            return await make_cluster(account, wanted, at_most=approved.millicents_per_hour, create=create)
