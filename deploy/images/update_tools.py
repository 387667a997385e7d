"""What goes into the image for updates of dependencies: uv, and Node.js with npm, as wheels, and Go; each by digest."""

import asyncio
import fcntl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from deploy.images.go_toolchain import fetch_go
from deploy.images.wheels import fetch_wheels

REQUIREMENTS: Final = Path(__file__).parent / "updates" / "requirements.txt"
_PLATFORMS: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


async def update_tools(cache: Path, *, progress: Callable[[str], None]) -> Path:
    """The folder with `wheels/` and `go.zip`; filled once.

    Args:
        cache: Where tools are kept.
        progress: Told in one line what is being done.

    Raises:
        ToolUnavailableError: A wheel, or Go, cannot be had; the message says why.
    """
    folder = cache / "updates"
    folder.mkdir(parents=True, exist_ok=True)
    with (cache / "updates.lock").open("w") as one_at_a_time:
        await asyncio.to_thread(fcntl.flock, one_at_a_time, fcntl.LOCK_EX)
        begun = partial(progress, "fetching uv, Node.js and npm")
        await fetch_wheels(REQUIREMENTS, folder, begun, platforms=_PLATFORMS)
        await fetch_go(folder, partial(progress, "fetching Go"))
    return folder
