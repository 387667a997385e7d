"""The steps of each provider of Redis databases."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from activities.redis.contracts import DatabaseSteps
from activities.rediscloud.contracts import DATABASES as REDIS_CLOUD
from activities.upstash.contracts import DATABASES as UPSTASH
from workflows.redis.goals import RedisProvider

SELLERS: Final[Mapping[RedisProvider, DatabaseSteps]] = MappingProxyType(
    {RedisProvider.UPSTASH: UPSTASH, RedisProvider.REDIS_CLOUD: REDIS_CLOUD}
)
