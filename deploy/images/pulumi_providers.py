"""Providers of the deployment's own choice, for the image with Pulumi: each a pinned release, checked by its digest.

A release is what Pulumi itself would fetch: a tar.gz with `pulumi-resource-NAME`. In a run nothing is fetched, so a
provider that is not in the image does not exist there.
"""

import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field

from connectors.authorities import authorities
from connectors.pulumi.files import FileProblem, read_file
from deploy.images.pulumi_cli import fetch
from deploy.local.tools import ToolUnavailableError

RELEASE: Final = (
    "https://github.com/pulumi/pulumi-{name}/releases/download/v{version}/"
    "pulumi-resource-{name}-v{version}-linux-{machine}.tar.gz"
)
"""Where the providers of Pulumi's makers are."""

_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DOWNLOAD: Final = httpx.Timeout(120.0, connect=4.0)
_EXECUTABLE: Final = 0o755

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Provider(BaseModel):
    """One provider.

    Attributes:
        name: As programs and the list of allowed packages call it.
        version: Of its release, without `v`. The Python library of a program must fit.
        sha256: Of its release, for each kind of machine, `amd64` or `arm64`.
        url: Where its release is; `{name}`, `{version}` and `{machine}` are put in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,60}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([.-][0-9A-Za-z.-]{1,40})?$")
    sha256: Mapping[Annotated[str, Field(pattern="^(amd64|arm64)$")], _Sha256] = Field(min_length=1)
    url: str = Field(default=RELEASE, pattern=r"^https://\S+$")


class _Providers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    providers: tuple[Provider, ...]


def read_providers(path: Path) -> tuple[Provider, ...]:
    """The providers that a file lists.

    Raises:
        ToolUnavailableError: It cannot be read or is not valid; a line for each problem.
    """
    try:
        return read_file(path, _Providers).providers
    except FileProblem as problem:
        raise ToolUnavailableError(str(problem)) from problem


async def place_providers(
    plugins: Path, providers: Sequence[Provider], *, keep: str, progress: Callable[[str], None]
) -> None:
    """Make the folder hold exactly these, as `resource-NAME-vVERSION/pulumi-resource-NAME`.

    Args:
        plugins: The folder.
        providers: What it shall hold.
        keep: A folder in it that is not ours to remove.
        progress: Told in one line what is being done.

    Raises:
        ToolUnavailableError: A release cannot be had, or is not the one that is wanted.
    """
    wanted = {f"resource-{one.name}-v{one.version}": one for one in providers}
    for folder in plugins.glob("resource-*/"):
        if folder.name not in {*wanted, keep}:
            shutil.rmtree(folder)
    for name, provider in wanted.items():
        digest = _digest(provider)
        stamp = plugins / f"{name}-{digest}.stamp"
        if not (stamp.exists() and (plugins / name).is_dir()):
            progress(f"fetching the provider {provider.name!r} {provider.version} from its release")
            shutil.rmtree(plugins / name, ignore_errors=True)
            await _place(provider, digest, plugins / name)
            stamp.touch()


def _machine() -> str:
    return _MACHINES.get(platform.machine().lower(), platform.machine())


def _digest(provider: Provider) -> str:
    if (digest := provider.sha256.get(_machine())) is None:
        raise ToolUnavailableError(
            f"the provider {provider.name!r} {provider.version} has no digest for {_machine()!r}: add it to the list"
        )
    return digest


async def _place(provider: Provider, digest: str, folder: Path) -> None:
    address = provider.url
    for name, value in (("name", provider.name), ("version", provider.version), ("machine", _machine())):
        address = address.replace(f"{{{name}}}", value)
    folder.mkdir(parents=True)
    try:
        with tempfile.TemporaryFile(dir=folder) as archive:
            async with httpx.AsyncClient(verify=authorities(), follow_redirects=True, timeout=_DOWNLOAD) as client:
                await fetch(client, address, sha256=digest, into=archive)
            _unpack(archive, folder / f"pulumi-resource-{provider.name}")
    except (httpx.HTTPError, tarfile.TarError, ToolUnavailableError) as error:
        shutil.rmtree(folder)
        raise ToolUnavailableError(
            f"the provider {provider.name!r} {provider.version} cannot be had: {error or type(error).__name__}"
        ) from error


def _unpack(archive: IO[bytes], program: Path) -> None:
    """Only the program; a release has its licence beside it."""
    with tarfile.open(fileobj=archive, mode="r:gz") as packed:
        found = next((one for one in packed if one.isfile() and one.name.removeprefix("./") == program.name), None)
        content = packed.extractfile(found) if found else None
        if content is None:
            raise ToolUnavailableError(f"the release has no {program.name!r}")
        with program.open("wb") as file:
            shutil.copyfileobj(content, file)
    program.chmod(_EXECUTABLE)
