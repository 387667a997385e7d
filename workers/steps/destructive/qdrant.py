"""The step that buys at Qdrant."""

from collections.abc import Sequence

from activities.qdrant.buying import ClusterPurchase
from connectors.qdrant.manifest import QDRANT
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (ClusterPurchase(means.secrets, base_url=means.settings.url_of(QDRANT)),)
