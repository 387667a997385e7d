"""Wheels for an image, fetched outside of any container and checked by digest, so that a build needs no network."""

import asyncio
import hashlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from deploy.local.tools import ToolUnavailableError

_IMAGE_PYTHON: Final = "3.11"  # of the base image


async def fetch_wheels(
    requirements: Path, folder: Path, begun: Callable[[], None], *, platforms: Sequence[str] = ("manylinux2014",)
) -> None:
    """Fill `folder/wheels`, unless it holds what the requirements name.

    Args:
        requirements: Names each wheel with its digests.
        folder: Where `wheels/` is made.
        begun: Called where there is something to fetch.
        platforms: That the image can run, without the machine's name.

    Raises:
        ToolUnavailableError: One cannot be had; the message says why.
    """
    wanted = await asyncio.to_thread(requirements.read_bytes)
    stamp = folder / "wheels" / f"{hashlib.sha256(wanted).hexdigest()}.stamp"
    if stamp.exists():
        return
    begun()
    with tempfile.TemporaryDirectory(prefix="wheels-", dir=folder) as made:
        arguments = [
            "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", made,
            f"--python-version={_IMAGE_PYTHON}", *(f"--platform={one}_{platform.machine()}" for one in platforms),
            "--requirement", str(requirements),
        ]  # fmt: skip
        await must(sys.executable, "-m", "pip", *arguments)
        (Path(made) / stamp.name).touch()
        shutil.rmtree(folder / "wheels", ignore_errors=True)
        shutil.copytree(made, folder / "wheels")


async def must(*words: str) -> None:
    """Run a program to its end.

    Raises:
        ToolUnavailableError: It failed; the message ends with what it said last.
    """
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise ToolUnavailableError(f"{' '.join(words[:4])!r} failed: {output[-300:].decode(errors='replace')!r}")
