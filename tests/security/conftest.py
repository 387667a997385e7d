"""One OpenBao for the attacks on the gateway and a place of its own for each; a house for those on approvals."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from connectors.vault import VaultSession
from tests.connectors.vault.server import House, VaultServer
from tests.hitl.gateway.running import Place, place
from tests.workflows.approval.approving import POLICY
from tests.workflows.approval.approving import House as ApprovalHouse


@pytest.fixture(scope="session")
def gateway_vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway_vault(gateway_vault_server: VaultServer) -> AsyncIterator[VaultSession]:
    """The gateway's own standing."""
    house = await House.build(gateway_vault_server)
    yield await house.login("gateway")
    await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def here(client: Client, gateway_vault: VaultSession, tmp_path: Path) -> AsyncIterator[Place]:
    """Two people must approve; alice and bob can do so in Slack and in the console."""
    both = POLICY.replace("github:alice]", "github:alice, console:alice@acme.test]")
    both = both.replace("[slack:U0BOB]", "[slack:U0BOB, console:bob@acme.test]")
    async with place(client, gateway_vault, tmp_path, policy=both) as made:
        yield made


@pytest.fixture
def house(client: Client, tmp_path: Path) -> ApprovalHouse:
    """Workers for goals that ask people, and the hand that signs."""
    return ApprovalHouse(client, tmp_path)
