"""A machine of the twin that serves is gone once it is ended, whatever it was doing at that moment."""

import asyncio
import base64
import json

import pytest
import yaml

from connectors.lambdalabs.twin.serving import ServingMachines
from connectors.served.inside import tunnel
from tests.connectors.served.tunnelled import until

BOOTS = yaml.safe_dump(
    {
        "write_files": [
            {"path": "/etc/banksman/tunnel.json", "content": base64.b64encode(json.dumps({}).encode()).decode()}
        ]
    }
)


async def test_one_that_loses_its_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[str] = []

    async def stubborn(configuration: str, state: str) -> None:
        """As `wait_for` of Python 3.11 is at the wrong moment."""
        for moment in ("begun", "cancellation lost"):
            came.append(moment)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if moment != "begun":
                    came.append("ended")
                    raise

    monkeypatch.setattr(tunnel, "main", stubborn)
    machines = ServingMachines(model_port=1)
    machines.start("i-1", f"#cloud-config\n{BOOTS}")

    async def is_up() -> bool:
        return came == ["begun"]

    async def has_ended() -> bool:
        return came == ["begun", "cancellation lost", "ended"]

    await until(is_up)
    machines.stop("i-1")
    await until(has_ended)
    machines.close()
