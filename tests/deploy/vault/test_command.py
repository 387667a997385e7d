"""`python -m deploy.vault`: the token by file or standard input, what it says, and what it leaves."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.vault import Deliverer, WrappedSecretId
from tests.connectors.vault.server import VaultServer, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


def command(*arguments: str, token: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.vault", *arguments],
        input=token,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


async def test_checks_then_changes_then_has_nothing_to_do(server: VaultServer, tmp_path: Path) -> None:
    root = server.root.get_secret_value()
    checked = command("--address", server.address, "--check", token=root)
    assert checked.returncode == 0
    assert "created policy connectors" in checked.stdout
    assert "banksman/" not in str(server.data("sys/mounts"))

    kept = tmp_path / "deliverer-token"
    made = command("--address", server.address, "--deliverer-token", str(kept), token=root)
    assert made.returncode == 0
    assert "created policy connectors" in made.stdout
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text() not in made.stdout
    deliverer = Deliverer(address=server.address, token=SecretStr(kept.read_text()))
    assert isinstance(await deliverer.mint("goals"), WrappedSecretId)
    deliverer.close()

    token_file = tmp_path / "admin"
    token_file.write_text(root)
    again = command("--address", server.address, "--token-file", str(token_file), token="")
    assert again.returncode == 0
    assert "unchanged policy connectors" in again.stdout
    assert "created" not in again.stdout
    assert "updated" not in again.stdout
    assert root not in checked.stdout + made.stdout + again.stdout


def test_a_wrong_token_or_nobody_there_is_one_line(server: VaultServer) -> None:
    for address, token in ((server.address, "s.wrong"), (f"http://127.0.0.1:{free_port()}", "s.wrong")):
        ended = command("--address", address, token=token)
        assert ended.returncode == 1
        assert ended.stderr.startswith("error: Vault at")
        assert "Traceback" not in ended.stderr
        assert token not in ended.stderr
