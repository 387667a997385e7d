"""Where Redis Cloud's published description is."""

from typing import Final

from tests.connectors.description import Published

REDIS_CLOUD: Final = Published("redis-cloud.json", prefix="/v1")
