"""The steps that buy and delete at Qdrant."""

from collections.abc import Sequence

from activities.qdrant.buying import ClusterPurchase
from activities.qdrant.deleting import ClusterDeletion
from connectors.qdrant.manifest import QDRANT
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    address = means.settings.url_of(QDRANT)
    return (ClusterPurchase(means.secrets, base_url=address), ClusterDeletion(means.secrets, base_url=address))
