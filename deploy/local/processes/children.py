"""Each child of the embedded environment: its command line, its environment, and how it shows that it is well."""

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr
from temporalio.client import Client

from connectors.authorities import authorities
from connectors.provider import Provider, providers, twins
from deploy.local.defaults import ENVIRONMENT, NAMESPACE
from deploy.local.options import StackOptions
from deploy.local.processes.child import ChildSpec, Probe
from deploy.local.processes.ports import HOST, Ports
from deploy.local.state import StackFolder
from deploy.local.telemetry.configured import (
    SHIPPED,
    Places,
    collector_override,
    jaeger_configuration,
    prometheus_configuration,
)
from deploy.local.telemetry.servers import Programs
from deploy.temporal import development_server_options
from sandbox.provisioning import EngineFound

WORKER_ROLES: Final = ("goals", "connectors", "sandbox", "destructive", "gateway")
MODELS: Final = "models"
"""The worker that is there only where language models are configured."""
TWINS: Final = "twins"
"""The process of all twins that begin when they are asked."""
_RECORDINGS: Final = ("MODEL_ANSWERS", "MODEL_ANSWERS_ONLY")
"""Of the caller's environment: that answers of language models are recorded."""
_ENGINE_PATIENCE: Final = 1800.0
_ADVISORIES: Final = ("api.osv.dev", "registry.npmjs.org")
# Where networks end TLS themselves, tools are told of the authority by one of these.
_AUTHORITIES: Final = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The ports of one environment, all on the loopback interface."""

    temporal: int
    ui: int
    vault: int
    vault_cluster: int
    twins: Mapping[str, int]
    console: int
    webhooks: int
    state_database: int
    platform: int
    platform_control: int
    traces: int
    codec: int
    relay_machines: int
    relay_askers: int
    metrics: Mapping[str, int]
    telemetry: Places

    @classmethod
    def choose(cls) -> "Addresses":
        """The usual ports where they are free, others where not."""
        ports = Ports()
        return cls(
            temporal=ports.take(7233),
            ui=ports.take(8233),
            vault=ports.take(8200),
            vault_cluster=ports.take(0),
            twins={name: ports.take(twin.port) for name, twin in twins().items()},
            console=ports.take(8320),
            webhooks=ports.take(8312),
            state_database=ports.take(8432),
            platform=ports.take(8340),
            platform_control=ports.take(8341),
            traces=ports.take(8318),
            codec=ports.take(8234),
            relay_machines=ports.take(8443),
            relay_askers=ports.take(8444),
            metrics={name: ports.take(9400 + index) for index, name in enumerate((*WORKER_ROLES, TWINS, MODELS))},
            telemetry=Places.choose(ports),
        )

    @staticmethod
    def url(port: int) -> str:
        """That port, as a web address."""
        return f"http://{HOST}:{port}"

    @staticmethod
    def named_url(port: int) -> str:
        """The same by name: browsers keep people's keys for names alone, and take this one for a safe place."""
        return f"http://localhost:{port}"


@dataclass(frozen=True, kw_only=True)
class Login:
    """How a child logs in to Vault.

    Attributes:
        secret: Makes a wrapped secret id, anew before every start.
    """

    role_id: str
    secret: Callable[[], Awaitable[SecretStr]]

    def given_to(self, spec: ChildSpec) -> ChildSpec:
        """The same child, with this login."""
        environment = {**spec.environment, "BANKSMAN_VAULT_ROLE_ID": self.role_id}
        return replace(spec, secret=self.secret, environment=environment)


@dataclass(frozen=True, kw_only=True)
class Children:
    """Makes the specification of each child."""

    folder: StackFolder
    options: StackOptions
    ports: Addresses
    containers: IPv4Address | None = None
    """This machine's address for containers of the engine; None where there is none."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The workers that this environment has."""
        return WORKER_ROLES if self.options.models is None else (*WORKER_ROLES, MODELS)

    def temporal(self) -> ChildSpec:
        """The Temporal server with its UI; its database file survives a restart."""
        ports = self.ports
        argv = [find_program("temporal"), "server", "start-dev", "--ip", HOST, "--port", str(ports.temporal)]
        argv += ["--ui-port", str(ports.ui), "--db-filename", str(self.folder.temporal_database)]
        argv += ["--log-format", "json", "--log-level", "warn", *development_server_options()]
        if self.options.encrypt:
            argv += ["--ui-codec-endpoint", ports.url(ports.codec)]
        if self.options.servers is not None:
            argv += ["--metrics-port", str(ports.telemetry.temporal)]
        address = f"{HOST}:{ports.temporal}"

        async def serving() -> bool:
            if not await _listens(ports.temporal):
                return False
            client = await Client.connect(address, namespace=NAMESPACE)
            return await client.service_client.check_health()

        return self._spec("temporal", argv, healthy=serving, address=address)

    def openbao(self, configuration: Path, *, on_ready: Callable[[], Awaitable[None]]) -> ChildSpec:
        """OpenBao on its own storage; `on_ready` initialises and bootstraps it."""
        address = Addresses.url(self.ports.vault)
        probe = _answers(f"{address}/v1/sys/health", {200, 429, 501, 503})
        argv = [find_program("bao"), "server", f"-config={configuration}"]
        return replace(self._spec("vault", argv, healthy=probe, address=address), on_ready=on_ready)

    def twin(self, name: str, configuration: Path) -> ChildSpec:
        """The twin of a provider."""
        probe = f"{Addresses.url(self.ports.twins[name])}/_twin/requests"
        return self._ours(f"twin-{name}", ["twin", name, str(configuration)], probe=probe)

    def twins_on_demand(self, configurations: Iterable[Path]) -> ChildSpec:
        """All other twins, each of which begins when it is first asked."""
        port = self.ports.metrics[TWINS]
        settings = {"METRICS_ADDRESS": f"{HOST}:{port}"}
        argv = ["twins", *map(str, configurations)]
        return self._ours(TWINS, argv, probe=f"{Addresses.url(port)}/metrics", settings=settings)

    def gateway(self, login: Login) -> ChildSpec:
        """Shows approvals in Slack and in the console, and signs what people decide there."""
        settings = {
            "CONSOLE_LISTEN": f"{HOST}:{self.ports.console}",
            "GITHUB_LISTEN": f"{HOST}:{self.ports.webhooks}",
            "CONSOLE_TRACES": f"{Addresses.url(self.ports.traces)}/?workflow_id={{workflow_id}}",
            "CONSOLE_CODE": Addresses.url(self.ports.twins["github"]),
        }
        return self.worker("gateway", login, settings)

    def trace_store(self) -> ChildSpec:
        """Keeps traces and shows them: what Tempo does in the Compose stack."""
        address = Addresses.url(self.ports.traces)
        argv = ["trace-store", str(self.folder.traces), "--listen", f"{HOST}:{self.ports.traces}"]
        argv += ["--temporal-ui", Addresses.url(self.ports.ui)]
        argv += ["--console", Addresses.named_url(self.ports.console)]
        return self._ours("traces", argv, probe=f"{address}/healthz")

    def telemetry(self, servers: Programs) -> list[ChildSpec]:
        """What keeps metrics and logs, and what hands spans and lines on, configured as Compose has them."""
        places, folder = self.ports.telemetry, self.folder.telemetry
        folder.mkdir(mode=0o700, exist_ok=True)
        override, scraping = folder / "collector.json", folder / "prometheus.json"
        override.write_text(collector_override(places, traces=self.ports.traces))
        workers = {role: self.ports.metrics[role] for role in self.roles}
        scraping.write_text(prometheus_configuration(places, workers))
        shipped = SHIPPED / "collector/collector.yml"
        kept = ["-storageDataPath", str(folder / "logs"), "-retentionPeriod", "7d"]
        return [
            self._server(
                "collector",
                [str(servers.collector), "--config", str(shipped), "--config", str(override)],
                port=places.otlp,
                probe=f"{Addresses.url(places.health)}/",
            ),
            self._server(
                "prometheus",
                [
                    *(str(servers.prometheus), "--config.file", str(scraping)),
                    *("--storage.tsdb.path", str(folder / "metrics"), "--storage.tsdb.retention.time", "7d"),
                    *("--web.listen-address", f"{HOST}:{places.prometheus}", "--enable-feature=exemplar-storage"),
                ],
                port=places.prometheus,
                probe=f"{Addresses.url(places.prometheus)}/-/healthy",
            ),
            self._server(
                "log-store",
                [str(servers.log_store), "-httpListenAddr", f"{HOST}:{places.log_store}", *kept],
                port=places.log_store,
                probe=f"{Addresses.url(places.log_store)}/health",
            ),
            self._jaeger(servers, places),
            self._log_shipper(places),
        ]

    def _jaeger(self, servers: Programs, places: Places) -> ChildSpec:
        kept, configured = self.folder.telemetry / "spans", self.folder.telemetry / "jaeger.json"
        configured.write_text(jaeger_configuration(places, kept))
        argv, address = [str(servers.jaeger), "--config", str(configured)], Addresses.url(places.jaeger)
        return self._server("jaeger", argv, port=places.jaeger, probe=f"{address}/api/services")

    def _log_shipper(self, places: Places) -> ChildSpec:
        argv = ["log-shipper", str(self.folder.logs), "--to", Addresses.url(places.otlp)]
        argv += ["--metrics", f"{HOST}:{places.lines}"]
        return self._ours("log-shipper", argv, probe=f"{Addresses.url(places.lines)}/metrics")

    def _server(self, name: str, argv: list[str], *, port: int, probe: str) -> ChildSpec:
        return self._spec(name, argv, healthy=_answers(probe, {200}), address=Addresses.url(port))

    def codec_server(self, login: Login, *, token: Path) -> ChildSpec:
        """Decrypts for the UI and the CLI; runs only where payloads are encrypted."""
        settings = {
            "CODEC_LISTEN": f"{HOST}:{self.ports.codec}",
            "CODEC_ORIGIN": Addresses.url(self.ports.ui),
            "CODEC_TOKEN_FILE": str(token),
        }
        probe = f"{Addresses.url(self.ports.codec)}/healthz"
        return login.given_to(self._ours("codec", ["codec-server"], probe=probe, settings=settings))

    def relay(self, login: Login, *, certificate: Path, key: Path) -> ChildSpec:
        """Machines of Lambda's twin dial it that serve a language model."""
        settings = {
            "RELAY_MACHINES": f"{HOST}:{self.ports.relay_machines}",
            "RELAY_ASKERS": f"{HOST}:{self.ports.relay_askers}",
            "RELAY_CERTIFICATE": str(certificate),
            "RELAY_KEY": str(key),
        }
        probe = f"{Addresses.url(self.ports.relay_askers)}/healthz"
        return login.given_to(self._ours("relay", ["relay"], probe=probe, settings=settings))

    def worker(self, role: str, login: Login, more: Mapping[str, str] | None = None) -> ChildSpec:
        """One worker process, with its own AppRole and a fresh wrapped secret id at every start."""
        port = self.ports.metrics[role]
        settings = {"METRICS_ADDRESS": f"{HOST}:{port}", **(more or {})}
        probe = f"{Addresses.url(port)}/metrics"
        return login.given_to(self._ours(f"worker-{role}", ["worker", role], probe=probe, settings=settings))

    def container_engine(self) -> ChildSpec:
        """Found or started, with the sandbox's images built; the first time takes minutes."""
        told = self.folder.engine
        argv = [sys.executable, "-m", "workers", "container-engine", str(told), self.folder.deployment]

        async def found() -> bool:
            return await asyncio.to_thread(told.exists)

        spec = self._spec("container-engine", argv, healthy=found, address="")
        chosen = {"BANKSMAN_DOCKER_HOST": host} if (host := self.options.docker_host) else {}
        return replace(spec, patience=_ENGINE_PATIENCE, environment={**spec.environment, **chosen})

    def state_database(
        self, argv: Sequence[str], *, address: str, healthy: Probe, on_ready: Callable[[], Awaitable[None]]
    ) -> ChildSpec:
        """PostgreSQL for Pulumi's state; SIGINT ends it without waiting for who is connected."""
        spec = self._spec("state-database", [*argv], healthy=healthy, address=address)
        # The command that ends what a killed supervisor left knows our processes by the environment's folder.
        environment = {**spec.environment, "HOME": f"{self.folder.database}/data"}
        return replace(spec, environment=environment, on_ready=on_ready, ends_by=signal.SIGINT)

    def platform(self, configuration: Path) -> ChildSpec:
        """Runs the services that are deployed here."""
        probe = f"{Addresses.url(self.ports.platform)}/"
        return self._ours("platform", ["platform", str(configuration)], probe=probe)

    def sandbox_worker(self, login: Login, engine: EngineFound) -> ChildSpec:
        """The worker that runs other people's code, on the engine that was found."""
        authorities = next((found for name in _AUTHORITIES if (found := self.options.environment.get(name))), None)
        # In a rehearsal nothing leads there: whoever asks for it is told that it does not exist.
        outside = {
            "SANDBOX_PURPOSES": json.dumps({"git": ["github.com"], "package-advisories": list(_ADVISORIES)}),
            "SANDBOX_MIRRORS": json.dumps({"package-registries": {}}),
            **({"SANDBOX_AUTHORITIES": authorities} if authorities else {}),
        }
        settings = {
            "DOCKER_HOST": engine.host,
            **(outside if self.options.copied is None else {}),
            "SANDBOX_IMAGES": engine.images,
            **self._stacks(),
        }
        return self.worker("sandbox", login, settings)

    def destructive_worker(self, login: Login) -> ChildSpec:
        """The worker that cannot be undone; it finds the engine when a step needs one."""
        return self.worker("destructive", login, self._stacks())

    def models_workers(self, login: Login) -> list[ChildSpec]:
        """The worker that asks language models; none where none are configured."""
        file = self.options.models
        if file is None:
            return []
        given = {name: self.options.environment.get(f"BANKSMAN_{name}") for name in _RECORDINGS}
        recordings = {name: value for name, value in given.items() if value}
        return [self.worker(MODELS, login, {"MODELS": str(file.absolute()), **recordings})]

    def _stacks(self) -> dict[str, str]:
        """How Pulumi stacks are run; without the file the workers say that they know of none."""
        return {
            **({"STACKS": str(self.folder.stacks)} if self.folder.stacks.exists() else {}),
            **({"SANDBOX_DATABASES": json.dumps([self._twins_databases()])} if self.containers else {}),
            "ENGINE_FILE": str(self.folder.engine),
            "SANDBOX_DEPLOYMENT": self.folder.deployment,
        }

    def _twins_databases(self) -> dict[str, object]:
        """The computes of Neon's twin: on loopback, and for containers at the same ports of another address."""
        return {"host": HOST, "port": None, "by_way_of": str(self.containers)}

    def settings(self) -> dict[str, str]:
        """The settings of every process of this environment."""
        ports = self.ports
        settings = {
            "TEMPORAL_ADDRESS": f"{HOST}:{ports.temporal}",
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "TEMPORAL_UI": ports.url(ports.ui),
            "VAULT_ADDRESS": ports.url(ports.vault),
            **{one.setting.upper(): ports.url(ports.twins[one.name]) for one in _told_by_setting()},
            "CONSOLE_URL": ports.named_url(ports.console),
            "POLICY": str(self.options.policy.absolute()),
            "ENVIRONMENT": ENVIRONMENT,
            "ARTIFACTS": str(self.folder.artifacts),
            "AUDIT_DIR": str(self.folder.audit),
            "VERIFY_HOSTS": json.dumps([f"{HOST}:{ports.platform}"]),
            "DEVELOPMENT": "true",
            **({"REHEARSAL": "true"} if self.options.copied is not None else {}),
            "ENCRYPT_PAYLOADS": str(self.options.encrypt).lower(),
        }
        if self.options.traces:
            receiver = ports.traces if self.options.servers is None else ports.telemetry.otlp
            settings["OTLP_ENDPOINT"] = ports.url(receiver)
        return settings

    def _ours(
        self, name: str, arguments: list[str], *, probe: str, settings: Mapping[str, str] | None = None
    ) -> ChildSpec:
        argv = [sys.executable, "-m", "workers", *arguments]
        spec = self._spec(name, argv, healthy=_answers(probe, {200}), address="/".join(probe.split("/")[:3]))
        ours = {f"BANKSMAN_{key}": value for key, value in {**self.settings(), **(settings or {})}.items()}
        return replace(spec, environment={**spec.environment, **ours})

    def _spec(self, name: str, argv: list[str], *, healthy: Probe, address: str) -> ChildSpec:
        return ChildSpec(
            name=name,
            argv=argv,
            environment={**self.options.passed_on(), "PYTHONUNBUFFERED": "1"},
            log=self.folder.logs / f"{name}.log",
            healthy=healthy,
            address=address,
        )


def _told_by_setting() -> list[Provider]:
    """Providers with a twin; where one is not a setting's to say, a file says it."""
    return [providers()[name] for name, twin in twins().items() if not twin.in_file]


def find_program(name: str) -> str:
    """A program beside our own interpreter, else on PATH.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name!r} is not installed: run `make install`, or see `banksman doctor`")
    return found


async def _listens(port: int) -> bool:
    """Whether anybody is there to be asked; a client that finds nobody costs a hundred times as much to find it out."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _answers(url: str, statuses: set[int]) -> Probe:
    port = httpx.URL(url).port

    async def probe() -> bool:
        if port is not None and not await _listens(port):
            return False
        async with httpx.AsyncClient(verify=authorities(), timeout=2.0) as client:
            return (await client.get(url)).status_code in statuses

    return probe
