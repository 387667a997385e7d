"""`banksman deliverer`."""

import asyncio

from workers.commands.processes import load_settings, telemetry_for
from workers.deliverer import deliver


def deliverer() -> None:
    """Keep a fresh wrapped secret id ready for each process, for hosts where no supervisor starts them."""
    settings = load_settings()
    telemetry = telemetry_for("deliverer", settings)
    try:
        asyncio.run(deliver(settings))
    finally:
        telemetry.shutdown()
