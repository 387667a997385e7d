"""Steps that read at Qdrant, and make what the policy lets a goal make by itself."""

from collections.abc import Sequence

from activities.qdrant.clearing import ClusterClearing
from activities.qdrant.clusters import ClusterActivities
from activities.qdrant.collections import CollectionActivities
from activities.qdrant.copying import QdrantCopying
from connectors.artifacts import ArtifactStore
from connectors.qdrant.manifest import QDRANT
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    address = means.settings.url_of(QDRANT)
    return (
        ClusterActivities(means.vault, base_url=address),
        ClusterClearing(means.vault, base_url=address),
        CollectionActivities(means.vault),
        QdrantCopying(means.vault, artifacts=ArtifactStore(means.settings.artifacts), base_url=address),
    )
