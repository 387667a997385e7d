"""What the allow-list proxy costs: connections and a download through it, against the same without it.

One program measures both, in the same image, in turn: a run with a purpose, whose only way is the proxy, and a
container on the server's own network. The server is a container as well, so that nothing but the proxy differs.
"""

import asyncio
import contextlib
import json
import random
import statistics
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence

from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.protocol import ArtifactStore
from sandbox.provisioning import Images
from sandbox.spec import Limits, RunSpec

NAME = "server.example.com"
CONNECTIONS = 200
MEGABYTES = 64
Times = Mapping[str, float]
"""Seconds of one connection with a small answer, and of one large download."""

SERVER = """
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        size = int(self.rfile.readline())
        while size > 0:
            size -= self.request.send(BLOCK[:size])
BLOCK = bytes(1 << 20)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
Server(('0.0.0.0', 443), Answer).serve_forever()
"""
CLIENT = f"""
import json, os, socket, sys, time
proxy = os.environ.get('HTTPS_PROXY', '').removeprefix('http://')
def fetch(size):
    if proxy:
        host, port = proxy.split(':')
        s = socket.create_connection((host, int(port)))
        s.sendall(b'CONNECT {NAME}:443 HTTP/1.1\\r\\n\\r\\n')
        answer = b''
        while b'\\r\\n\\r\\n' not in answer: answer += s.recv(4096)
        assert b' 200 ' in answer, answer
    else:
        s = socket.create_connection(('{NAME}', 443))
    with s:
        s.sendall(b'%d\\n' % size)
        left = size
        while left: left -= len(s.recv(min(left, 1 << 20)))
def seconds(times, size):
    begun = time.perf_counter()
    for _ in range(times): fetch(size)
    return (time.perf_counter() - begun) / times
fetch(1)
print(json.dumps(dict(connection=seconds({CONNECTIONS}, 1000), download=seconds(1, {MEGABYTES} << 20))))
"""


class ProxyBench:
    """A server, and the two ways to it."""

    def __init__(self, sandbox: DockerSandbox, engine: Engine, image: str, network: str) -> None:
        self._sandbox, self._engine, self._image, self._network = sandbox, engine, image, network

    async def through(self) -> Times:
        """By a run whose only way is the proxy."""
        limits = Limits(cpus=2, wall_seconds=120)
        argv = ("python3", "-c", CLIENT)
        result = await self._sandbox.run(
            RunSpec(run_id=uuid.uuid4().hex[:12], image=self._image, argv=argv, limits=limits, purpose="bench")
        )
        assert result.exit_code == 0, result.stderr.text
        return times_of(result.stdout.text)

    async def direct(self) -> Times:
        """By a container on the server's network."""
        process = await asyncio.create_subprocess_exec(
            "docker", "-H", self._engine.host, "run", "--rm", "--read-only", "--cpus=2", f"--network={self._network}",
            "--entrypoint=python3", self._image, "-c", CLIENT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0
        return times_of(said.decode())

    async def ratios(self, rounds: int) -> Mapping[str, Sequence[float]]:
        """Through the proxy against direct, by what was measured."""
        await self.through()  # the proxy starts
        found: dict[str, list[float]] = {"connection": [], "download": []}
        for _ in range(rounds):
            direct, through = await self.direct(), await self.through()
            for name, ratios in found.items():
                ratios.append(through[name] / direct[name])
        return found


def times_of(said: str) -> Times:
    return {str(name): float(seconds) for name, seconds in json.loads(said).items()}


@contextlib.asynccontextmanager
async def proxy_bench(engine: Engine, images: Images, store: ArtifactStore) -> AsyncGenerator[ProxyBench]:
    """A server on a network of its own, on addresses that are public anywhere else."""
    name = f"banksman-bench-{uuid.uuid4().hex[:8]}"
    subnet = f"11.224.{random.randrange(256)}.0/24"  # noqa: S311 - no secret
    api = engine.api
    await engine.call(
        api.create_network, name, driver="bridge", options={}, internal=False, labels={},
        ipam={"Driver": "default", "Config": [{"Subnet": subnet}]},
    )  # fmt: skip
    config = {
        "Image": images.base.digest, "User": "0:0", "Entrypoint": ["python3", "-c", SERVER],
        "HostConfig": {"NetworkMode": name, "LogConfig": {"Type": "none"}},
        "NetworkingConfig": {"EndpointsConfig": {name: {"Aliases": [NAME]}}},
    }  # fmt: skip
    settings = EgressSettings(purposes={"bench": (NAME,)}, proxy_image=images.proxy.digest, outbound=name)
    sandbox = DockerSandbox(engine, store, SandboxOptions(deployment="bench-proxy"), settings)
    try:
        await engine.call(api.create_container_from_config, config, name)
        await engine.call(api.start, name)
        yield ProxyBench(sandbox, engine, images.base.digest, name)
    finally:
        await sandbox.close()
        await engine.call(api.remove_container, name, v=True, force=True)
        await engine.call(api.remove_network, name)


async def print_proxy_overhead(engine: Engine, images: Images, store: ArtifactStore, rounds: int) -> None:
    """The medians and quartiles, in lines like those of the start times."""
    async with proxy_bench(engine, images, store) as bench:
        found = await bench.ratios(rounds)
    what = {"connection": "a connection, small answer", "download": f"a download of {MEGABYTES} MiB"}
    print(f"\n{'through the proxy, against direct':34} {'ratio':>6} {'quartiles':>13}")
    for name, ratios in found.items():
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{what[name]:34} {middle:6.2f} {low:6.2f}–{high:<6.2f}")
