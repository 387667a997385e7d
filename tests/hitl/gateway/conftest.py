"""One OpenBao for the tests of this folder, and a place of its own for each test."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.guard.key_ring import KeyRing
from connectors.vault import VaultSession
from tests.connectors.vault.server import House, VaultServer
from tests.hitl.gateway.running import ONE, Place, place, workspace
from tests.hitl.gateway.stepping import Steps
from tests.workflows.approval.approving_steps import StepsHouse


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def vault(vault_server: VaultServer) -> AsyncIterator[VaultSession]:
    """The gateway's own standing."""
    house = await House.build(vault_server)
    yield await house.login("gateway")
    await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def here(client: Client, vault: VaultSession, tmp_path: Path) -> AsyncIterator[Place]:
    """Two people must approve."""
    async with place(client, vault, tmp_path) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def one(client: Client, vault: VaultSession, tmp_path: Path) -> AsyncIterator[Place]:
    """One person is enough."""
    async with place(client, vault, tmp_path, policy=ONE) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(vault_server: VaultServer) -> AsyncIterator[VaultSession]:
    """The destructive worker's own standing."""
    house = await House.build(vault_server)
    yield await house.login("destructive")
    await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def steps(client: Client, vault: VaultSession, ledger: VaultSession, tmp_path: Path) -> AsyncGenerator[Steps]:
    house = StepsHouse(client, tmp_path, ledger)
    house.keys = KeyRing(lambda: vault.public_keys("approvals"))
    with workspace() as slack:
        made = Steps(house, slack, vault, tmp_path)
        yield made
        kinds = "'TestTakeDown', 'Approval', 'ApprovalNotice'"
        async for one in client.list_workflows(f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Running'"):
            await client.get_workflow_handle(one.id, run_id=one.run_id).terminate()
