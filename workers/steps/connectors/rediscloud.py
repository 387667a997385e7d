"""Steps that read and create at Redis Cloud."""

from collections.abc import Sequence

from activities.rediscloud.databases import RedisCloudDatabases, seller
from connectors.rediscloud.manifest import REDIS_CLOUD
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (RedisCloudDatabases(seller(means.settings.url_of(REDIS_CLOUD)), means.vault),)
