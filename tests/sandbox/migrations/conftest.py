"""One Vault and one sandbox for all tests here; Neon's twin with its clusters anew for each."""

import uuid
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.neon.migrations.running import Workplace
from connectors.artifacts import ArtifactStore
from connectors.neon.manifest import DESTRUCTIVE_KEY, KEY
from connectors.neon.twin.app import create_twin
from deploy.local.container_engine.found import DockerSettings, address_for_containers
from deploy.local.tools import CACHE
from deploy.vault.bootstrap import seed_secret
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.targets import DATABASE, TargetPattern
from sandbox.provisioning import Images
from sandbox.spec import MIB, Limits
from tests.activities.neon.lending import Bank
from tests.connectors.neon.at_neon import KEY_CANARY, AtNeon, config
from tests.connectors.serving import served_twin
from tests.connectors.vault.server import House as VaultHouse
from tests.connectors.vault.server import VaultServer
from tests.sandbox.conftest import leftovers
from tests.sandbox.migrations.working import Workshop

LIMITS = Limits(memory_bytes=256 * MIB, workspace_bytes=96 * MIB, tmp_bytes=16 * MIB, output_bytes=65536)


@pytest.fixture(scope="module")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture
async def migrating(engine: Engine, store: ArtifactStore, images: Images) -> AsyncIterator[DockerSandbox]:
    """A sandbox whose migrations may be led to the twin's computes."""
    gateway = await address_for_containers(DockerSettings(cache=CACHE))
    assert gateway is not None
    here = TargetPattern(host="127.0.0.1", port=None, by_way_of=IPv4Address(gateway))
    egress = EgressSettings(
        targets={DATABASE: (here,)}, kept_for={DATABASE: "migration"}, proxy_image=images.proxy.digest
    )
    options = SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:12]}", concurrency=2)
    sandbox = DockerSandbox(engine, store, options, egress)
    yield sandbox
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []


@pytest_asyncio.fixture
async def workshop(
    vault_server: VaultServer, migrating: DockerSandbox, store: ArtifactStore, image: str, tmp_path: Path
) -> AsyncIterator[Workshop]:
    vault = await VaultHouse.build(vault_server)
    for secret in (KEY, DESTRUCTIVE_KEY):
        key = {"key": SecretStr(KEY_CANARY)}
        await seed_secret(address=vault_server.address, token=vault_server.root, path=secret.path, values=key)
    gateway = await address_for_containers(DockerSettings(cache=CACHE))
    twin = create_twin(config(tmp_path, operation_seconds=0.05, containers=gateway and IPv4Address(gateway)))
    with served_twin(twin) as served:
        bank = Bank(vault, AtNeon(served), await vault.login("connectors"))
        yield Workshop(
            bank=bank,
            sandbox=migrating,
            place=Workplace(migrating, image, LIMITS),
            store=store,
            sandbox_vault=await vault.login("sandbox"),
            destructive_vault=await vault.login("destructive"),
            tree=Workshop.repository(tmp_path / "repository"),
        )
        for role in bank.listed("banksman-neon/roles"):
            vault.server.admin("PUT", f"sys/leases/revoke-force/banksman-neon/creds/{role}")
            vault.server.admin("DELETE", f"banksman-neon/roles/{role}")
        for connection in bank.listed("banksman-neon/config"):
            vault.server.admin("DELETE", f"banksman-neon/config/{connection}")
    await vault.close()
