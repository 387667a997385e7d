"""Go for the image for updates: the archive that the go command itself would fetch, by the digest that Go publishes."""

import asyncio
import base64
import hashlib
import platform
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from connectors.authorities import authorities
from deploy.local.tools import ToolUnavailableError

ARCHIVE: Final = "go.zip"
VERSION: Final = "1.27.3"
_PROXY: Final = "https://proxy.golang.org/golang.org/toolchain/@v"
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SUMS: Final = {
    "amd64": "h1:r0ub+FnqzZxoWm/dSUOI9DcIqYWn/mNYGFJcv7PyBzs=",
    "arm64": "h1:VY4gDzfxOrsM17J2qtgZgiAIsWhp7XWK1jMfE3kXV0s=",
}
"""As https://sum.golang.org tells them for `golang.org/toolchain@v0.0.1-goVERSION.linux-MACHINE`."""
_DOWNLOAD: Final = httpx.Timeout(120.0, connect=10.0)


async def fetch_go(folder: Path, begun: Callable[[], None], *, proxy: str = _PROXY) -> None:
    """Fill `folder/go.zip`, unless it is there.

    Args:
        folder: Where it is kept.
        begun: Called where there is something to fetch.
        proxy: Where the archives of toolchains lie.

    Raises:
        ToolUnavailableError: It cannot be had, or is another than Go publishes.
    """
    machine = _MACHINES.get(platform.machine().lower())
    if machine is None:
        raise ToolUnavailableError(f"there is no Go for {platform.machine()!r} here")
    stamp = folder / f"go-{VERSION}-{machine}.stamp"
    if stamp.exists() and (folder / ARCHIVE).exists():
        return
    begun()
    address = f"{proxy}/v0.0.1-go{VERSION}.linux-{machine}.zip"
    with tempfile.TemporaryDirectory(dir=folder, prefix="go-") as made:
        archive = Path(made) / ARCHIVE
        try:
            await _download(address, archive)
        except httpx.HTTPError as error:
            raise ToolUnavailableError(f"Go cannot be had from {address}: {error or type(error).__name__}") from error
        if await asyncio.to_thread(sum_of, archive) != _SUMS[machine]:
            raise ToolUnavailableError(f"what {address} gave is not the Go that is wanted")
        archive.rename(folder / ARCHIVE)
    stamp.touch()


async def _download(address: str, into: Path) -> None:
    async with (
        httpx.AsyncClient(verify=authorities(), follow_redirects=True, timeout=_DOWNLOAD) as client,
        client.stream("GET", address) as answer,
    ):
        answer.raise_for_status()
        with into.open("wb") as file:
            async for part in answer.aiter_bytes():
                file.write(part)


def sum_of(archive: Path) -> str:
    """The digest of a module's archive, as `go.sum` writes it; empty where it is no archive."""
    try:
        with zipfile.ZipFile(archive) as packed:
            lines = [f"{hashlib.sha256(packed.read(name)).hexdigest()}  {name}\n" for name in sorted(packed.namelist())]
    except zipfile.BadZipFile:
        return ""
    return f"h1:{base64.b64encode(hashlib.sha256(''.join(lines).encode()).digest()).decode()}"
