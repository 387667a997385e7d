"""What goes into the image with Pulumi: its programs, providers, and the wheels of its Python library.

The wheels are pinned by digest; our own provider is built with Go from the source beside this file; other providers
are those of the deployment's own list. All of it is had outside of any container, so that a build of the image needs
no network.
"""

import asyncio
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from deploy.images.pulumi_cli import CLI_VERSION, PROGRAMS, place_pulumi
from deploy.images.pulumi_providers import Provider, place_providers
from deploy.images.wheels import fetch_wheels, must
from deploy.local.tools import Tool, ToolUnavailableError, resolve

PROVIDER: Final = "resource-banksman-v0.1.0/pulumi-resource-banksman"
"""Our own provider below `plugins/`; the folder's name is how Pulumi finds it."""
_REQUIREMENTS: Final = Path(__file__).parent / "pulumi" / "requirements.txt"
_PROVIDER_SOURCE: Final = Path(__file__).parent.parent / "pulumi" / "provider"


def programs_folder(cache: Path) -> Path:
    """Where they are kept."""
    return cache / f"pulumi-{CLI_VERSION}"


async def pulumi_programs(
    cache: Path, *, progress: Callable[[str], None], providers: Sequence[Provider] | None = None
) -> Path:
    """The folder with `PROGRAMS`, `wheels/` and `plugins/`; made once, which may take some minutes.

    Args:
        cache: Where tools are kept.
        progress: Told in one line what is being done.
        providers: Beside our own exactly these; None: those that the folder has.

    Raises:
        ToolUnavailableError: Pulumi, a provider or a wheel cannot be had; the message says why.
    """
    folder = programs_folder(cache)
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "pulumi.lock").open("w") as one_at_a_time:
        await asyncio.to_thread(fcntl.flock, one_at_a_time, fcntl.LOCK_EX)
        if not all((folder / name).exists() for name in PROGRAMS):
            await _programs(folder, progress)
        await fetch_wheels(_REQUIREMENTS, folder, partial(progress, "fetching Pulumi's Python library"))
        await _own_provider(folder, progress)
        if providers is not None:
            (folder / "plugins").mkdir(exist_ok=True)
            await place_providers(folder / "plugins", providers, keep=PROVIDER.partition("/")[0], progress=progress)
    return folder


async def _programs(folder: Path, progress: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="programs-", dir=folder.parent) as name:
        made = Path(name) / "programs"
        made.mkdir()
        await place_pulumi(made, progress=progress)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


async def _own_provider(folder: Path, progress: Callable[[str], None]) -> None:
    """Build our own provider, again when its source has changed; only the example needs it."""
    source = await asyncio.to_thread(_digest_of, _PROVIDER_SOURCE)
    stamp = folder / "plugins" / f"{source}.stamp"
    if stamp.exists():
        return
    try:
        go = await resolve(Tool.GO)
    except ToolUnavailableError as error:
        progress(f"the provider 'banksman', which the example uses, cannot be built: {error}")
        return
    progress("building the provider 'banksman' with Go")
    for old in (folder / "plugins").glob("[0-9a-f]*.stamp"):
        old.unlink()
    target = folder / "plugins" / PROVIDER
    shutil.rmtree(target.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="provider-", dir=folder) as name:
        made = Path(name) / "source"
        shutil.copytree(_PROVIDER_SOURCE, made)
        target.parent.mkdir(parents=True)
        build = ("env", "CGO_ENABLED=0", *go.command, "-C", str(made), "build", "-mod=mod", "-trimpath")
        await must(*build, "-ldflags", "-s -w", "-o", str(target), ".")
    stamp.touch()


def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in {".go", ".mod", ".sum"} and not path.name.endswith("_test.go"):
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
