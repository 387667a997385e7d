"""`banksman platform`: the platform of the embedded environment, as a process."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.platform.config import PlatformConfig
from deploy.local.platform.control import control_app
from deploy.local.platform.pages import pages_app
from deploy.local.platform.platform import Platform
from deploy.local.platform.stores import Stores
from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.reaper import Reaper
from sandbox.errors import SandboxError
from sandbox.provisioning import EngineFound, Images
from workers import serving
from workers.commands.exits import Exit, fail
from workers.commands.processes import load_settings, telemetry_for

_OWNER = "platform"


def platform(
    configuration: Annotated[Path, typer.Argument(help="The file that says how.")],
) -> None:
    """Run web services for programs that deploy to the embedded environment."""
    config = PlatformConfig.model_validate_json(configuration.read_text(encoding="utf-8"))
    bound = serving.bind(config.listen), serving.bind(config.control)
    telemetry = telemetry_for("platform", load_settings(), temporal=False)
    try:
        asyncio.run(_serve(config, *bound))
    except (SandboxError, OSError, ValueError) as error:
        fail(str(error), Exit.FAILED)
    finally:
        telemetry.shutdown()


async def _serve(config: PlatformConfig, listening: socket.socket, control: socket.socket) -> None:
    found = EngineFound.model_validate_json(await asyncio.to_thread(config.engine.read_bytes))
    images = Images.model_validate_json(await asyncio.to_thread(Path(found.images).read_bytes))
    engine = Engine(found.host, threads=8)
    options = SandboxOptions(deployment=config.deployment, owner=_OWNER)
    containers = Containers(engine, options)
    await Reaper(engine, options, lambda: containers.live).round()  # what a platform that was killed has left
    stores = Stores(config.vault.address, config.vault.token) if config.vault is not None else None
    platform = Platform(containers, images.base.digest, config.folder, stores=stores)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    work: list[asyncio.Task[None]] = [
        asyncio.create_task(platform.keep()),
        *([asyncio.create_task(stores.keep_token())] if stores is not None else []),
        asyncio.create_task(serving.serve(pages_app(platform), listening)),
        asyncio.create_task(serving.serve(control_app(platform, look=config.look, change=config.change), control)),
    ]
    ending = asyncio.create_task(told.wait())
    done, _ = await asyncio.wait([ending, *work], return_when=asyncio.FIRST_COMPLETED)
    for one in (ending, *work):
        one.cancel()
    await asyncio.gather(ending, *work, return_exceptions=True)
    await platform.close()
    await engine.close()
    for one in done - {ending}:
        one.result()
