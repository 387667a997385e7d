"""Secrets of a whole stack, looked for in everything that leaves a process."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import hvac
import psutil
import pytest

from tests.stack.running import Running, eventually
from tests.stack.test_encrypted import readable, with_codec

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a Vault token": re.compile(r"\b(?:hv)?[sb]\.[A-Za-z0-9_-]{20,}"),
    "an installation token": re.compile(r"\bghs_[A-Za-z0-9_.-]{16,}"),
    "a JWT": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
}
PLACES = ("stack.json", "logs", "traces.db", "traces.db-wal", "audit", "artifacts")
TRACES = "traces.db"


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that stand in this text."""
    return [*named_in(text, secrets), *(name for name, shape in SHAPES.items() if shape.search(text))]


def named_in(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def told(path: Path) -> str:
    """What is in a file, as text.

    Of the store of traces it is what its rows hold: in the pages of the file a time stands beside an id, and once in
    65,536 times that reads like a token.
    """
    if not path.name.startswith(TRACES):
        return path.read_bytes().decode("utf-8", "replace")
    with closing(sqlite3.connect(f"{path.with_name(TRACES).as_uri()}?mode=ro", uri=True)) as db:
        tables = [str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [value for table in tables for row in db.execute(f"SELECT * FROM {table}") for value in row]  # noqa: S608
    return "\n".join(one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values)


@pytest.fixture(scope="module")
def busy(encrypted: Running) -> Running:
    """The environment after good goals and bad ones, a crash, and a decryption."""
    encrypted.read_file("secrets-good")
    encrypted.read_file("secrets-missing", '{"repository":"acme/shop","path":"no/such/file"}')
    encrypted.fault(kind="status", path="/access_tokens", status=401, body={"message": "Bad credentials"})
    encrypted.read_file("secrets-refused")
    encrypted.fault(kind="garbage", path="/access_tokens")
    encrypted.fault(kind="drop", path="/commits/")
    encrypted.read_file("secrets-garbled")
    pid = encrypted.pid("worker-connectors")
    assert pid is not None
    psutil.Process(pid).kill()
    eventually(lambda: encrypted.pid("worker-connectors") not in {None, pid}, what="the worker")
    encrypted.read_file("secrets-afterwards")
    encrypted.temporal("workflow", "show", "--workflow-id", "secrets-good", *with_codec(encrypted))
    return encrypted


@pytest.fixture(scope="module")
def secrets(busy: Running) -> dict[str, str]:
    """The secrets of this very stack, by name."""
    kept = json.loads((busy.home / "vault/init.json").read_text())
    vault = hvac.Client(url=busy.state["vault"]["address"], token=kept["root_token"])
    try:
        keys = vault.secrets.kv.v2.read_secret_version(
            path="payload-keys", mount_point="banksman", raise_on_deleted_version=True
        )["data"]["data"]
        app = vault.secrets.kv.v2.read_secret_version(
            path="github/app", mount_point="banksman", raise_on_deleted_version=True
        )["data"]["data"]
    finally:
        vault.adapter.close()
    found = {"the root token": kept["root_token"], "the codec token": (busy.home / "codec-token").read_text()}
    found |= {f"payload key {name}": value for name, value in keys.items() if name != "current"}
    found |= {f"recovery key {number}": key for number, key in enumerate(kept["recovery_keys_base64"])}
    found |= {f"line {n} of the App's key": line for n, line in enumerate(app["private_key"].splitlines()[1:-1])}
    assert len(found) > 20
    assert all(len(secret) >= 20 or name.startswith("line") for name, secret in found.items())
    return found


def files(home: Path) -> Iterator[Path]:
    for place in PLACES:
        path = home / place
        yield from (one for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())


def test_no_file_for_people_holds_a_secret(busy: Running, secrets: dict[str, str]) -> None:
    looked_at = list(files(busy.home))
    assert {"stack.json", "worker-connectors.log", "supervisor.log", "traces.db", "connectors.jsonl"} <= {
        path.name for path in looked_at
    }
    for path in looked_at:
        assert named_in(path.read_bytes().decode("utf-8", "replace"), secrets) == [], path
        assert found_in(told(path), secrets) == [], path


def test_no_history_holds_a_secret_even_decrypted(busy: Running, secrets: dict[str, str]) -> None:
    listed = json.loads(busy.temporal("workflow", "list", "--output", "json").stdout)
    goals = [one["execution"]["workflowId"] for one in listed]
    assert len(goals) >= 5
    for goal in goals:
        raw = busy.history(goal)
        assert found_in(raw + readable(json.loads(raw)), secrets) == [], goal
        opened = busy.temporal("workflow", "show", "--workflow-id", goal, "--output", "json", *with_codec(busy)).stdout
        assert opened != raw or goal != "secrets-good", "the codec server opens what is encrypted"
        assert found_in(opened + readable(json.loads(opened)), secrets) == [], goal


def test_no_page_of_numbers_holds_a_secret(busy: Running, secrets: dict[str, str]) -> None:
    for worker in busy.state["workers"].values():
        text = httpx.get(worker["metrics"]).text
        assert "banksman_" in text
        assert found_in(text, secrets) == []


def test_no_process_shows_a_secret(busy: Running, secrets: dict[str, str]) -> None:
    """Anybody of the same user reads the environment; anybody at all reads the command line."""
    state = busy.state
    pids = [state["pid"], *state["children"].values()]
    assert len(pids) >= 8
    for pid in pids:
        process = psutil.Process(pid)
        assert found_in("\n".join(process.cmdline()), secrets) == [], process
        assert found_in("\n".join(process.environ().values()), secrets) == [], process


def test_the_command_and_the_socket_show_no_secret(busy: Running, secrets: dict[str, str]) -> None:
    for command in (["status"], ["status", "--json"], ["up"], ["goals", "--json"]):
        done = busy.banksman(*command)
        assert found_in(done.stdout + done.stderr, secrets) == [], command


@pytest.mark.parametrize("place", ["a log", "a trace"])
def test_the_search_finds_what_is_there(busy: Running, secrets: dict[str, str], place: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name, secret in secrets.items():
        planted = tmp_path / ("logs/x.log" if place == "a log" else "traces.db")
        planted.write_bytes(b"\xff\x00 before " + secret.encode() + b" after\x00")
        hits = [
            hit for path in files(tmp_path) for hit in found_in(path.read_bytes().decode("utf-8", "replace"), secrets)
        ]
        assert name in hits


def test_the_shapes_find_what_providers_hand_out(busy: Running) -> None:
    kept = json.loads((busy.home / "vault/init.json").read_text())
    assert found_in(f"token={kept['root_token']}", {}) == ["a Vault token"]
    assert found_in((busy.home / "twins/github-app.pem").read_text(), {}) == ["a private key"]


def test_a_token_in_the_store_of_traces_is_found_and_a_time_beside_an_id_is_none(tmp_path: Path) -> None:
    store = tmp_path / TRACES
    with closing(sqlite3.connect(store)) as db:
        db.execute("CREATE TABLE trace (trace_id TEXT, start INTEGER)")
        db.execute("CREATE INDEX trace_by_start ON trace (start, trace_id)")
        db.execute("INSERT INTO trace VALUES (?, ?)", ("ab12" * 8, int.from_bytes(b"\x18\x55\x11\x22\x33\x05s.")))
        db.commit()
        assert found_in(store.read_bytes().decode("utf-8", "replace"), {}) == ["a Vault token"]
        assert found_in(told(store), {}) == []
        db.execute("INSERT INTO trace VALUES (?, 1)", (b"\x0a\xff token s.aQ8zT1wX5nB7cD2eF4gH6jK0 \x12",))
        db.commit()
        assert found_in(told(tmp_path / f"{TRACES}-wal"), {}) == ["a Vault token"]
