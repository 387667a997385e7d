"""What `banksman up` writes down: every address, for scripts and tests. A stable contract, extended, never renamed.

Secrets are never in it. The folder itself is private (0700): it holds the embedded Vault's keys in a file of its own.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Generator
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class TemporalAddress(BaseModel):
    """The embedded Temporal."""

    model_config = ConfigDict(extra="ignore")

    address: str
    namespace: str
    ui: str


class Url(BaseModel):
    """Something with a web address."""

    model_config = ConfigDict(extra="ignore")

    url: str


class VaultAddress(BaseModel):
    """The embedded OpenBao."""

    model_config = ConfigDict(extra="ignore")

    address: str


class GitHubAddress(BaseModel):
    """Where the gateway hears of GitHub."""

    model_config = ConfigDict(extra="ignore")

    webhook: str


class WorkerAddress(BaseModel):
    """One worker process."""

    model_config = ConfigDict(extra="ignore")

    pid: int | None
    metrics: str


class StateDatabaseAddress(BaseModel):
    """The PostgreSQL that keeps Pulumi's state."""

    model_config = ConfigDict(extra="ignore")

    address: str = Field(description="host:port for containers on the engine.")
    database: str
    socket: str = Field(description="The folder with its socket; the environment's owner is its user `postgres` there.")


class PartState(StrEnum):
    """How far a part is that comes after the environment is ready, or never."""

    COMING = "coming"
    READY = "ready"
    MISSING = "missing"


class Part(BaseModel):
    """A part that some machines cannot have, and without which some goals wait."""

    model_config = ConfigDict(extra="ignore")

    state: PartState
    why: str = Field(default="", description="What it waits for, or why it is not there and what to do about it.")


class StackState(BaseModel):
    """The content of `stack.json`."""

    model_config = ConfigDict(extra="ignore")

    pid: int = Field(description="The supervisor.")
    ready: bool = False
    temporal: TemporalAddress
    vault: VaultAddress
    twins: dict[str, Url]
    workers: dict[str, WorkerAddress]
    traces: Url
    codec: Url | None = None
    console: Url | None = Field(default=None, description="The web page on which approvals wait.")
    github: GitHubAddress | None = Field(default=None, description="Where GitHub's webhooks are taken.")
    prometheus: Url | None = Field(default=None, description="Metrics, rules and exemplars, where they were asked for.")
    log_store: Url | None = Field(default=None, description="Log lines of every process, where they were asked for.")
    otlp: Url | None = Field(default=None, description="The collector, which takes spans and lines by OTLP over HTTP.")
    jaeger: Url | None = Field(default=None, description="The same traces in Jaeger, where it was asked for.")
    state_database: StateDatabaseAddress | None = Field(default=None, description="Where Pulumi keeps its state.")
    platform: Url | None = Field(default=None, description="Where services that were deployed here are seen.")
    logs: str
    repositories: dict[str, str] = Field(default_factory=dict, description="What stands behind the GitHub twin.")
    policy: str
    environment: str
    models: str | None = Field(default=None, description="The file of language models, where there is one.")
    parts: dict[str, Part] = Field(
        default_factory=dict, description="`sandbox` runs commands, `stacks` is what goals on Pulumi stacks need."
    )
    children: dict[str, int] = Field(
        default_factory=dict, description="Process ids by name, to clean up after a crash."
    )


class FolderInUse(OSError):
    """Another environment runs in this folder."""


class PathTooLong(OSError):
    """The folder's path leaves no room for a unix socket's name."""


_LONGEST_SOCKET: Final = 103
"""Bytes of a unix socket's path: Linux allows 107, macOS 103."""


class StackFolder:
    """The folder of one embedded environment.

    Raises:
        PathTooLong: No unix socket can be made in it.
    """

    def __init__(self, root: Path) -> None:
        if len(os.fsencode(root / "db" / ".s.PGSQL.65535")) > _LONGEST_SOCKET:
            raise PathTooLong(
                f"the path of the environment's folder {str(root)!r} is too long for a unix socket: "
                "set BANKSMAN_HOME to a shorter one"
            )
        self.root = root
        self.logs = root / "logs"
        self.state_file = root / "stack.json"
        self.socket = root / "control.sock"
        self.vault = root / "vault"
        self.temporal_database = root / "temporal.db"
        self.repositories = root / "repositories"
        self.twins = root / "twins"
        self.artifacts = root / "artifacts"
        self.audit = root / "audit"
        self.traces = root / "traces.db"
        self.engine = root / "engine.json"
        self.stacks = root / "stacks.yaml"
        self.models = root / "models.yaml"
        self.database = root / "db"
        self.examples = root / "examples"
        self.telemetry = root / "telemetry"
        self.platform = root / "platform"

    @property
    def deployment(self) -> str:
        """Names what is this environment's on an engine that others use too: none may take another's for garbage."""
        return f"stack-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"

    def make(self) -> None:
        """Make what is missing of it; private to its owner."""
        for folder in (self.root, self.logs, self.vault, self.repositories, self.twins, self.artifacts, self.audit):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Make the folder, and keep it for one stack while the block runs; a supervisor that dies lets go of it.

        Raises:
            FolderInUse: Another environment holds it.
        """
        self.make()
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise FolderInUse(
                f"another environment starts or ends in {str(self.root)!r}: wait a moment, then ask `banksman status`"
            ) from None
        try:
            yield
        finally:
            os.close(descriptor)

    def write(self, state: StackState) -> None:
        """Replace `stack.json` in one step: a reader sees the old one or the new one."""
        draft = self.private("stack.json.new", (state.model_dump_json(indent=2) + "\n").encode())
        draft.replace(self.state_file)

    def read(self) -> StackState | None:
        """What the last `up` wrote, or None where there is none."""
        try:
            return StackState.model_validate_json(self.state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def forget(self) -> None:
        """Remove what says that an environment runs."""
        for file in (self.state_file, self.socket):
            with contextlib.suppress(FileNotFoundError):
                file.unlink()

    def private(self, name: str, content: bytes) -> Path:
        """Write a file that only its owner reads."""
        path = self.root / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path
