"""A goals worker as a process of its own: reads the key from standard input, and ends when that is closed."""

import asyncio
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

sys.path.insert(0, str(Path(__file__).parents[2]))

from deploy.ending import run_to_the_end
from tests.workflows.approval.approving import House
from workflows.plugin import banksman_plugin


async def main(address: str, folder: str) -> None:
    """Run until nobody is there any more."""
    secret = bytes.fromhex((await asyncio.to_thread(sys.stdin.readline)).strip())
    house = House(await Client.connect(address, plugins=[banksman_plugin()]), Path(folder))
    house.versions = {1: Ed25519PrivateKey.from_private_bytes(secret)}
    async with house.workers(destructive=False):
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main(*sys.argv[1:])))
