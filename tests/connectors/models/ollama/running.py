"""Ollama's real server as a process with the small model, while tests need it."""

import asyncio
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from deploy.local.processes.ports import Ports
from deploy.local.small_model.found import find_small_model
from deploy.local.tools import ToolUnavailableError, tell
from tests.connectors.models.ollama.program import find_ollama

MODEL: Final = "smollm2:135m"
CONTEXT: Final = 256
_PATIENCE: Final = 60.0
_ENDS: Final = 10.0
# Nothing is asked of Ollama's own address: the model is made of a file. Threads wait for each other by spinning, which
# makes minutes of seconds on a busy machine: one.
_PARAMETERS: Final = {"temperature": 0, "seed": 1, "num_ctx": CONTEXT, "num_thread": 1}


@contextmanager
def real_ollama(folder: Path) -> Generator[str]:
    """Where it listens, without `/v1`; what needs it is skipped with the reason where it cannot be had.

    Args:
        folder: Its own: models, and its log.
    """
    try:
        program, small = asyncio.run(_found())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    ports = Ports()
    port = ports.take(0)
    address = f"127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OLLAMA_HOST": address,
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
    }
    lines = [f"FROM {small}", *(f"PARAMETER {name} {value}" for name, value in _PARAMETERS.items())]
    (folder / "Modelfile").write_text("\n".join(lines) + "\n")
    log = folder / "ollama.log"
    with log.open("wb") as out:
        process = subprocess.Popen([program, "serve"], env=environment, stdout=out, stderr=out)
    try:
        _wait(f"http://{address}", process, log)
        words = [program, "create", MODEL, "-f", str(folder / "Modelfile")]
        subprocess.run(words, env=environment, check=True, capture_output=True, timeout=_PATIENCE)
        yield f"http://{address}"
    finally:
        process.terminate()
        try:
            process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        ports.release()


async def _found() -> tuple[Path, Path]:
    return await find_ollama(progress=tell), (await find_small_model(progress=tell)).weights


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/api/version").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"Ollama does not answer: {log.read_text()[-2000:]}")
