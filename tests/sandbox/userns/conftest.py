"""The engine of these tests gives containers a user namespace of their own; all else is as beside them."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.container_engine.found import docker_engine
from sandbox.docker.engine import Engine
from sandbox.provisioning import Images
from tests.sandbox.attacks.conftest import attack
from tests.sandbox.test_user_namespace import SETTINGS, bring

__all__ = ["attack"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def remapped_host(engine_host: str, images: Images) -> AsyncIterator[str]:
    """A second engine, with the first one's image; gone with the module, for others restart it."""
    async with docker_engine(SETTINGS) as host:
        first, second = Engine(engine_host), Engine(host)
        await bring(first, second, images.base.digest)
        await first.close()
        await second.close()
        yield host


@pytest_asyncio.fixture
async def engine(remapped_host: str) -> AsyncIterator[Engine]:
    engine = Engine(remapped_host)
    yield engine
    await engine.close()
