"""The world outside of a run, as a container on a network of its own."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import cast

import httpx

from sandbox.docker.engine import Engine

TWIN = Path(__file__).with_name("outside.py").read_text()
Names = Mapping[str, Sequence[str]]


class Outside:
    """A network that leads to a resolver and a web server, and nowhere else."""

    def __init__(self, engine: Engine, subnet: IPv4Network) -> None:
        self.engine, self.subnet, self.address = engine, subnet, str(subnet[80])
        self.network = f"banksman-outside-{uuid.uuid4().hex[:8]}"
        self.name = f"outside-{uuid.uuid4().hex[:8]}"

    async def start(self, image: str, names: Names, environment: Sequence[str] = ()) -> None:
        await self.engine.call(
            self.engine.api.create_network, self.network, driver="bridge", options={},
            ipam={"Driver": "default", "Config": [{"Subnet": str(self.subnet)}]}, internal=False, labels={},
        )  # fmt: skip
        known = {name: [address.format(web=self.address) for address in found] for name, found in names.items()}
        config = {
            "Image": image,
            "User": "0:0",
            "Entrypoint": ["python3", "-c", TWIN],
            "Env": [f"NAMES={json.dumps(known)}", *environment],
            "HostConfig": {"NetworkMode": self.network, "LogConfig": {"Type": "none"}},
            "NetworkingConfig": {"EndpointsConfig": {self.network: {"IPAMConfig": {"IPv4Address": self.address}}}},
        }
        await self.engine.call(self.engine.api.create_container_from_config, config, self.name)
        await self.engine.call(self.engine.api.start, self.name)
        async with asyncio.timeout(20):
            while True:
                if await self.listening():
                    break
                await asyncio.sleep(0.05)

    async def listening(self) -> bool:
        try:
            await self.state()
        except httpx.HTTPError:
            return False
        return True

    async def state(self) -> dict[str, list[str]]:
        """What it saw: names asked for, and paths visited."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://{self.address}:8443/state", timeout=5)
        return cast("dict[str, list[str]]", answer.json())

    async def stop(self) -> None:
        await self.engine.remove(self.engine.api.remove_container, self.name, v=True, force=True)
        await self.engine.remove(self.engine.api.remove_network, self.network)


@contextlib.asynccontextmanager
async def outside_on(
    engine: Engine, image: str, subnet: str, names: Names, environment: Sequence[str] = ()
) -> AsyncGenerator[Outside]:
    """One that answers for these names, `{web}` being its own address.

    Groups of tests run beside each other on one engine: whoever asks for one has a second octet of its own.
    """
    outside = Outside(engine, IPv4Network(subnet))
    try:
        await outside.start(image, names, environment)
        yield outside
    finally:
        await outside.stop()
