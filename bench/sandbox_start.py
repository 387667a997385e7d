"""How long a run of `true` takes, as ratios against `docker run --rm` with the same options, alternating in one go.

    python -m bench.sandbox_start --rounds 15

Cold runs are counted twice: until the result is there, and until nothing is left of the run, which is what
`docker run --rm` waits for. The engine is the machine's own, or one that is started for the bench.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable

from pydantic import SecretBytes

from bench.sandbox_proxy import print_proxy_overhead
from connectors.artifacts import ArtifactStore
from deploy.images.build import build_images
from deploy.local.container_engine.found import DockerSettings, docker_engine
from deploy.local.tools import CACHE
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import UNROUTABLE_RESOLVER, Place, container_config
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.provisioning import Images
from sandbox.spec import Limits, RunSpec

LIMITS = Limits()
HOLDS = {
    "cold, to the result": 1.1,
    "cold, to nothing left": 1.1,
    "SDK cold, same options": None,
    "warm, one secret in": 0.2,
    "egress, cold, to the result": 1.1,
    "egress, cold, to nothing left": 1.1,
}
Work = Callable[[], Awaitable[None]]


async def command(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, argv


def docker_run(host: str, image: str, network: str = "none") -> list[str]:
    """The hardened options in the words of Docker's own command."""
    owned = "rw,nosuid,nodev,uid=10001,gid=10001,mode=0700"
    return [
        "docker", "-H", host, "run", "--rm", "--read-only", "--user=10001:10001", "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true", f"--pids-limit={LIMITS.pids}", f"--memory={LIMITS.memory_bytes}",
        f"--memory-swap={LIMITS.memory_bytes}", f"--cpus={LIMITS.cpus}", f"--shm-size={LIMITS.shm_bytes}",
        f"--tmpfs=/workspace:{owned},exec,size={LIMITS.workspace_bytes},nr_inodes={LIMITS.workspace_inodes}",
        f"--tmpfs=/tmp:{owned},exec,size={LIMITS.tmp_bytes},nr_inodes={LIMITS.tmp_inodes}",
        f"--tmpfs=/run/secrets:{owned},size=1048576,nr_inodes=128",
        f"--tmpfs=/run/banksman:{owned},size=65536,nr_inodes=16",
        "--ulimit=core=0", "--ulimit=nofile=4096", "--ipc=private", "--log-driver=none", f"--network={network}",
        f"--dns={UNROUTABLE_RESOLVER}", "--oom-score-adj=500", "--entrypoint=true", image,
    ]  # fmt: skip


class Bench:
    """The things that are timed, in turn."""

    def __init__(self, engine: Engine, images: Images, folder: str) -> None:
        self.engine, self.image = engine, images.base.digest
        store = ArtifactStore(folder)
        egress = EgressSettings(purposes={"git": ("example.com",)}, proxy_image=images.proxy.digest)
        self.cold = DockerSandbox(engine, store, SandboxOptions(deployment="bench"), egress)
        self.warm = DockerSandbox(engine, store, SandboxOptions(deployment="bench-warm", waiting=1))

    def spec(self, purpose: str | None = None) -> RunSpec:
        """One run of `true`."""
        return RunSpec(run_id=uuid.uuid4().hex[:12], image=self.image, argv=("true",), limits=LIMITS, purpose=purpose)

    async def run_cold(self) -> None:
        """From nothing."""
        assert (await self.cold.run(self.spec())).exit_code == 0

    async def run_egress(self) -> None:
        """From nothing, with a network of its own."""
        assert (await self.cold.run(self.spec("git"))).exit_code == 0

    async def run_warm(self) -> None:
        """With a container that waits."""
        result = await self.warm.run(self.spec(), secrets={"token": SecretBytes(b"secret")})
        assert result.exit_code == 0
        assert result.usage.warm

    async def run_by_sdk(self) -> None:
        """Create, start, wait and remove by the SDK, nothing of ours inside."""
        config = {**container_config(Place.of(self.image, LIMITS), LIMITS, {}), "Entrypoint": ["true"]}
        name, api = f"bench-{uuid.uuid4().hex[:8]}", self.engine.api
        await self.engine.call(api.create_container_from_config, config, name)
        await self.engine.call(api.start, name)
        while dict(await self.engine.call(api.inspect_container, name))["State"]["Running"]:  # pyright: ignore[reportIndexIssue]
            pass
        await self.engine.call(api.remove_container, name, v=True, force=True)

    async def run_by_docker(self) -> None:
        """By Docker's own command."""
        await command(*docker_run(self.engine.host, self.image))

    async def run_by_docker_with_network(self) -> None:
        """The same, with a network made and removed."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        await command("docker", "-H", self.engine.host, "network", "create", "--internal", name)
        await command(*docker_run(self.engine.host, self.image, name))
        await command("docker", "-H", self.engine.host, "network", "rm", name)

    async def settle(self) -> None:
        """Between two timings nothing is under way."""
        await self.cold.containers.settled()
        await self.warm.containers.settled()
        pool = self.warm.pool
        assert pool is not None
        await pool.ready(Place.of(self.image, LIMITS), LIMITS)

    async def timed(self, work: Work, *, to_the_end: bool = False) -> float:
        """Seconds of one piece of work."""
        await self.settle()
        begun = time.perf_counter()
        await work()
        if to_the_end:
            await self.cold.containers.settled()
        return time.perf_counter() - begun

    async def one_round(self, times: dict[str, list[float]]) -> None:
        """Each once, one after the other."""
        times["docker run --rm"].append(await self.timed(self.run_by_docker))
        times["cold, to the result"].append(await self.timed(self.run_cold))
        times["SDK cold, same options"].append(await self.timed(self.run_by_sdk))
        times["cold, to nothing left"].append(await self.timed(self.run_cold, to_the_end=True))
        times["warm, one secret in"].append(await self.timed(self.run_warm))
        times["docker run --rm and a network"].append(await self.timed(self.run_by_docker_with_network))
        times["egress, cold, to the result"].append(await self.timed(self.run_egress))
        times["egress, cold, to nothing left"].append(await self.timed(self.run_egress, to_the_end=True))


def table(times: dict[str, list[float]]) -> None:
    print(f"{'what':34} {'median s':>9} {'ratio':>6} {'quartiles':>13}  hold")
    for name, seconds in times.items():
        network = name.startswith("egress")
        against = times["docker run --rm and a network" if network else "docker run --rm"]
        ratios = [mine / other for mine, other in zip(seconds, against, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        limit = HOLDS.get(name)
        verdict = "" if limit is None else f"≤ {limit} {'held' if middle <= limit else 'MISSED'}"
        print(f"{name:34} {statistics.median(seconds):9.3f} {middle:6.2f} {low:6.2f}–{high:<6.2f}  {verdict}")


async def throughput(bench: Bench, runs: int) -> None:
    await bench.settle()
    begun = time.perf_counter()
    await asyncio.gather(*(bench.run_cold() for _ in range(runs)))
    await bench.cold.containers.settled()
    print(f"\n{60 * runs / (time.perf_counter() - begun):.0f} cold runs per minute, at most 4 at once")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Start times of the sandbox against docker run --rm.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    async with docker_engine(DockerSettings(cache=CACHE)) as host:
        engine = Engine(host)
        with tempfile.TemporaryDirectory() as folder:
            images = await build_images(engine, CACHE / "images.json")
            bench = Bench(engine, images, folder)
            times: dict[str, list[float]] = {
                name: [] for name in ("docker run --rm", "docker run --rm and a network", *HOLDS)
            }
            await bench.one_round({name: [] for name in times})  # the proxy starts, caches fill
            for _ in range(rounds):
                await bench.one_round(times)
            table(times)
            await throughput(bench, 24)
            await bench.cold.close()
            await bench.warm.close()
            await print_proxy_overhead(engine, images, ArtifactStore(folder), min(rounds, 7))
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
