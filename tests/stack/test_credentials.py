"""Credentials on bad days, with real worker processes: used twice, of another role, lying open, replaced."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.local.processes.control import Ask, Reply, ask
from tests.stack import forked
from tests.stack.running import BIN, Running, eventually
from tests.stack.test_bad_days import _root
from workers.commands.exits import Exit
from workers.commands.folder import NO_STACK

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def secret_id(stack: Running, role: str) -> Reply:
    """A wrapped secret id, as the running environment gives it to its owner."""
    reply = asyncio.run(ask(stack.home / "control.sock", Ask(op="secret-id", role=role)))
    assert reply is not None
    return reply


def settings(stack: Running, role: str) -> dict[str, str]:
    """The variables of the worker that the environment has itself, without its credentials."""
    pid = stack.pid(f"worker-{role}")
    found = psutil.Process(pid).environ()
    kept = {name: value for name, value in found.items() if not name.startswith("BANKSMAN_VAULT_")}
    kept.pop("BANKSMAN_METRICS_ADDRESS")
    return {**kept, "BANKSMAN_VAULT_ADDRESS": str(stack.state["vault"]["address"])}


@contextmanager
def process(log: Path, environment: dict[str, str], *arguments: str) -> Generator[forked.Command]:
    """One of our processes, started by hand; told to end with the block."""
    with log.open("wb") as output:
        at = output.fileno()
        started = forked.start(BIN / "banksman", arguments, environment=environment, out=at, err=at)
        try:
            yield started
        finally:
            started.terminate()
            started.wait(30)


def worker(stack: Running, role: str, tmp_path: Path, given: Reply, *, mode: int = 0o600) -> forked.Command:
    """Run a worker with these credentials in a file until it ends by itself."""
    assert given.secret is not None
    file = tmp_path / "secret-id"
    file.write_text(given.secret)
    file.chmod(mode)
    environment = {
        **settings(stack, role),
        "BANKSMAN_VAULT_ROLE_ID": str(given.role_id),
        "BANKSMAN_VAULT_SECRET_ID_FILE": str(file),
        "COLUMNS": "1000",
    }
    with process(tmp_path / "log", environment, "worker", role) as started:
        started.wait(60)
    return started


def test_a_wrapped_secret_id_used_twice_is_an_alarm(stack: Running, tmp_path: Path) -> None:
    given = secret_id(stack, "goals")
    stolen = httpx.post(
        f"{stack.state['vault']['address']}/v1/sys/wrapping/unwrap", headers={"X-Vault-Token": str(given.secret)}
    )
    assert stolen.status_code == 200
    assert worker(stack, "goals", tmp_path, given).returncode == 1
    said = (tmp_path / "log").read_text()
    assert "ALARM: the wrapped secret id for 'goals' was opened before" in said
    assert str(given.secret) not in said
    assert "Traceback" not in said
    assert not (tmp_path / "secret-id").exists()


def test_a_secret_id_of_another_role_is_an_alarm(stack: Running, tmp_path: Path) -> None:
    assert worker(stack, "connectors", tmp_path, secret_id(stack, "goals")).returncode == 1
    assert "ALARM" in (tmp_path / "log").read_text()
    assert "'auth/approle/role/goals/secret-id'" in (tmp_path / "log").read_text()


def test_a_role_id_of_another_role_is_refused(stack: Running, tmp_path: Path) -> None:
    mixed = secret_id(stack, "goals").model_copy(update={"role_id": secret_id(stack, "connectors").role_id})
    assert worker(stack, "goals", tmp_path, mixed).returncode == 1
    said = (tmp_path / "log").read_text()
    assert "'goals'" in said
    assert "Traceback" not in said


def test_a_secret_id_that_others_could_read_is_not_used(stack: Running, tmp_path: Path) -> None:
    assert worker(stack, "goals", tmp_path, secret_id(stack, "goals"), mode=0o640).returncode == 1
    assert "is readable by others (mode 0640)" in (tmp_path / "log").read_text().replace("\n", " ")


def test_the_stack_gives_no_secret_id_for_a_role_it_has_not(stack: Running) -> None:
    reply = secret_id(stack, "nobody")
    assert (reply.ok, reply.secret) == (False, None)
    assert "'nobody'" in str(reply.error)


@pytest.fixture
def other_vault() -> Generator[tuple[str, list[str]]]:
    """Somebody else's Vault, and what came to it."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            came.append(f"{self.path} {self.headers.get('X-Vault-Token')}")
            self.send_error(400)

        def do_POST(self) -> None:
            self.do_PUT()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", came
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("role", ["goals", "connectors", "destructive", "gateway"])
def test_a_worker_started_by_hand_takes_everything_from_the_running_stack(
    stack: Running, tmp_path: Path, role: str, other_vault: tuple[str, list[str]]
) -> None:
    """In a shell that knows of the environment its folder alone, and still has the address of another Vault."""
    address, came = other_vault
    environment = {**stack.environment, "BANKSMAN_VAULT_ADDRESS": address}
    with process(tmp_path / "log", environment, "worker", role) as started:
        eventually(lambda: "worker started" in (tmp_path / "log").read_text(), what="the worker")
    assert started.returncode == 0
    assert "ALARM" not in (tmp_path / "log").read_text()
    assert came == []


def test_a_worker_without_credentials_or_a_stack_says_what_to_do(stack: Running, tmp_path: Path) -> None:
    environment = {**os.environ, "BANKSMAN_HOME": str(tmp_path), "COLUMNS": "1000"}
    with process(tmp_path / "log", environment, "worker", "goals") as started:
        started.wait(60)
    assert started.returncode == Exit.NO_STACK
    assert NO_STACK in (tmp_path / "log").read_text()


def test_where_no_supervisor_is_the_deliverer_keeps_a_secret_id_ready(stack: Running, tmp_path: Path) -> None:
    made = _root(stack).auth.token.create(policies=["deliverer"], period="1h")
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text(made["auth"]["client_token"])
    file = tmp_path / "secret-ids" / "goals" / "secret-id"
    file.parent.mkdir(parents=True)
    usual = settings(stack, "goals")
    of_deliverer = {
        **usual,
        "BANKSMAN_DELIVERER_TOKEN_FILE": str(tmp_path / "token"),
        "BANKSMAN_DELIVERER_FOLDER": str(tmp_path / "secret-ids"),
    }
    role_id = str(secret_id(stack, "goals").role_id)
    of_worker = {**usual, "BANKSMAN_VAULT_ROLE_ID": role_id, "BANKSMAN_VAULT_SECRET_ID_FILE": str(file)}
    with process(tmp_path / "deliverer.log", of_deliverer, "deliverer") as deliverer:
        eventually(file.exists, what="a secret id")
        assert file.stat().st_mode & 0o777 == 0o600
        for attempt in range(2):
            log = tmp_path / f"worker-{attempt}.log"
            with process(log, of_worker, "worker", "goals") as started:
                eventually(lambda said=log: "worker started" in said.read_text(), what="the worker")
            assert started.returncode == 0
            eventually(file.exists, what="the next secret id")
    assert deliverer.returncode == 0
    assert made["auth"]["client_token"] not in (tmp_path / "deliverer.log").read_text()


@pytest.fixture
def replaced_key(stack: Running) -> Generator[None]:
    """Somebody rotated the App's key in Vault and forgot GitHub."""
    kv: Any = _root(stack).secrets.kv.v2
    before = kv.read_secret_version(path="github/app", mount_point="banksman", raise_on_deleted_version=True)
    fields = before["data"]["data"]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    kv.create_or_update_secret(path="github/app", secret={**fields, "private_key": pem}, mount_point="banksman")
    yield
    kv.create_or_update_secret(path="github/app", secret=fields, mount_point="banksman")


def test_a_key_that_github_does_not_know_is_explained(stack: Running, goal_id: str, replaced_key: None) -> None:
    ended = stack.read_file(goal_id)
    assert (ended["outcome"], ended["error_type"]) == ("failed", "AuthDenied")
    assert "private key" in ended["error"]
    assert "BEGIN" not in ended["error"]


def test_the_key_put_back_is_used_at_the_next_step(stack: Running, goal_id: str) -> None:
    assert stack.read_file(goal_id)["outcome"] == "completed"
