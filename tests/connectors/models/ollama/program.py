"""Ollama's real server: a Go module of a fixed version, which Go holds against its checksum database.

It is kept outside of the repository.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from deploy.local.tools import APT_GET, DEFAULT_CACHE, Progress, Tool, ToolUnavailableError, require_success, resolve
from tests.connectors.models.ollama.description import MODULE

BUILT: Final = "v0.6.8"
"""Later ones want headers of their `vendor/`, which a module's archive leaves out."""
_FLAGS: Final = f"-s -w -X {MODULE}/version.Version={BUILT.removeprefix('v')}"


async def find_ollama(cache: Path = DEFAULT_CACHE, progress: Progress = lambda _: None) -> Path:
    """The program, built the first time: some minutes, 60 MB; it computes on the processor alone.

    Raises:
        ToolUnavailableError: Go or a compiler for C++ is not here, or it cannot be built.
    """
    program = cache / f"ollama-{BUILT}" / "ollama"
    if program.exists():
        return program
    go, folder = await resolve(Tool.GO), program.parent
    folder.mkdir(parents=True, exist_ok=True)
    await _require_compiler(folder, progress)
    progress(f"building Ollama's server {BUILT} with Go, which takes some minutes")
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as name:
        build = ["env", f"GOBIN={name}", "CGO_ENABLED=1", *go.command, "install", "-trimpath", "-ldflags", _FLAGS]
        try:
            await require_success([*build, f"{MODULE}@{BUILT}"], cwd=folder)
        except ToolUnavailableError as error:
            raise ToolUnavailableError(f"Ollama's server cannot be built here: {error}") from error
        Path(name, "ollama").replace(program)
    return program


async def _require_compiler(folder: Path, progress: Progress) -> None:
    if shutil.which("g++") is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ToolUnavailableError("a compiler for C++ is not here: on Debian, apt-get install g++")
    progress("installing Debian's package g++")
    await require_success([*APT_GET, "update"], cwd=folder)
    await require_success([*APT_GET, "install", "-y", "--no-install-recommends", "g++"], cwd=folder)
