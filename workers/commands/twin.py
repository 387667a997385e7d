"""`banksman twin`: a provider's twin as a process; `banksman twins`: many in one, each from when it is asked for."""

import asyncio
import signal
import socket
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Protocol, cast

import structlog
import typer
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette

from connectors.provider import twins
from workers import serving
from workers.commands.exits import Exit, fail
from workers.commands.processes import load_settings, telemetry_for
from workers.commands.served import serve

_log = structlog.get_logger("banksman.twins")


class _Configuration(BaseModel):
    """What every twin's configuration has."""

    model_config = ConfigDict(extra="ignore")

    listen: str


class _Twin(Protocol):
    """The module of a twin."""

    TwinConfig: type[BaseModel]

    def create_twin(self, config: BaseModel) -> Starlette: ...


def twin(provider: str, configuration: Path) -> None:
    """Run a provider's twin from its configuration file."""
    _require_known(provider)
    telemetry = telemetry_for(f"twin-{provider}", load_settings(), temporal=False)
    serve(_made(provider, configuration), _address(configuration), telemetry)


def twins_on_demand(
    configurations: Annotated[list[Path], typer.Argument(help="PROVIDER.json, each the configuration of a twin.")],
) -> None:
    """Run twins in one process: each listens at once, and begins when somebody connects to it."""
    for one in configurations:
        _require_known(one.stem)
    bound = [(one, serving.bind(_address(one))) for one in configurations]
    # Its metrics are served from here on: whoever sees them knows that every twin listens.
    telemetry = telemetry_for("twins", load_settings(), temporal=False)
    try:
        asyncio.run(_serve_all(bound))
    finally:
        telemetry.shutdown()


async def _serve_all(bound: Sequence[tuple[Path, socket.socket]]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    running = [asyncio.create_task(_serve_when_asked(*one)) for one in bound]
    ending = asyncio.create_task(told.wait())
    # One that cannot begin ends the process, with its reason; it is started again.
    done, _ = await asyncio.wait([ending, *running], return_when=asyncio.FIRST_COMPLETED)
    for one in (ending, *running):
        one.cancel()
    await asyncio.gather(ending, *running, return_exceptions=True)
    for one in done - {ending}:
        one.result()


async def _serve_when_asked(configuration: Path, listening: socket.socket) -> None:
    listening.setblocking(False)  # noqa: FBT003 - the parameter has no name
    await _connected(listening)
    _log.info("a twin begins", provider=configuration.stem)
    app = await asyncio.to_thread(_made, configuration.stem, configuration)
    await serving.serve(app, listening)


async def _connected(listening: socket.socket) -> None:
    """Until somebody waits to be accepted, who is left to the server."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening, asked.set)
    try:
        await asked.wait()
    finally:
        loop.remove_reader(listening)


def _made(provider: str, configuration: Path) -> Starlette:
    module = cast("_Twin", import_module(f"connectors.{provider}.twin.app"))
    return module.create_twin(module.TwinConfig.model_validate_json(configuration.read_text(encoding="utf-8")))


def _address(configuration: Path) -> str:
    return _Configuration.model_validate_json(configuration.read_text(encoding="utf-8")).listen


def _require_known(provider: str) -> None:
    if provider not in twins():
        fail(f"there is no twin of {provider!r}; there are: {', '.join(twins())}", Exit.USAGE)
