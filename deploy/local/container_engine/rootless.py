"""Container engines that an ordinary user runs: rows of `banksman doctor`, each with the way to use it."""

import asyncio
from pathlib import Path
from typing import Final

import httpx

from connectors.authorities import authorities
from deploy.local.tools import ToolReport

_PATIENCE: Final = 3.0
_NEEDED_FOR: Final = "sandboxes where you are not root"
_ENGINES: Final = {
    "rootless docker": (
        Path("docker.sock"),
        "dockerd-rootless-setuptool.sh install, then systemctl --user start docker",
    ),
    "rootless podman": (Path("podman/podman.sock"), "systemctl --user start podman.socket"),
}


async def survey_rootless(runtime: Path) -> list[ToolReport]:
    """What answers below the user's own runtime folder, `$XDG_RUNTIME_DIR`."""
    return list(await asyncio.gather(*(_report(name, runtime / where, how) for name, (where, how) in _ENGINES.items())))


async def _report(name: str, socket: Path, how_to_get: str) -> ToolReport:
    version = await _version(socket)
    host = f"unix://{socket}"
    return ToolReport(
        name=name,
        found=version is not None,
        version=version,
        path=str(socket) if version else None,
        how=f"to use it: BANKSMAN_DOCKER_HOST={host} banksman up" if version else None,
        needed_for=_NEEDED_FOR,
        required=False,
        how_to_get=how_to_get,
    )


async def _version(socket: Path) -> str | None:
    """Of the engine that answers there; both speak Docker's API."""
    try:
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket), verify=authorities()), timeout=_PATIENCE
        ) as client:
            answer = await client.get("http://engine/version")
            return str(answer.raise_for_status().json()["Version"])
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError):
        return None
