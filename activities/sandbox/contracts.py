"""The steps in the sandbox as goals call them: what each is asked, what it answers, what it may do."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect, PolicyContext
from sandbox.result import Connection, Download, Ended


class Source(BaseModel):
    """A commit to work on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str = Field(description="OWNER/NAME.")
    commit: str = Field(description="Its id.")
    pack: str = Field(description="The artifact that holds it, as git's own pack.")


MOST_ARTIFACTS: Final = 50
"""Paths that one command can have kept."""


class CommandLimits(BaseModel):
    """What a command may use at most, where the deployment's own limits are not lower."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    memory_bytes: int = Field(description="All of it, of which the work tree takes its part.")
    workspace_bytes: int = Field(description="The work tree.")
    tmp_bytes: int = Field(description="Of `/tmp`.")
    cpus: float = Field(description="Processors.")


class ArtifactKept(BaseModel):
    """A file that a command left. Its name is a stranger's word."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str = Field(description="Below the work tree.")
    size: int = Field(description="Bytes.")
    reference: str = Field(description="Where the artifact store has it.")


class RunCommandRequest(BaseModel):
    """One command."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: tuple[str, ...]
    source: Source | None = Field(default=None, description="What lies in the folder where it starts.")
    purpose: str | None = Field(default=None, description="Why it needs a network; nothing is open without.")
    timeout_seconds: float = Field(description="Then everything in the container ends.")
    secrets: str | None = Field(default=None, description="Sealed for this workflow run; files in /run/secrets.")
    limits: CommandLimits | None = Field(default=None, description="The deployment's own when left out.")
    artifacts: tuple[str, ...] = Field(
        default=(), max_length=MOST_ARTIFACTS, description="Files and folders of the work tree that are kept."
    )

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        touched = PolicyContext.of_repository(self.source.repository) if self.source else PolicyContext()
        return touched.model_copy(update={"purpose": self.purpose})


class CommandRun(BaseModel):
    """How a command ended. One that failed is a result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    exit_code: int | None = Field(description="128 and the signal's number for a signal; None when the container died.")
    ended: Ended
    oom_seen: bool
    stdout: str
    stderr: str
    truncated: bool = Field(description="Whether the middle of an output was left out.")
    connections: tuple[Connection, ...] = ()
    downloads: tuple[Download, ...] = ()
    seconds: float = Field(description="From the start of the command.")
    artifacts: tuple[ArtifactKept, ...] = Field(default=(), description="What was kept of what was asked for.")
    not_kept: tuple[str, ...] = Field(default=(), description="What was not, each with its reason.")


RUN_COMMAND: Final = Step(
    name="sandbox.run_command",
    request=RunCommandRequest,
    response=CommandRun,
    effect=Effect.WRITE,
    on=TaskQueue.SANDBOX,
)
