"""The Vault of the embedded environment takes the ports that it was given, and none beside them."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from deploy.local.processes.ports import HOST, Ports
from deploy.local.state import StackFolder
from deploy.local.vault import EmbeddedVault
from tests.connectors.vault.server import BAO, until

pytestmark = pytest.mark.timeout(120)


def test_it_leaves_the_port_beside_its_own_to_whoever_was_given_that(tmp_path: Path) -> None:
    ports = Ports()
    folder = StackFolder(tmp_path)
    folder.make()
    vault = EmbeddedVault(folder, port=ports.take(0), cluster_port=ports.take(0), noted=lambda _: None)
    command = [BAO, "server", f"-config={vault.configure()}"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            until(lambda: b"server started!" in (tmp_path / "log").read_bytes(), what="OpenBao listens")
            asyncio.run(vault.open())
        finally:
            server.terminate()
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert f"starting listener: listener_address={HOST}:{vault.cluster_port}" in said
    assert f"{HOST}:{vault.port + 1}" not in said
    ports.release()
