"""`banksman codec-server`."""

import asyncio

import uvicorn

from connectors.errors import ConnectorError
from workers.codec_server import codec_app
from workers.commands.exits import fail
from workers.commands.processes import load_settings, telemetry_for
from workers.commands.served import server_config
from workers.process import CannotStart, logged_in, payload_codec
from workers.settings import Settings


def codec_server() -> None:
    """Decrypt payloads for the Temporal UI and CLI, for callers with a token."""
    settings = load_settings()
    telemetry = telemetry_for("codec-server", settings)
    try:
        asyncio.run(_codec_server(settings))
    except (CannotStart, ConnectorError) as error:
        fail(str(error))
    finally:
        telemetry.shutdown()


async def _codec_server(settings: Settings) -> None:
    async with logged_in("codec", settings) as vault:
        codec = await payload_codec(vault, settings, mark=False)
        if codec is None:
            raise CannotStart("payloads are not encrypted here, so there is nothing to decrypt")
        server = uvicorn.Server(server_config(codec_app(codec, settings), settings.codec_listen))
        keeping = asyncio.create_task(vault.keep_alive())
        serving = asyncio.create_task(server.serve())
        await asyncio.wait({keeping, serving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        keeping.cancel()
