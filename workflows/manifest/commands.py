"""What a service's commands are: how it is tested, built and migrated, each in the sandbox."""

from typing import Annotated, Final

from pydantic import Field

from sandbox.spec import MIB
from sandbox.spec import Limits as SandboxLimits
from workflows.manifest.words import Argument, Duration, Part, Path, Purpose, ServiceName, seconds
from workflows.repository.goals import LONGEST_COMMAND

_TMP_MIB: Final = 64
Arguments = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]


class Limits(Part):
    """What a command may use at most. The deployment's own limits stay above these."""

    memory_mib: int = Field(
        default=512,
        ge=128,
        le=65536,
        description="Memory in MiB, of which the work tree takes its part.",
        examples=[2048],
    )
    disk_mib: int = Field(
        default=256, ge=1, le=65536, description="The work tree, in MiB. It lies in memory.", examples=[1024]
    )
    cpus: float = Field(default=1, ge=0.05, le=128, description="Processors.", examples=[2])
    time: Duration = Field(default="10m", description="Then everything ends; an hour at most.", examples=["15m"])

    def for_sandbox(self) -> SandboxLimits:
        """The same as the sandbox is told it.

        Raises:
            ValueError: Their sum is impossible.
        """
        return SandboxLimits(
            memory_bytes=self.memory_mib * MIB,
            workspace_bytes=self.disk_mib * MIB,
            tmp_bytes=_TMP_MIB * MIB,
            cpus=self.cpus,
            wall_seconds=seconds(self.time),
        )


class Command(Part):
    """One command on the commit, in a container that holds no credential."""

    command: Arguments = Field(
        description="Program and arguments, each by itself: no shell stands between. For one: [sh, -c, 'a && b'].",
        examples=[["make", "test"]],
    )
    directory: Path | None = Field(
        default=None,
        description="Where it starts; the root of the repository when left out.",
        examples=["services/web"],
    )
    purpose: Purpose | None = Field(
        default=None,
        description="Why it needs a network, by the deployment's name; no network at all when left out.",
        examples=["package-registries"],
    )
    limits: Limits = Field(default=Limits(), description="What it may use at most.")
    artifacts: Annotated[tuple[Path, ...], Field(max_length=100)] = Field(
        default=(), description="Files and folders of the work tree that are kept.", examples=[["reports/junit.xml"]]
    )


class Migration(Command):
    """How the schema of a database is brought to what the commit wants."""

    database: ServiceName | None = Field(
        default=None,
        description="Which of `needs.neon`; its only one when left out.",
        examples=["orders"],
    )


LONGEST: Final = LONGEST_COMMAND
"""Seconds that a command may be given."""
