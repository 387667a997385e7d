"""Pulumi's CLI and its Python language host: from PATH, from their official release, or built from source.

All three ways give the same version, because a saved plan, an event log and a state are that version's. They run in
a container, on Linux and without libraries beside them, so that a program from PATH is taken only when it is static.
The release is checked against the list of SHA-256 digests that its makers publish with it; built programs are of
pinned modules, which Go checks against its checksum database.

From source the language host is older than the CLI: it lies in another module, whose newest version with a host that
needs nothing else is this one. The two speak the same protocol.
"""

import asyncio
import hashlib
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import httpx

from connectors.authorities import authorities
from deploy.local.tools import Resolved, Tool, ToolUnavailableError, build_go, resolve, run_program

CLI_VERSION: Final = "v3.200.0"
HOST_VERSION: Final = "v3.55.0"
"""Of the language host, where it is built from source."""
PROGRAMS: Final = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
RELEASES: Final = "https://github.com/pulumi/pulumi/releases/download"
HOW: Final = "how.txt"
"""Beside the programs: how they were had, for people."""
BUILT: Final = "built with Go"

_MACHINES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"
_STAMP: Final = f"-s -w -X {_SDK}/go/common/version.Version={{version}}"
_DOWNLOAD: Final = httpx.Timeout(60.0, connect=4.0)
_PROBE_SECONDS: Final = 10.0
_FIRST_PAGE: Final = 4096
_EXECUTABLE: Final = 0o755


async def place_pulumi(folder: Path, *, progress: Callable[[str], None], releases: str = RELEASES) -> str:
    """Put `PROGRAMS` into a folder by the first way that works; with a build, minutes.

    Args:
        folder: Where they go, and `HOW`.
        progress: Told in one line what is being done.
        releases: Where the release is, below which come its version and its files.

    Returns:
        How they were had, for people.

    Raises:
        ToolUnavailableError: No way works; the message has the reason of each.
    """
    how = await _from_path(folder)
    if not how:
        progress(f"fetching Pulumi {CLI_VERSION} from its release")
        try:
            how = await _from_release(folder, releases)
        except (httpx.HTTPError, tarfile.TarError, ToolUnavailableError) as error:
            how = await _from_source(folder, f"no release to be had ({error or type(error).__name__})", progress)
    for name in PROGRAMS[:2]:
        (folder / name).chmod(_EXECUTABLE)
    (folder / HOW).write_text(how, encoding="utf-8")
    return how


async def _from_path(folder: Path) -> str:
    """Empty when the CLI is not on PATH, is another version, or cannot run in a container."""
    found = shutil.which(PROGRAMS[0])
    if found is None or not await _is_wanted(found):
        return ""
    beside = Path(found).resolve().parent
    if not all((beside / name).is_file() for name in PROGRAMS):
        return ""
    if not all(_is_static(beside / name) for name in PROGRAMS[:2]):
        return ""
    for name in PROGRAMS:
        await asyncio.to_thread(shutil.copyfile, beside / name, folder / name)
    return f"on PATH, in {beside}"


async def _is_wanted(program: str) -> bool:
    try:
        code, said = await run_program([program, "version"], seconds=_PROBE_SECONDS)
    except (OSError, TimeoutError):
        return False
    return code == 0 and CLI_VERSION in said.split()


def _is_static(program: Path) -> bool:
    """An ELF program that asks for no loader: one that does names it in its first page."""
    with program.open("rb") as file:
        first = file.read(_FIRST_PAGE)
    return first.startswith(b"\x7fELF") and b"/ld-" not in first


async def _from_release(folder: Path, releases: str) -> str:
    machine = _MACHINES.get(platform.machine().lower())
    if machine is None:
        raise ToolUnavailableError(f"there is no release for {platform.machine()!r}")
    name = f"pulumi-{CLI_VERSION}-linux-{machine}.tar.gz"
    place = f"{releases}/{CLI_VERSION}"
    with tempfile.TemporaryFile(dir=folder) as archive:
        async with httpx.AsyncClient(verify=authorities(), follow_redirects=True, timeout=_DOWNLOAD) as client:
            wanted = await _listed(client, f"{place}/pulumi-{CLI_VERSION.removeprefix('v')}-checksums.txt", name)
            await fetch(client, f"{place}/{name}", sha256=wanted, into=archive)
        await asyncio.to_thread(_unpack, archive, folder)
    return "from its official release"


async def _listed(client: httpx.AsyncClient, address: str, name: str) -> str:
    """The digest that the list of a release has for a file."""
    answer = await client.get(address)
    answer.raise_for_status()
    for line in answer.text.splitlines():
        digest, _, listed = line.partition(" ")
        if listed.strip() == name:
            return digest
    raise ToolUnavailableError(f"{address} does not list {name!r}")


async def fetch(client: httpx.AsyncClient, address: str, *, sha256: str, into: IO[bytes]) -> None:
    """Download a file, and refuse it when it is not the one that is wanted; rewound when it is there.

    Raises:
        ToolUnavailableError: Its digest is another.
        httpx.HTTPError: It cannot be had.
    """
    digest = hashlib.sha256()
    async with client.stream("GET", address) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            digest.update(part)
            into.write(part)
    if digest.hexdigest() != sha256.lower():
        raise ToolUnavailableError(f"what {address} gave has another digest than the one that is wanted")
    into.seek(0)


def _unpack(archive: IO[bytes], folder: Path) -> None:
    with tarfile.open(fileobj=archive, mode="r:gz") as packed:
        for name in PROGRAMS:
            try:
                content = packed.extractfile(f"pulumi/{name}")
            except KeyError:
                content = None
            if content is None:
                raise ToolUnavailableError(f"the release has no {name!r}")
            with (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)


async def _from_source(folder: Path, why: str, progress: Callable[[str], None]) -> str:
    try:
        go = await resolve(Tool.GO)
    except ToolUnavailableError as error:
        raise ToolUnavailableError(
            f"Pulumi {CLI_VERSION} is not on PATH as a static program; {why}; to build it, {error}"
        ) from error
    progress(f"{why}; building it with Go, which takes some minutes")
    await _build(go, folder)
    return BUILT


async def _build(go: Resolved, folder: Path) -> None:
    cli, host = f"{_SDK.replace('/sdk/', '/pkg/')}/cmd/pulumi", f"{_SDK}/python/cmd/{PROGRAMS[1]}"
    flags = _STAMP.format(version=CLI_VERSION)
    await build_go(go, cli, version=CLI_VERSION, flags=flags, into=folder / PROGRAMS[0])
    flags = _STAMP.format(version=HOST_VERSION)
    source = await build_go(go, host, version=HOST_VERSION, flags=flags, into=folder / PROGRAMS[1], module=_SDK)
    # The script that the host starts lies beside its source.
    await asyncio.to_thread(shutil.copyfile, source / "python/cmd" / PROGRAMS[2], folder / PROGRAMS[2])
