"""`banksman doctor`: a row for each thing, how it was had, and how to get what is missing."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.local.container_engine.rootless import survey_rootless
from deploy.local.options import StackOptions
from deploy.local.processes.children import Addresses, Children
from deploy.local.state import StackFolder
from deploy.local.tools import Tool
from workers.cli import app
from workers.commands import exits

RUN = CliRunner()
OF_USERS = ("rootless docker", "rootless podman")
OF_PULUMI = ("pulumi", "pulumi python host", "pulumi provider", "postgresql")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="bm-") as name:
        yield Path(name)


def test_it_tells_of_every_tool_how_it_was_had_or_how_to_get_it() -> None:
    rows = {row["name"]: row for row in json.loads(RUN.invoke(app, ["doctor", "--json"]).stdout)}
    assert rows.keys() == {*(tool.value for tool in Tool), *OF_USERS, *OF_PULUMI}
    for row in rows.values():
        assert row["found"] == (row["how"] is not None) == (row["version"] is not None) == (row["path"] is not None)
        assert row["needed_for"]
        assert row["how_to_get"]
    assert [name for name in OF_PULUMI if rows[name]["required"]] == []


def test_eighty_columns_cut_no_word_and_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(RUN.invoke(app, ["doctor", "--json"]).stdout)
    monkeypatch.setattr(exits.out, "width", 80)
    shown = RUN.invoke(app, ["doctor"]).stdout
    assert [line for line in shown.splitlines() if len(line) > 80 and " " in line.strip()] == []
    told = " ".join(shown.split())
    for row in rows:
        assert f" {row['name']} {row['version'] or 'is not here'} for {row['needed_for']} " in told
        assert (f"{row['path']} ({row['how']})" if row["found"] else row["how_to_get"]) in told


async def test_a_rootless_engine_is_found_and_the_way_to_use_it(short: Path) -> None:
    runtime = short
    body = b'{"Version":"5.0.1"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readline()
        writer.write(head + body if asked.startswith(b"GET /version ") else b"HTTP/1.1 404 Not Found\r\n\r\n")
        writer.close()

    (runtime / "podman").mkdir()
    (runtime / "docker.sock").touch()  # left by an engine that is gone
    async with await asyncio.start_unix_server(answer, runtime / "podman/podman.sock"):
        docker, podman = await survey_rootless(runtime)
    assert (docker.found, podman.found, podman.version) == (False, True, "5.0.1")
    assert "systemctl --user start docker" in docker.how_to_get
    assert f"BANKSMAN_DOCKER_HOST=unix://{runtime}/podman/podman.sock banksman up" in (podman.how or "")


def test_the_engine_that_was_chosen_is_the_one_that_is_looked_for(short: Path) -> None:
    chosen = StackOptions(
        repositories={}, policy=Path(), encrypt=False, traces=False, sandbox=True, deployment="d", build_id=str,
        environment={"BANKSMAN_DOCKER_HOST": "unix:///run/user/1000/docker.sock", "BANKSMAN_POLICY": "x"},
    )  # fmt: skip
    folder = StackFolder(short)
    spec = Children(folder=folder, options=chosen, ports=Addresses.choose()).container_engine()
    ours = {name: value for name, value in spec.environment.items() if name.startswith("BANKSMAN_")}
    assert ours == {"BANKSMAN_DOCKER_HOST": "unix:///run/user/1000/docker.sock"}
