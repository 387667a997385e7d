"""What the bench runs on: the servers of one embedded environment, and workers of every side beside each other.

All sides share Temporal, OpenBao and GitHub's twin; each has worker processes of its own in a namespace of its own.
The twin is one of the bench's: its limits are raised by its configuration, for GitHub's own would end a run after
some seconds.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, Plugin
from temporalio.service import RPCError

from connectors.authorities import authorities
from connectors.github.twin.app import TwinConfig
from connectors.github.twin.limits import Limits
from deploy.local.state import StackFolder, StackState
from deploy.temporal import promote, register_search_attributes
from workers.temporal import DEPLOYMENT_NAME, build_id
from workflows.converter import data_converter

LOUD, QUIET, BARE = "bench-loud", "bench-quiet", "bench-bare"
"""The namespaces: ours with telemetry, ours without, and bare temporalio."""

_NO_LIMIT = 10**9
_PATIENCE = 60.0
_START_SECONDS = 180
_SCRAPE_EVERY = 5.0
_OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@dataclass
class System:
    """A running system.

    Attributes:
        loud: A client of ours with telemetry; it traces, as our own command does.
        quiet: A client of ours without.
        bare: A client of bare temporalio.
        metrics: Where our connectors worker with telemetry tells its metrics.
    """

    loud: Client
    quiet: Client
    bare: Client
    metrics: str


@dataclass
class Site:
    """The addresses, and the environment of the processes."""

    folder: StackFolder
    state: StackState
    logs: Path
    github: str = ""
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list["subprocess.Popen[bytes]"])

    def settings(self, namespace: str, **more: str) -> dict[str, str]:
        """What our workers need to know; they ask the stack's supervisor for their wrapped secret ids."""
        told = {
            "HOME": str(self.folder.root),
            "TEMPORAL_ADDRESS": self.state.temporal.address,
            "TEMPORAL_NAMESPACE": namespace,
            "VAULT_ADDRESS": self.state.vault.address,
            "GITHUB_URL": self.github,
            "POLICY": self.state.policy,
            "ENVIRONMENT": self.state.environment,
            "ARTIFACTS": str(self.folder.artifacts),
            "AUDIT_DIR": str(self.logs / f"audit-{namespace}"),
            "DEVELOPMENT": "true",
            "ENCRYPT_PAYLOADS": "false",
            **more,
        }
        return bench_environment({f"BANKSMAN_{name}": value for name, value in told.items()})

    @property
    def spans(self) -> str:
        """What takes the spans: the collector where there is one, else the trace store."""
        return (self.state.otlp or self.state.traces).url

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> int:
        """Start one process; what it says goes to a file. Its process id."""
        with (self.logs / f"{name}.log").open("wb") as log:
            argv = [sys.executable, "-m", *arguments]
            self.started.append(subprocess.Popen(argv, env=dict(environment), stdout=log, stderr=log))
        return self.started[-1].pid

    def end(self) -> None:
        """End every process, the last one first."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    def check(self) -> None:
        """Raise when a process has ended: what is measured then is not what it seems."""
        for process in self.started:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}; its log is in {self.logs}")


def bench_environment(more: Mapping[str, str]) -> dict[str, str]:
    """What a process of the bench is started with: no setting of ours but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BANKSMAN_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def embedded(*options: str) -> Generator[Site]:
    """An embedded environment in a folder of its own, and the bench's processes beside it.

    Args:
        options: Of `banksman up`.
    """
    root = Path(tempfile.mkdtemp(prefix="bm-"))
    banksman = [sys.executable, "-m", "workers"]
    environment = bench_environment({"BANKSMAN_HOME": str(root / "s"), "NO_COLOR": "1"})
    ended = False
    try:
        up = subprocess.run(
            [*banksman, "up", "--detach", *options],
            env=environment,
            timeout=_START_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        if up.returncode != 0:
            raise RuntimeError(f"the embedded environment did not start: {up.stderr}")
        folder = StackFolder(root / "s")
        state = folder.read()
        assert state is not None
        site = Site(folder=folder, state=state, logs=root)
        try:
            yield site
        finally:
            site.end()
        ended = True
    finally:
        subprocess.run([*banksman, "down"], env=environment, timeout=_START_SECONDS, capture_output=True, check=False)
        if ended:
            shutil.rmtree(root)
        else:
            print(f"the logs of what failed are in {root}", file=sys.stderr)


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it is so.

    Raises:
        TimeoutError: It did not come about in a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    while not await holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about in {_PATIENCE:.0f} s")
        await asyncio.sleep(0.2)


async def make_namespace(client: Client) -> None:
    """Make the client's namespace; it takes a server some seconds to know it everywhere."""
    kept = Duration()
    kept.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=kept)
    )

    async def known() -> bool:
        try:
            await register_search_attributes(client)
            await client.count_workflows()
        except RPCError:
            return False
        return True

    await until(known, f"the namespace {client.namespace!r}")


def free_port() -> int:
    """One that nobody listens at now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def start_twin(site: Site, provider: str, config: BaseModel, *, listen: str) -> str:
    """A twin as a process of its own, until it answers. Its address."""
    path = site.folder.private(f"twins/bench-{provider}.json", config.model_dump_json().encode())
    traced = site.settings("default", OTLP_ENDPOINT=site.state.traces.url)
    site.start(f"twin-{provider}", ["workers", "twin", provider, str(path)], traced)
    url = f"http://{listen}"

    async def answers() -> bool:
        try:
            async with httpx.AsyncClient(verify=authorities()) as client:
                return (await client.get(f"{url}/_twin/requests")).is_success
        except httpx.TransportError:
            return False

    await until(answers, f"{provider}'s twin")
    return url


async def _start_github(site: Site) -> TwinConfig:
    """The stack's twin over again, with limits that no run reaches."""
    told = json.loads((site.folder.twins / "github.json").read_text())
    listen = f"127.0.0.1:{free_port()}"
    config = TwinConfig.model_validate({**told, "listen": listen, "limits": Limits(hourly=_NO_LIMIT, points=_NO_LIMIT)})
    site.github = await start_twin(site, "github", config, listen=listen)
    return config


def _start_workers(site: Site, config: TwinConfig, metrics: Mapping[str, int]) -> None:
    for role, port in metrics.items():
        loud = site.settings(LOUD, METRICS_ADDRESS=f"127.0.0.1:{port}", OTLP_ENDPOINT=site.spans)
        site.start(f"loud-{role}", ["workers", "worker", role], loud)
        site.start(f"quiet-{role}", ["workers", "worker", role], site.settings(QUIET))
    arguments = ["--address", site.state.temporal.address, "--namespace", BARE, "--github", site.github]
    arguments += ["--client-id", config.client_id, "--key", str(site.folder.twins / "github-app.pem")]
    for part in ("workflows", "activities", "both"):
        site.start(f"bare-{part}", ["bench.bare", part, *arguments], bench_environment({}))


async def _scrape(pages: Sequence[str]) -> None:
    """As Prometheus does it, until it is cancelled: of each page all, with exemplars, every five seconds."""
    async with httpx.AsyncClient(verify=authorities(), headers={"accept": _OPEN_METRICS}) as client:
        while True:
            await asyncio.gather(*map(client.get, pages), return_exceptions=True)
            await asyncio.sleep(_SCRAPE_EVERY)


@contextlib.asynccontextmanager
async def running(plugins: Callable[[str], list[Plugin]], *, everything: bool) -> AsyncGenerator[System]:
    """All sides, up and polling.

    Args:
        plugins: Makes the plugins of our client with telemetry, from the address of what takes its spans.
        everything: Telemetry goes through the collector to all stores, and its metrics are scraped.
    """
    async with AsyncExitStack() as stack:
        site = stack.enter_context(embedded(*(["--observability"] if everything else [])))
        address = site.state.temporal.address
        converter = data_converter()
        quiet = await Client.connect(address, namespace=QUIET, data_converter=converter)
        telling = plugins(site.spans)
        loud = await Client.connect(address, namespace=LOUD, data_converter=converter, plugins=telling)
        bare = await Client.connect(address, namespace=BARE)
        await asyncio.gather(*map(make_namespace, (loud, quiet, bare)))
        metrics = {"goals": free_port(), "connectors": free_port()}
        _start_workers(site, await _start_github(site), metrics)
        pages = [f"http://127.0.0.1:{port}/metrics" for port in metrics.values()]
        if everything:
            scraping = asyncio.create_task(_scrape(pages))
            stack.callback(scraping.cancel)
        for client in (loud, quiet):
            await promote(client, deployment=DEPLOYMENT_NAME, build_id=build_id())
        yield System(loud=loud, quiet=quiet, bare=bare, metrics=pages[1])
        site.check()
