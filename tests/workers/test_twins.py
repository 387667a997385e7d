"""Twins that share a process: all listen at once, and each begins when it is first asked."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from connectors.estuary.twin.seed import prepare as prepare_estuary
from connectors.twins import PreparedTwin, TwinPlace
from connectors.upstash.twin.seed import prepare as prepare_upstash
from workers.commands.exits import Exit

pytestmark = pytest.mark.timeout(120)

Prepare = Callable[[TwinPlace], Coroutine[Any, Any, PreparedTwin]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def prepared(root: Path, port: int, prepare: Prepare) -> Path:
    def keep(name: str, content: bytes) -> Path:
        path = root / name
        path.write_bytes(content)
        return path

    place = TwinPlace(root=root, listen=f"127.0.0.1:{port}", repositories={}, keep=keep)
    return asyncio.run(prepare(place)).configuration


@contextlib.contextmanager
def running(root: Path, *configurations: Path) -> Generator[tuple["subprocess.Popen[str]", str]]:
    """The process, and where its metrics are."""
    metrics = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "BANKSMAN_METRICS_ADDRESS": metrics, "BANKSMAN_DEVELOPMENT": "true"}
    line = [sys.executable, "-m", "workers", "twins", *map(str, configurations)]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            until_answered(f"http://{metrics}/metrics")
            yield process, (root / "log").as_posix()
        finally:
            process.terminate()
            process.wait(10)


def until_answered(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url)
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody answers at {url}")


def test_each_begins_when_it_is_first_asked_and_the_process_ends_when_it_is_told(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    upstash = prepared(tmp_path, ports[0], prepare_upstash)
    estuary = prepared(tmp_path, ports[1], prepare_estuary)
    with running(tmp_path, upstash, estuary) as (process, log):
        listening = {one.laddr.port for one in psutil.Process(process.pid).net_connections() if one.status == "LISTEN"}
        assert set(ports) < listening
        assert "begins" not in Path(log).read_text()
        for _ in range(2):
            assert httpx.get(f"http://127.0.0.1:{ports[0]}/_twin/requests", timeout=20).json() == []
        began = [json.loads(line) for line in Path(log).read_text().splitlines() if "begins" in line]
        assert [one["provider"] for one in began] == ["upstash"]
        assert httpx.get(f"http://127.0.0.1:{ports[1]}/_twin/requests", timeout=20).status_code == httpx.codes.OK
        process.terminate()
        assert process.wait(10) == 0


def test_one_that_cannot_begin_ends_the_process_with_its_reason(tmp_path: Path) -> None:
    port = free_port()
    upstash = prepared(tmp_path, port, prepare_upstash)
    upstash.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "email": 1}))
    with running(tmp_path, upstash) as (process, log):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=10)
        assert process.wait(10) != 0
        assert "api_key" in Path(log).read_text()


def test_who_is_unknown_is_named_with_all_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "nobody.json").write_text('{"listen": "127.0.0.1:0"}')
    line = [sys.executable, "-m", "workers", "twins", str(tmp_path / "nobody.json")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == Exit.USAGE
    assert "there is no twin of 'nobody'; there are: estuary, github" in done.stderr
