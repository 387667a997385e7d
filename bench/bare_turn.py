"""The other side of a turn: a bare activity with the key in memory, which asks by the same client.

    python -m bench.bare_turn --address … --namespace … --models FILE --key FILE

No guard, no Vault, no limits, no transcript, no telemetry.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.models.contracts import RequestModel
from bench.turn_workflow import BARE_ASK, QUEUE_BARE_TURNS
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.file import load_models
from connectors.models.messages import Answer
from deploy.ending import run_to_the_end


class BareModel:
    """The activity.

    Args:
        client: Asks.
        key: Of the one backend.
    """

    def __init__(self, client: ModelClient, key: str) -> None:
        self._client: Final = client
        self._key: Final = {"key": SecretStr(key)}

    @activity.defn(name=BARE_ASK)
    async def ask(self, request: RequestModel) -> Answer:
        """Ask one model once."""
        return await self._client.ask(ModelRef(request.backend, request.model), request.prompt, self._key)


async def main() -> None:
    """Work until it is ended."""
    parser = argparse.ArgumentParser(description="A worker on bare temporalio.")
    for name in ("address", "namespace"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("models", "key"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    model = BareModel(ModelClient(load_models(given.models)), given.key.read_text().strip())
    client = await Client.connect(given.address, namespace=given.namespace, data_converter=pydantic_data_converter)
    await Worker(client, task_queue=QUEUE_BARE_TURNS, activities=[model.ask]).run()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main()))
