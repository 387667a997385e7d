"""The steps on Neon, in front of its twin, whose operations end while a client asks after them once."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.neon.twin.app import create_twin
from tests.activities.neon.at_neon import House
from tests.activities.neon.lending import Bank, lending
from tests.connectors.neon.at_neon import AtNeon, config
from tests.connectors.serving import served_twin
from tests.connectors.vault.server import House as VaultHouse
from tests.connectors.vault.server import VaultServer


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("connectors.neon.client._SHOWS_WITHIN", timedelta(seconds=1))
    with served_twin(create_twin(config(tmp_path, operation_seconds=0.05))) as served:
        yield House(AtNeon(served))


@pytest.fixture(scope="module")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture
async def bank(vault_server: VaultServer, tmp_path: Path) -> AsyncIterator[Bank]:
    vault = await VaultHouse.build(vault_server)
    async with lending(vault, tmp_path) as bank:
        bank.asked("CREATE TABLE orders AS SELECT 1 AS id; CREATE SCHEMA app; CREATE TABLE app.carts (id serial)")
        yield bank
        for role in bank.listed("banksman-neon/roles"):
            vault.server.admin("PUT", f"sys/leases/revoke-force/banksman-neon/creds/{role}")
            vault.server.admin("DELETE", f"banksman-neon/roles/{role}")
        for connection in bank.listed("banksman-neon/config"):
            vault.server.admin("DELETE", f"banksman-neon/config/{connection}")
    await vault.close()
