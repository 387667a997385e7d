"""Steps that buy and delete at Redis Cloud."""

from collections.abc import Sequence

from activities.rediscloud.databases import RedisCloudGrantedDatabases, seller
from connectors.rediscloud.manifest import REDIS_CLOUD
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (RedisCloudGrantedDatabases(seller(means.settings.url_of(REDIS_CLOUD)), means.secrets),)
