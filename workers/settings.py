"""The one reader of the environment. Every setting of every process, with its meaning.

Read from variables with the prefix `BANKSMAN_`; secrets are never among them, only where to find them.
"""

import os
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from connectors.probes.pattern import HostPattern
from connectors.provider import Provider, providers
from sandbox.egress.registries import MirrorSettings
from sandbox.egress.targets import TargetPattern
from sandbox.tools.rules import ToolRules


class Role(StrEnum):
    """The worker roles; each has its own AppRole, queue and process."""

    GOALS = "goals"
    CONNECTORS = "connectors"
    SANDBOX = "sandbox"
    DESTRUCTIVE = "destructive"
    GATEWAY = "gateway"
    MODELS = "models"


# A type cannot say fields whose names are derived: `Settings.url_of` reads them.
if TYPE_CHECKING:
    _Addresses = BaseSettings
else:
    _Addresses = create_model(
        "Addresses",
        __base__=BaseSettings,
        **{
            one.setting: (str, Field(default=one.url, description=f"Where {one.title} is, or its twin."))
            for one in providers().values()
            if one.url is not None
        },
    )


class Settings(_Addresses):
    """What a process needs to know, besides its credentials; of each provider, where it is."""

    model_config = SettingsConfigDict(env_prefix="BANKSMAN_", frozen=True, extra="ignore", env_ignore_empty=True)

    temporal_address: str = Field(default="127.0.0.1:7233", description="host:port of Temporal's frontend.")
    temporal_namespace: str = Field(default="default", description="The namespace that the goals live in.")
    temporal_tls_ca: Path | None = Field(default=None, description="PEM file of the authority of Temporal's frontend.")
    temporal_tls_cert: Path | None = Field(default=None, description="PEM file of this process's client certificate.")
    temporal_tls_key: Path | None = Field(default=None, description="PEM file of that certificate's key.")
    temporal_ui: str = Field(default="http://127.0.0.1:8233", description="Where people open the Temporal UI.")

    vault_address: str = Field(default="http://127.0.0.1:8200", description="Vault or OpenBao.")
    vault_role_id: str | None = Field(default=None, description="The AppRole's role id; not a secret.")
    vault_secret_id_file: Path | None = Field(
        default=None, description="A 0600 file with the wrapped secret id; deleted when read."
    )
    vault_secret_id_fd: int | None = Field(
        default=None, description="An inherited pipe with the wrapped secret id; what the supervisor uses."
    )

    environment: str = Field(
        default="local", description="The environment of the policy file that this process serves."
    )
    policy: Path = Field(default=Path("deploy/policy.yaml"), description="The policy file.")
    encrypt_payloads: bool = Field(
        default=True,
        description="Encrypt what stands in histories. Off only in development (the embedded environment).",
    )
    development: bool = Field(default=False, description="Set by the embedded environment only.")
    rehearsal: bool = Field(
        default=False,
        description="Set inside a rehearsal only: Pulumi's providers do nothing, and nobody looks at services. A "
        "process that reaches anything outside does not start with it.",
    )

    slack_posts_per_second: float = Field(
        default=1.0, gt=0, description="How many new messages Slack takes in one channel; all gateways share it."
    )
    slack_calls_per_minute: float = Field(
        default=50.0, gt=0,
        description="How often a gateway calls each method of Slack that changes or reads messages (Slack's tier 3).",
    )  # fmt: skip
    slack_mode: Literal["socket", "http"] = Field(
        default="socket",
        description="How clicks come: over a connection that the gateway opens, or by signed requests.",
    )
    slack_listen: str = Field(
        default="127.0.0.1:8311", description="Where signed requests are taken, at /slack/events; with mode http."
    )
    github_listen: str | None = Field(
        default=None,
        description="host:port at which the gateway takes GitHub's webhooks, at /github/webhooks; without it, none.",
    )
    console_listen: str | None = Field(
        default=None, description="host:port at which the gateway serves the console; without it, it serves none."
    )
    console_url: str | None = Field(default=None, description="Where people reach the console: an origin, no path.")
    console_traces: str | None = Field(
        default=None, description="Page of a goal's traces, for links to it; {workflow_id} stands for its id."
    )
    console_code: str | None = Field(
        default=None, description="Where repositories are seen, for links to pull requests, as in https://github.com."
    )
    console_oidc_issuer: str | None = Field(
        default=None, description="Who signs people in; the embedded environment alone does without."
    )
    console_oidc_client_id: str | None = Field(default=None, description="As whom the console is known there.")
    console_oidc_claim: Literal["email", "sub"] = Field(
        default="email", description="What `console:` names in the policy; an email must be verified."
    )
    console_github_members: tuple[str, ...] = Field(
        default=(),
        description='Who may sign in by GitHub, as JSON: members of organisations and teams, ["acme", '
        '"globex/platform"]. Everybody whom the policy knows, without.',
    )
    console_policy: str | None = Field(
        default=None,
        description="Page of the policy file in its repository, for the link by which it is changed, as in "
        "https://github.com/acme/ops/blob/main/policy.yaml.",
    )
    artifacts: str = Field(
        default=".banksman/artifacts", description="A folder or s3://bucket/prefix for large results."
    )
    audit_dir: Path = Field(default=Path(".banksman/audit"), description="Where the hash-chained audit files lie.")
    audit_of_others: Path | None = Field(
        default=None,
        description="Where the gateway finds the audit files of other processes, if not beside its own: it collects "
        "and signs them.",
    )

    cached_workflows: int = Field(
        default=150, ge=1, le=100_000,
        description="How many workflows a goals worker keeps in memory, at about 0.2 MiB each. One that is no longer "
        "there is replayed from its history when something happens to it.",
    )  # fmt: skip

    docker_host: str = Field(
        default="unix:///var/run/docker.sock", description="The sandbox's engine: unix:// and its socket."
    )
    sandbox_images: Path = Field(
        default=Path("/var/lib/banksman/images.json"),
        description="The record of the sandbox's images, as `python -m deploy.images` writes it.",
    )
    sandbox_deployment: str = Field(
        default="default", description="Names what is ours on an engine that others use as well."
    )
    sandbox_runtime: Literal["required", "preferred", "never"] = Field(
        default="preferred", description="Whether gVisor or Kata must be there, is taken where it is, or is not used."
    )
    sandbox_concurrency: int = Field(default=2, ge=1, le=256, description="Commands at once; more wait in Temporal.")
    sandbox_waiting: int = Field(default=0, ge=0, le=64, description="Containers kept ready for a quick start.")
    sandbox_memory_mib: int = Field(
        default=2048, ge=256, description="Memory of one command, its work tree included, in MiB."
    )
    sandbox_purposes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description='What a command may reach, as JSON: exact hosts by purpose, {"git": ["github.com"]}. Nothing else.',
    )

    sandbox_mirrors: dict[str, MirrorSettings] = Field(
        default_factory=dict[str, MirrorSettings],
        description='Package registries by purpose, reached through a caching mirror, as JSON: {"package-registries": '
        "{}} for PyPI and npm.",
    )
    sandbox_databases: tuple[TargetPattern, ...] = Field(
        default=(),
        description="Databases that migrations may be led to, one for each run, as JSON: "
        '[{"host": "*.neon.tech", "port": 5432}]. None without.',
    )
    sandbox_authorities: Path | None = Field(
        default=None, description="PEM file of authorities that the mirror trusts beside the usual ones."
    )

    sandbox_tools: ToolRules = Field(
        default_factory=ToolRules,
        description="What tools may write and run in a session, as JSON: "
        '{"deny": ["legal/**"], "run": [["make", "test"]]}. Every path but the protected ones, and the usual tests, '
        "without.",
    )

    verify_hosts: tuple[HostPattern, ...] = Field(
        default_factory=tuple,
        description='Hosts whose pages goals may look at, as JSON: ["shop.example.com", "*.example.com", '
        '"shop.internal:8080"]. With `*.` only where they are at public addresses; none when empty.',
    )
    verify_prometheus: str | None = Field(
        default=None, description="Where the Prometheus is that goals may ask for numbers; without it, they ask none."
    )

    telemetry_loki: str | None = Field(
        default=None, description="Where the Loki is that investigations may ask for log lines; else they ask none."
    )
    telemetry_prometheus: str | None = Field(
        default=None, description="Where the Prometheus is that they may ask for numbers over time; else they ask none."
    )

    stacks: Path | None = Field(
        default=None, description="The file that says where Pulumi stacks are; without it, no step touches one."
    )
    models: Path | None = Field(
        default=None,
        description="The file that says which language models there are; without it, the models worker does not start, "
        "and nothing is asked of any.",
    )
    model_answers: Path | None = Field(
        default=None,
        description="For evaluations and rehearsals: a folder in which answers of language models are recorded, and "
        "from which the same request is answered. Where work is done, a process does not start with it.",
    )
    model_answers_only: bool = Field(
        default=False, description="Ask no language model: what is not recorded in that folder is refused."
    )
    transcript_days: int = Field(
        default=30, ge=1, le=365,
        description="For how many days a conversation with a language model is kept, from its first turn.",
    )  # fmt: skip
    engine_file: Path | None = Field(
        default=None,
        description="JSON that says where the container engine is, for the destructive worker; without it, docker_host "
        "and sandbox_images do.",
    )

    otlp_endpoint: str | None = Field(
        default=None, description="OTLP over HTTP for traces; nothing is traced without it."
    )
    tempo_url: str | None = Field(
        default=None, description="Where Tempo answers, for `banksman trace`; the embedded environment's store does."
    )
    metrics_address: str | None = Field(default=None, description="host:port for /metrics; port 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: Literal["json", "console"] = Field(default="json", description="json, or console for people.")

    deliverer_token_file: Path = Field(
        default=Path("/run/banksman/deliverer/token"), description="Holds the deliverer's own token; 0600."
    )
    deliverer_folder: Path = Field(
        default=Path("/run/banksman/secret-ids"),
        description="One folder per AppRole, each shared with that process only, for the wrapped secret ids.",
    )

    codec_listen: str = Field(default="127.0.0.1:8234", description="Where the codec server listens.")
    codec_endpoint: str | None = Field(default=None, description="The codec server, for this command.")
    codec_origin: str = Field(default="http://127.0.0.1:8233", description="The one web origin that may call it.")
    codec_jwks_url: str | None = Field(default=None, description="Keys that sign the callers' tokens.")
    codec_issuer: str | None = Field(default=None, description="Who must have issued the callers' tokens.")
    codec_audience: str | None = Field(default=None, description="For whom the callers' tokens must be.")
    codec_token_file: Path | None = Field(
        default=None, description="A 0600 file with one shared token, where there is no issuer of tokens."
    )

    relay_machines: str = Field(
        default="0.0.0.0:8443", description="Where the relay listens for machines that serve models; always by TLS."
    )
    relay_askers: str = Field(
        default="127.0.0.1:8444",
        description="Where it listens for the models worker; on another interface than this host's own by TLS, too.",
    )
    relay_certificate: Path | None = Field(default=None, description="The relay's certificate with its chain, as PEM.")
    relay_key: Path | None = Field(default=None, description="The private key of that certificate, as PEM.")

    def url_of(self, provider: Provider) -> str:
        """Where a provider is."""
        address: str = getattr(self, provider.setting)
        return address

    @model_validator(mode="after")
    def _encryption_is_off_in_development_only(self) -> Self:
        if not self.encrypt_payloads and not self.development:
            msg = "BANKSMAN_ENCRYPT_PAYLOADS=false is for the embedded environment; remove it, the key comes from Vault"
            raise ValueError(msg)
        return self


class Locations(BaseSettings):
    """Where the command keeps and finds what belongs to an environment."""

    model_config = SettingsConfigDict(env_prefix="BANKSMAN_", frozen=True, extra="ignore")

    home: Path | None = Field(
        default=None, description="The environment's folder; `.banksman` here or above when unset."
    )

    def folder(self) -> Path:
        """The folder: the one set, else the nearest `.banksman` of ours upwards, else one to be made here."""
        if self.home is not None:
            return self.home.absolute()
        here = Path.cwd()
        found = (parent / ".banksman" for parent in (here, *here.parents) if _is_ours(parent / ".banksman/stack.json"))
        return next(found, here / ".banksman")


def _is_ours(file: Path) -> bool:
    """Whether it is there and this user's own: somebody else's, as in /tmp, would tell us whom to trust."""
    try:
        return file.stat().st_uid == os.geteuid()
    except OSError:
        return False


def adopt(given: Mapping[str, str], *, always: Collection[str]) -> None:
    """Take settings into this process's environment, as if it had been started with them.

    Args:
        given: By the names of their variables; none but ours are taken.
        always: What goes before that which is set here: a secret is for the Vault that made it, and for no other.
    """
    for name, value in given.items():
        if name.startswith("BANKSMAN_") and (name in always or not os.environ.get(name)):
            os.environ[name] = value


def caller_environment() -> dict[str, str]:
    """The environment this command was called in, for the children that inherit a part of it."""
    return dict(os.environ)
