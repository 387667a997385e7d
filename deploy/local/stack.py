"""The embedded environment from its start to its end: in which order its children start, and what lies between.

Order: Temporal and OpenBao side by side; then what must be there before any worker (search attributes, policies,
AppRoles, the GitHub App's key); then the twins and the trace store; then the workers, of which the goals worker
is ready once its version is current. The environment is ready then; the sandbox follows when it has a container engine,
which the first time takes minutes, and goals that need it wait for it in Temporal. With it comes the database of
Pulumi's state, and last the image with Pulumi. Everything is ended in the reverse order.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, cast

from hvac.exceptions import VaultError
from temporalio.client import Client

from connectors.errors import ConnectorError
from connectors.provider import twins as declared_twins
from connectors.twins import PreparedTwin, Seed, TwinPlace
from deploy.local.container_engine.found import DockerSettings, address_for_containers
from deploy.local.defaults import ENVIRONMENT, NAMESPACE
from deploy.local.example import FEATURE_BRANCH, SERVICE_REPOSITORY, prepare_examples
from deploy.local.models import RelayAddress, write_models
from deploy.local.options import StackOptions
from deploy.local.platform.config import PlatformConfig, VaultAccess
from deploy.local.processes.child import Child, ChildFailed, ChildReport, ChildSpec
from deploy.local.processes.children import MODELS, WORKER_ROLES, Addresses, Children, Login
from deploy.local.processes.control import Ask, Reply, serve
from deploy.local.processes.parts import NO_MODELS, SANDBOX, STACKS, Parts
from deploy.local.processes.ports import HOST
from deploy.local.relay import RelayFiles, make_relay_files, relay_secrets
from deploy.local.stacks import PlatformPlace, write_stacks
from deploy.local.state import (
    GitHubAddress,
    StackFolder,
    StackState,
    StateDatabaseAddress,
    TemporalAddress,
    Url,
    VaultAddress,
    WorkerAddress,
)
from deploy.local.state_database import DATABASE, StateDatabase
from deploy.local.tools import CACHE, ToolUnavailableError
from deploy.local.vault import EmbeddedVault
from deploy.local.waiting import waiting_goals
from deploy.temporal import promote, register_search_attributes, schedule_holding, schedule_redelivery, schedule_sweep
from hitl.github.events import WEBHOOKS
from sandbox.errors import SandboxError
from sandbox.provisioning import EngineFound

_POLL: Final = 1.0
_OURS_ALONE: Final = frozenset(
    {"BANKSMAN_METRICS_ADDRESS", "BANKSMAN_CONSOLE_LISTEN", "BANKSMAN_GITHUB_LISTEN", "BANKSMAN_VAULT_ROLE_ID"}
)


@dataclass
class Stack:
    """One embedded environment.

    Attributes:
        changed: Told of every change of a child.
        noted: Told in one line what was set up between the children.
    """

    folder: StackFolder
    options: StackOptions
    changed: Callable[[ChildReport], None]
    noted: Callable[[str], None]
    _running: dict[str, Child] = field(default_factory=dict[str, Child])
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: bool = False
    _client: Client | None = None
    _notes: list[str] = field(default_factory=list[str])
    _sandbox: asyncio.Task[None] | None = None
    _repositories: Mapping[str, Path] = field(default_factory=dict[str, Path])
    _state_host: str | None = None
    _state_at: StateDatabaseAddress | None = None
    _platform_at: Url | None = None

    def __post_init__(self) -> None:
        self._ports = Addresses.choose()
        if self.options.models is None and self.options.copied is None:
            self.options = replace(self.options, models=self.folder.models)
        self._state_database = StateDatabase(
            self.folder, port=self._ports.state_database, environment=self.options.passed_on()
        )
        self._vault = EmbeddedVault(
            self.folder, port=self._ports.vault, cluster_port=self._ports.vault_cluster, noted=self._note
        )
        self._children = Children(folder=self.folder, options=self.options, ports=self._ports)
        self._parts = Parts(wanted=self.options.sandbox, changed=self._write)

    async def run(self, ready: Callable[[StackState], None]) -> None:
        """Start everything, call `ready`, and keep it up until `stop` is called.

        Raises:
            ChildFailed: A part did not start; what had started is ended again.
            FolderInUse: Another environment runs in this folder.
            ValueError: What was asked for cannot be: the message says why.
        """
        with self.folder.held():
            await self._run(ready)

    async def _run(self, ready: Callable[[StackState], None]) -> None:
        try:
            async with serve(self.folder.socket, self._answer):
                starting = asyncio.create_task(self._start())
                stopping = asyncio.create_task(self._stopped.wait())
                await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done():
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                    return
                starting.result()
                self._ready = True
                self._write()
                ready(self.state())
                await stopping
        finally:
            await self._end()
            self.folder.forget()

    def stop(self) -> None:
        """Ask the environment to end."""
        self._stopped.set()

    def state(self) -> StackState:
        """What `stack.json` says now."""
        ports = self._ports
        pids = {name: report.pid for name, child in self._running.items() if (report := child.report).pid is not None}
        return StackState(
            pid=os.getpid(),
            ready=self._ready,
            temporal=TemporalAddress(address=f"{HOST}:{ports.temporal}", namespace=NAMESPACE, ui=ports.url(ports.ui)),
            vault=VaultAddress(address=ports.url(ports.vault)),
            twins={name: Url(url=ports.url(port)) for name, port in ports.twins.items()},
            console=Url(url=ports.named_url(ports.console)),
            github=GitHubAddress(webhook=f"{ports.url(ports.webhooks)}{WEBHOOKS}"),
            workers={
                role: WorkerAddress(pid=pids.get(f"worker-{role}"), metrics=f"{ports.url(ports.metrics[role])}/metrics")
                for role in self._children.roles
            },
            traces=Url(url=ports.url(ports.traces)),
            codec=Url(url=ports.url(ports.codec)) if self.options.encrypt else None,
            prometheus=Url(url=ports.url(ports.telemetry.prometheus)) if self.options.servers else None,
            log_store=Url(url=ports.url(ports.telemetry.log_store)) if self.options.servers else None,
            otlp=Url(url=ports.url(ports.telemetry.otlp)) if self.options.servers else None,
            jaeger=Url(url=ports.url(ports.telemetry.jaeger)) if self.options.servers else None,
            state_database=self._state_at,
            platform=self._platform_at,
            logs=str(self.folder.logs),
            repositories={name: str(path) for name, path in self._repositories.items()},
            policy=str(self.options.policy.absolute()),
            environment=ENVIRONMENT,
            models=str(self.options.models.absolute()) if self.options.models is not None else None,
            parts=self._parts.all(),
            children=pids,
        )

    async def _start(self) -> None:
        # First, because a wrong path is the likeliest mistake and nothing has to be ended for it.
        self._repositories = self.options.repositories
        if self.options.copied is None:
            self._repositories = {**await prepare_examples(self.folder), **self._repositories}
        await self._find_containers()
        twins = {name: await self._prepare_twin(name, port) for name, port in self._ports.twins.items()}
        relay = await asyncio.to_thread(self._write_models)
        await self._place_state()
        configuration = self._vault.configure()
        await self._launch(self._children.temporal(), self._children.openbao(configuration, on_ready=self._vault.open))
        self._client = client = await Client.connect(f"{HOST}:{self._ports.temporal}", namespace=NAMESPACE)
        for name in await register_search_attributes(client):
            self._note(f"registered search attribute {name}")
        await schedule_sweep(client)
        await schedule_redelivery(client)
        await schedule_holding(client)
        for kept in (*(one.secrets for one in twins.values()), self._state_database.secrets(), relay_secrets()):
            for path, values in kept.items():
                await self._vault.seed(path, values)
        always = [name for name, one in declared_twins().items() if one.always]
        served = [self._children.twin(name, twins[name].configuration) for name in always]
        asked = [one.configuration for name, one in twins.items() if name not in always]
        telemetry = self._children.telemetry(self.options.servers) if self.options.servers else []
        await self._launch(*served, self._children.twins_on_demand(asked), self._children.trace_store(), *telemetry)
        workers = [self._children.worker(role, self._login(role)) for role in ("goals", "connectors")]
        workers.append(self._children.destructive_worker(self._login("destructive")))
        workers.append(self._children.gateway(self._login("gateway")))
        workers += self._children.models_workers(self._login(MODELS))
        current = [
            replace(worker, on_ready=partial(self._make_current, client)) if worker.name == "worker-goals" else worker
            for worker in workers
        ]
        await self._launch(*current, *self._codec_server(), *self._relay(relay))
        if self.options.sandbox:
            self._sandbox = asyncio.create_task(self._bring_sandbox(), name="bring the sandbox")

    async def _prepare_twin(self, name: str, port: int) -> PreparedTwin:
        seed = cast("Seed", await asyncio.to_thread(import_module, f"connectors.{name}.twin.seed"))
        place = TwinPlace(
            root=self.folder.root,
            listen=f"{HOST}:{port}",
            repositories=self._repositories,
            keep=lambda file, content: self.folder.private(f"twins/{file}", content),
            webhook=f"{self._ports.url(self._ports.webhooks)}{WEBHOOKS}",
            proposed=self._proposed(),
            copied=self.options.copied,
            containers=self._children.containers,
        )
        return await seed.prepare(place)

    def _proposed(self) -> dict[str, str]:
        """The example's pull request, where the example is there."""
        ours = self.options.copied is None and SERVICE_REPOSITORY not in self.options.repositories
        return {SERVICE_REPOSITORY: FEATURE_BRANCH} if ours else {}

    async def _bring_sandbox(self) -> None:
        """The engine, then its worker; a machine that cannot have them has everything else."""
        try:
            if self.options.engine is None:
                await self._launch(self._children.container_engine())
            else:
                self.folder.private(self.folder.engine.name, self.options.engine.model_dump_json().encode())
            engine = await self._engine()
            await self._bring_state()
            await self._bring_platform()
            await self._launch(self._children.sandbox_worker(self._login("sandbox"), engine))
        except (ChildFailed, VaultError, ConnectorError, OSError, ValueError) as error:
            for name in self._running.keys() & {"container-engine", "worker-sandbox"}:
                await self._running[name].stop()
            self._note(f"there is no sandbox, and goals that need it wait: {error}")
            self._parts.missing(SANDBOX, STACKS, why=error)
        else:
            self._note("the sandbox is ready")
            self._parts.ready(SANDBOX)
            self._parts.coming(STACKS, "the image with Pulumi is built")
            await self._tell_of_pulumi()

    async def _engine(self) -> EngineFound:
        return EngineFound.model_validate_json(await asyncio.to_thread(self.folder.engine.read_bytes))

    async def _find_containers(self) -> None:
        """Where containers reach what this machine has for them; the engine itself may come later."""
        if not self.options.sandbox:
            return
        with contextlib.suppress(ChildFailed, SandboxError, ToolUnavailableError):
            found = IPv4Address(await _address_for_containers(self.options.docker_host))
            self._children = replace(self._children, containers=found)

    async def _place_state(self) -> None:
        """Where Pulumi's state will be. Workers read it as they start, when there is no container engine yet."""
        for told_by_an_earlier_run in (self.folder.engine, self.folder.stacks):
            told_by_an_earlier_run.unlink(missing_ok=True)
        if not self.options.sandbox:
            return
        try:
            await self._state_database.find()
            self._state_host = await _address_for_containers(self.options.docker_host)
        except (ChildFailed, SandboxError, ToolUnavailableError) as error:
            self._no_state(error)
        else:
            ports = self._ports
            platform = PlatformPlace(port=ports.platform_control, url=ports.url(ports.platform))
            wanted = self.options.providers
            write_stacks(
                self.folder, host=self._state_host, port=ports.state_database, platform=platform, providers=wanted
            )

    async def _bring_state(self) -> None:
        """The database of Pulumi's state, on the one address of this machine that is for the engine's containers."""
        database, host = self._state_database, self._state_host
        if host is None:
            return
        address = f"{host}:{self._ports.state_database}"
        try:
            if await _address_for_containers(self.options.docker_host) != host:
                self._no_state(
                    ChildFailed("the container engine is another than before; end the environment and start it again")
                )
                return
            spec = self._children.state_database(
                await database.prepare(host), address=address, healthy=database.answers, on_ready=database.open
            )
            await self._launch(spec)
        except (ChildFailed, SandboxError, ToolUnavailableError, OSError) as error:
            if child := self._running.get("state-database"):
                await child.stop()
            self._no_state(error)
            return
        self._state_at = StateDatabaseAddress(address=address, database=DATABASE, socket=str(self.folder.database))
        self._write()

    async def _bring_platform(self) -> None:
        """What services are deployed to; containers reach it where they reach the state."""
        if self._state_at is None or self._state_host is None:
            return
        self.folder.platform.mkdir(mode=0o700, exist_ok=True)
        ports, (look, change) = self._ports, self._state_database.platform_tokens()
        config = PlatformConfig(
            listen=f"{HOST}:{ports.platform}",
            control=f"{self._state_host}:{ports.platform_control}",
            look=look,
            change=change,
            engine=self.folder.engine,
            deployment=self.folder.deployment,
            folder=self.folder.platform,
            vault=VaultAccess(address=self._vault.address, token=await self._vault.platform_token()),
        )
        configuration = self.folder.private("platform.json", config.model_dump_json().encode())
        try:
            await self._launch(self._children.platform(configuration))
        except ChildFailed as error:
            await self._running["platform"].stop()
            self._note(f"there is no platform, and services cannot be deployed: {error}")
            return
        self._platform_at = Url(url=ports.url(ports.platform))
        self._write()

    def _no_state(self, error: Exception) -> None:
        self._note(f"there is no state database, and goals on Pulumi stacks cannot be done: {error}")
        self._parts.missing(STACKS, why=error)

    async def _tell_of_pulumi(self) -> None:
        """The image with Pulumi takes minutes the first time; nothing but stacks waits for it."""
        while True:
            with contextlib.suppress(FileNotFoundError):  # the engine is being started again
                engine = await self._engine()
                if engine.pulumi == "ready":
                    self._parts.ready(STACKS)
                    return self._note("Pulumi is ready")
                if engine.pulumi == "missing":
                    self._parts.missing(STACKS, why=f"there is no image with Pulumi: {engine.problem}")
                    return self._note(
                        f"there is no image with Pulumi, and goals on stacks cannot be done: {engine.problem}"
                    )
            await asyncio.sleep(_POLL)

    async def _make_current(self, client: Client) -> None:
        """At every start of the goals worker: its code may have been edited since the last one."""
        deployment, build_id = self.options.deployment, await asyncio.to_thread(self.options.build_id)
        if await promote(client, deployment=deployment, build_id=build_id):
            self._note(f"made {deployment} {build_id} the current version")

    def _login(self, role: str) -> Login:
        return Login(role_id=self._vault.role_id(role), secret=lambda: self._vault.wrapped_secret_id(role))

    def _codec_server(self) -> list[ChildSpec]:
        if not self.options.encrypt:
            return []
        return [self._children.codec_server(self._login("codec"), token=self._vault.codec_token())]

    def _write_models(self) -> RelayFiles:
        made = make_relay_files(self.folder)
        address = RelayAddress(
            machines=self._ports.relay_machines, askers=self._ports.relay_askers, authority=made.authority
        )
        write_models(self.folder, twin=self._ports.url(self._ports.twins[MODELS]), relay=address)
        return made

    def _relay(self, files: RelayFiles) -> list[ChildSpec]:
        """None where somebody chose a file of language models: that one says where its machines dial."""
        if self.options.models != self.folder.models:
            return []
        return [self._children.relay(self._login("relay"), certificate=files.certificate, key=files.key)]

    async def _launch(self, *specs: ChildSpec) -> None:
        """Start these side by side; the first that fails is the one that is reported."""
        children = [Child(spec, self._child_changed) for spec in specs]
        self._running.update({child.spec.name: child for child in children})
        starts = [asyncio.create_task(child.start()) for child in children]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            raise

    async def _end(self) -> None:
        """Workers first, so that they hand their tasks back; the servers last."""
        self._ready = False
        if self._sandbox is not None:
            self._sandbox.cancel()
            await asyncio.gather(self._sandbox, return_exceptions=True)
        for stage in range(3):
            await asyncio.gather(*(child.stop() for name, child in self._running.items() if _ends(name) == stage))

    def _child_changed(self, report: ChildReport) -> None:
        self._write()
        self.changed(report)

    def _note(self, line: str) -> None:
        self._notes.append(line)
        self.noted(line)

    def _write(self) -> None:
        self.folder.write(self.state())

    async def _answer(self, request: Ask) -> Reply:
        match request.op:
            case "status":
                reports = tuple(child.report for child in self._running.values())
                waiting = await waiting_goals(self._client) if self._ready and self._client else ()
                return Reply(ready=self._ready, children=reports, notes=tuple(self._notes), waiting=waiting)
            case "stop":
                self.stop()
                return Reply()
            case "secret-id":
                if request.role not in (known := (*WORKER_ROLES, MODELS)):
                    return Reply(ok=False, error=f"no worker role {request.role!r}; there are {', '.join(known)}")
                return await self._given_by_hand(request.role)

    async def _given_by_hand(self, role: str) -> Reply:
        """What a worker needs that a person starts: the settings of our own, but for where that one listens."""
        ours = self._running.get(f"worker-{role}")
        if ours is None:
            why = self._why_not(role)
            return Reply(ok=False, error=f"there is no {role} worker here yet: {why}")
        settings = {
            name: value
            for name, value in ours.spec.environment.items()
            if name.startswith("BANKSMAN_") and name not in _OURS_ALONE
        }
        wrapped = await self._vault.wrapped_secret_id(role)
        return Reply(role_id=self._vault.role_id(role), secret=wrapped.get_secret_value(), settings=settings)

    def _why_not(self, role: str) -> str:
        if role == MODELS and self.options.models is None:
            return f"of language models, {NO_MODELS}"
        return self._parts.all()[SANDBOX].why if role == "sandbox" else "the environment is still starting"


async def _address_for_containers(docker_host: str | None) -> str:
    found = await address_for_containers(DockerSettings(host=docker_host, cache=CACHE))
    if found is None:
        raise ChildFailed("the container engine has no default bridge: give it one in its daemon.json")
    return found


def _ends(name: str) -> int:
    """When a child ends: workers hand their tasks back to servers that are still there."""
    if name.startswith("worker-"):
        return 0
    return 2 if name in {"temporal", "vault"} else 1
