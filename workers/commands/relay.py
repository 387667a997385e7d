"""`banksman relay`."""

import asyncio

from connectors.errors import ConnectorError
from workers.commands.exits import fail
from workers.commands.processes import load_settings, telemetry_for
from workers.process import CannotStart, logged_in
from workers.relaying import run_relay
from workers.settings import Settings


def relay() -> None:
    """Let machines dial in that serve language models, and let the models worker ask them."""
    settings = load_settings()
    telemetry = telemetry_for("relay", settings)
    try:
        asyncio.run(_relay(settings))
    except (CannotStart, ConnectorError) as error:
        fail(str(error))
    finally:
        telemetry.shutdown()


async def _relay(settings: Settings) -> None:
    async with logged_in("relay", settings) as vault:
        await run_relay(settings, vault)
