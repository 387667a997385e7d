"""Steps that read and create at Redis Cloud."""

from collections.abc import Sequence

from activities.rediscloud.copying import RedisCloudCopying
from activities.rediscloud.databases import RedisCloudDatabases, seller
from connectors.artifacts import ArtifactStore
from connectors.rediscloud.manifest import REDIS_CLOUD
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    url = means.settings.url_of(REDIS_CLOUD)
    return (
        RedisCloudDatabases(seller(url), means.vault),
        RedisCloudCopying(means.vault, artifacts=ArtifactStore(means.settings.artifacts), base_url=url),
    )
