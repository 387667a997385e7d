"""What the two containers cost: preview and up in them, against the same commands of the CLI outside, in turn.

    python -m bench.pulumi --rounds 7

Both sides run the same CLI with the same provider and the same library, on one PostgreSQL that keeps the states and in
which the program makes a database. Each round takes a new stack on each side, so that both begin from nothing. Outside,
the program runs with the keys beside it. The engine is the machine's own, or one that is started for the bench.
"""

import argparse
import asyncio
import contextlib
import io
import os
import tarfile
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pydantic import SecretBytes

from bench.pulumi_outside import Outside
from bench.ratios import Ratio, pairwise, spread
from bench.report import Machine
from connectors.artifacts import ArtifactStore
from connectors.pulumi import identity
from deploy.images.build import build_images
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.container_engine.found import DockerSettings, docker_engine
from deploy.local.processes.ports import Ports
from deploy.local.state import StackFolder
from deploy.local.state_database import DATABASE, StateDatabase
from deploy.local.tools import CACHE
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine as DockerEngine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.pulumi import steps
from sandbox.pulumi.project import StackSettings, read_project
from sandbox.pulumi.request import (
    PASSPHRASE,
    STATE_PASSWORD,
    Engine,
    Password,
    PostgresState,
    PreviewRequest,
    Program,
    UpRequest,
)
from sandbox.pulumi.runner import PulumiSandbox

PURPOSE: Final = "pulumi-bench"
PROJECT: Final = "bench"
PROGRAM: Final = """
import pulumi

class Database(pulumi.CustomResource):
    def __init__(self, name, database):
        super().__init__("banksman:postgres:Database", name, {"name": database})

Database("made", pulumi.get_stack())
pulumi.export("database", pulumi.get_stack())
"""
_STARTS: Final = 30.0
_WITHOUT_KEYS: Final = {"PGDATABASE": "postgres", "PGSSLMODE": "disable"}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What opens the states, and the server that they lie in."""

    host: str
    port: int
    role: str
    password: str
    passphrase: str

    def variables(self) -> Mapping[str, str]:
        """For a CLI that runs beside them."""
        return {
            **_WITHOUT_KEYS,
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.role,
            "PGPASSWORD": self.password,
            "PULUMI_CONFIG_PASSPHRASE": self.passphrase,
            "PULUMI_BACKEND_URL": f"postgres://{self.role}@{self.host}:{self.port}/{DATABASE}?sslmode=disable",
        }


@dataclass
class Inside:
    """Our side."""

    pulumi: PulumiSandbox
    image: str
    program: str
    keys: Keys

    async def timed(self, stack: str) -> tuple[float, float]:
        """Seconds of a preview, and of an up with its plan."""
        begun = time.perf_counter()
        planned = await self.pulumi.preview(self.preview(stack), self._secrets)
        middle = time.perf_counter()
        assert planned.plan is not None, planned
        assert planned.identity_before is not None, planned
        settings = StackSettings(salt=planned.salt)
        bound = self.up(stack, plan=planned.plan, state=planned.identity_before, settings=settings)
        applied = await self.pulumi.up(bound, self._secrets, last_look=_wanted)
        assert applied.ended == "done", applied
        return middle - begun, time.perf_counter() - middle

    def preview(self, stack: str) -> PreviewRequest:
        """What a preview is asked."""
        return PreviewRequest.model_validate(self._fields(stack))

    def up(self, stack: str, *, plan: str, state: str, settings: StackSettings) -> UpRequest:
        """What an up is asked."""
        return UpRequest.model_validate({**self._fields(stack), "plan": plan, "identity": state, "settings": settings})

    def _fields(self, stack: str) -> dict[str, object]:
        return {
            "run_id": f"r{uuid.uuid4().hex[:12]}",
            "project": read_project(f"name: {PROJECT}\nruntime: python\n".encode()),
            "stack": stack,
            "state": PostgresState(database=DATABASE, role=self.keys.role),
            "engine": self._engine,
            "program": Program(archive=self.program),
        }

    @property
    def _engine(self) -> Engine:
        environment = {"PGHOST": "{state.host}", "PGPORT": "{state.port}", "PGUSER": self.keys.role, **_WITHOUT_KEYS}
        return Engine(
            image=self.image,
            purpose=PURPOSE,
            packages=("banksman",),
            environment=environment,
            passwords=(Password(relay="state", role=self.keys.role, secret=STATE_PASSWORD),),
        )

    @property
    def _secrets(self) -> Mapping[str, SecretBytes]:
        opens = {PASSPHRASE: self.keys.passphrase, STATE_PASSWORD: self.keys.password}
        return {name: SecretBytes(value.encode()) for name, value in opens.items()}


@contextlib.asynccontextmanager
async def network(engine: DockerEngine) -> AsyncGenerator[tuple[str, str]]:
    """A network that leads from a relay to this machine: its name, and the address of this machine on it."""
    name = f"banksman-bench-{uuid.uuid4().hex[:8]}"
    await engine.call(engine.api.create_network, name, driver="bridge", options={}, ipam={}, internal=False, labels={})
    try:
        found = await engine.call(engine.api.inspect_network, name)
        ipam = cast("Mapping[str, list[Mapping[str, str]]]", found["IPAM"])
        yield name, ipam["Config"][0]["Gateway"]
    finally:
        await engine.call(engine.api.remove_network, name)


@contextlib.asynccontextmanager
async def database(folder: Path, host: str) -> AsyncGenerator[Keys]:
    """A PostgreSQL of its own, as the embedded environment has one."""
    ports = Ports()
    folder.mkdir(mode=0o700)
    home = StackFolder(folder)
    server = StateDatabase(home, ports.take(0), {"PATH": os.defpath, "LANG": "C.UTF-8"})
    argv = await server.prepare(host)
    process = await asyncio.create_subprocess_exec(
        *argv, env=dict(server.environment), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_STARTS):
            while not await server.answers():  # noqa: ASYNC110 - what is asked is another process
                await asyncio.sleep(0.1)
        await server.open()
        opens = {name: value.get_secret_value() for name, value in server.secrets()["pulumi/change"].items()}
        yield Keys(
            host=host,
            port=server.port,
            role=opens["state-role"],
            password=opens["state-password"],
            passphrase=opens["passphrase"],
        )
    finally:
        process.terminate()
        await process.wait()
        ports.release()


async def _wanted() -> None:
    """The last look of a bench."""


def packed(code: str) -> bytes:
    """A tar of the program's folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("__main__.py")
        entry.size = len(code.encode())
        tar.addfile(entry, io.BytesIO(code.encode()))
    return made.getvalue()


async def rounds(inside: Inside, outside: Outside, count: int) -> Mapping[str, list[float]]:
    """Each operation on each side, in turn; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ("preview", "preview outside", "up", "up outside")}
    for number in range(count + 1):
        told = f"b{number}-{uuid.uuid4().hex[:6]}"
        preview, up = await inside.timed(f"{told}-in")
        other = f"{told}-out"
        preview_outside = await outside.timed(steps.preview(inside.preview(other)))
        # What it is bound to matters to the sandbox alone: the commands are the same.
        bound = inside.up(other, plan="sha256:" + "0" * 64, state="0" * 64, settings=StackSettings())
        up_outside = await outside.timed(steps.up(bound))
        if number:
            for name, seconds in zip(times, (preview, preview_outside, up, up_outside), strict=True):
                times[name].append(seconds)
    return times


def compared(times: Mapping[str, list[float]]) -> list[Ratio]:
    """Ours against the CLI outside, pair by pair."""
    return [
        Ratio(
            what=f"{name} in two containers",
            against="the CLI outside",
            unit="s",
            pairs=len(times[name]),
            ours=spread(times[name]),
            other=spread(times[f"{name} outside"]),
            ratio=spread(pairwise(times[name], times[f"{name} outside"])),
        )
        for name in ("preview", "up")
    ]


async def measure(engine: DockerEngine, folder: Path, count: int) -> list[Ratio]:
    """Make both sides, and take the times."""
    programs = await pulumi_programs(CACHE / "tools", progress=say)
    images = await build_images(engine, CACHE / "images.json", pulumi=programs)
    assert images.pulumi is not None
    store = ArtifactStore(str(folder / "artifacts"))
    async with network(engine) as (outbound, host), database(folder / "pg", host) as keys:
        relay = RelayTarget(host=keys.host, port=keys.port)
        egress = EgressSettings(relays={PURPOSE: {"state": relay}}, proxy_image=images.proxy.digest, outbound=outbound)
        sandbox = DockerSandbox(engine, store, SandboxOptions(deployment="bench-pulumi"), egress)
        try:
            pulumi = PulumiSandbox(sandbox, store, Path(identity.__file__))
            inside = Inside(pulumi, images.pulumi.digest, await store.put(packed(PROGRAM)), keys)
            outside = Outside(folder / "outside", keys.variables())
            await outside.install(programs, project=PROJECT, code=PROGRAM)
            say(f"{count} rounds, and one to warm up")
            return compared(await rounds(inside, outside, count))
        finally:
            await sandbox.close()


def table(ratios: list[Ratio]) -> None:
    """Print them."""
    print(f"{'what':28} {'against':16} {'pairs':>5} {'ours':>8} {'other':>8} {'ratio':>6}  10–90 %")
    for one in ratios:
        between = f"{one.ratio.low:.2f}–{one.ratio.high:.2f}"
        ours, other = (f"{side.median:.2f} s" for side in (one.ours, one.other))
        print(f"{one.what:28} {one.against:16} {one.pairs:5} {ours:>8} {other:>8} {one.ratio.median:6.2f}  {between}")


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"» {line}", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Pulumi in two containers against the same commands outside.")
    parser.add_argument("--rounds", type=int, default=7)
    count = parser.parse_args().rounds
    before = os.getloadavg()[0]
    async with docker_engine(DockerSettings(cache=CACHE)) as host:
        engine = DockerEngine(host)
        try:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                ratios = await measure(engine, Path(folder), count)
        finally:
            await engine.close()
    table(ratios)
    machine = Machine(load_before=before, load_after=os.getloadavg()[0])
    print(f"{machine.cpus} CPUs, load {machine.load_before:.1f} before and {machine.load_after:.1f} after")


if __name__ == "__main__":
    asyncio.run(main())
