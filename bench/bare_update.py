"""The worker process that bare updates are sent to: `python -m bench.bare_update --address … --namespace …`."""

import argparse
import asyncio

from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare_workflow import QUEUE_UPDATES, BareWait
from deploy.ending import run_to_the_end


async def main() -> None:
    parser = argparse.ArgumentParser(description="A worker on bare temporalio.")
    for name in ("address", "namespace"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    client = await Client.connect(given.address, namespace=given.namespace)
    await Worker(client, task_queue=QUEUE_UPDATES, workflows=[BareWait]).run()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main()))
