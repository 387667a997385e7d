"""Steps that read and create at Upstash."""

from collections.abc import Sequence

from activities.upstash.copying import UpstashCopying
from activities.upstash.databases import UpstashDatabases, seller
from connectors.artifacts import ArtifactStore
from connectors.upstash.manifest import UPSTASH
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    url = means.settings.url_of(UPSTASH)
    return (
        UpstashDatabases(seller(url), means.vault),
        UpstashCopying(means.vault, artifacts=ArtifactStore(means.settings.artifacts), base_url=url),
    )
