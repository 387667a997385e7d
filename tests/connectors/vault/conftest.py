"""A bootstrapped OpenBao for all tests of this folder, and one of a test's own for what would disturb the others."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.vault import VaultSession
from tests.connectors.vault.server import House, VaultServer


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path)
    yield server
    server.stop()


@pytest_asyncio.fixture
async def house(vault_server: VaultServer) -> AsyncIterator[House]:
    house = await House.build(vault_server)
    yield house
    await house.close()


@pytest_asyncio.fixture
async def own_house(own_server: VaultServer) -> AsyncIterator[House]:
    house = await House.build(own_server)
    yield house
    await house.close()


@pytest_asyncio.fixture
async def connectors(house: House) -> VaultSession:
    return await house.login("connectors")
