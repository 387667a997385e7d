"""Ollama's own server, built from its source, and the description that a later release of it carries.

Both are Go modules of fixed versions, which Go holds against its checksum database; kept outside of the repository.
Newer servers than this one do not build from their module alone, which leaves out what they vendor.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import httpx

from deploy.local.tools import DEFAULT_CACHE, Tool, ToolUnavailableError, require_success, resolve, run_program, tell

MODULE: Final = "github.com/ollama/ollama"
VERSION: Final = "v0.6.8"
DESCRIBED: Final = "v0.17.4"
MODEL: Final = "smol"
DESCRIPTION: Final = DEFAULT_CACHE / f"ollama-{DESCRIBED}.yaml"
"""Where the description is kept."""
NO_COMPILER: Final = "Ollama's server is built from source, which needs Go and a C++ compiler"
_PATIENCE: Final = 60.0
_DOWNLOAD: Final = 300.0


async def find_ollama(cache: Path = DEFAULT_CACHE) -> Path:
    """The server's program, built the first time: minutes of processor.

    Raises:
        ToolUnavailableError: Go or a compiler is not here, or the module cannot be had.
    """
    program = cache / f"ollama-{VERSION}" / "ollama"
    if program.exists():
        return program
    if shutil.which("g++") is None:
        raise ToolUnavailableError(NO_COMPILER)
    go = await _go()
    tell(f"building Ollama {VERSION} with Go, which takes minutes")
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=program.parent) as name:
        folder = Path(name)
        folder.joinpath("go.mod").write_text("module banksman.local/tool\n\ngo 1.24\n", encoding="utf-8")
        await require_success([*go, "get", f"{MODULE}@{VERSION}"], cwd=folder)
        # What runs a model is C++.
        build = ["env", "CGO_ENABLED=1", *go, "build", "-mod=mod", "-trimpath", "-o", "program", MODULE]
        await require_success(build, cwd=folder)
        folder.joinpath("program").replace(program)
    return program


async def find_description(kept: Path = DESCRIPTION) -> Path:
    """`docs/openapi.yaml` of a later release, 23 MB to download the first time.

    Raises:
        ToolUnavailableError: Go is not here, or the module cannot be had.
    """
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    code, said = await run_program(
        [*await _go(), "mod", "download", "-json", f"{MODULE}@{DESCRIBED}"], seconds=_DOWNLOAD, cwd=kept.parent
    )
    if code != 0:
        raise ToolUnavailableError(f"{MODULE}@{DESCRIBED} cannot be had: {said.strip()[-300:]}")
    found = Path(str(json.loads(said[said.index("{") :])["Dir"])) / "docs" / "openapi.yaml"
    whole = kept.with_suffix(".part")
    shutil.copyfile(found, whole)
    whole.replace(kept)
    return kept


async def _go() -> tuple[str, ...]:
    try:
        return (await resolve(Tool.GO)).command
    except ToolUnavailableError as error:
        raise ToolUnavailableError(NO_COMPILER) from error


@contextlib.contextmanager
def ollama_server(program: Path, weights: Path, folder: Path) -> Generator[str]:
    """The address of a server that has these weights as `MODEL`, until the block ends.

    Args:
        program: Ollama.
        weights: A GGUF file.
        folder: For all that it keeps.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"HOME": str(folder), "OLLAMA_MODELS": str(folder / "models"), "OLLAMA_HOST": f"127.0.0.1:{port}"}
    environment = {"PATH": os.environ["PATH"], **own, "OLLAMA_CONTEXT_LENGTH": "2048", "OLLAMA_NUM_PARALLEL": "1"}
    with subprocess.Popen(
        [str(program), "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait(f"http://127.0.0.1:{port}", server)
            described = folder / "Modelfile"
            described.write_text(f"FROM {weights}\n", encoding="utf-8")
            made = [str(program), "create", MODEL, "-f", str(described)]
            subprocess.run(made, env=environment, check=True, capture_output=True, timeout=_PATIENCE)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/api/version").is_success:
                return
        threading.Event().wait(0.05)
    raise AssertionError(f"Ollama does not answer at {url}")
