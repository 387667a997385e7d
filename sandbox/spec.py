"""What one run asks for: frozen, complete, and impossible to weaken.

There is no field for a mount, a capability, a device, a user, a host namespace or a socket: what cannot be said
cannot be asked for. Secrets are not part of a spec, because specs are kept in histories.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MIB: Final = 1024 * 1024
SECRETS_BYTES: Final = MIB
"""Size of the tmpfs that secrets lie on."""
HEADROOM_BYTES: Final = 32 * MIB
"""Memory that the first process and the command's own pages need beside every tmpfs."""

_ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_PATH: Final = 500
_LONGEST_ARGV: Final = 128 * 1024


def _inside(path: str) -> str:
    """A relative path that stays below where it starts."""
    parts = path.split("/")
    plain = all(part not in {"", ".", ".."} for part in parts)
    if not plain or "\0" in path or len(path.encode(errors="surrogateescape")) > _LONGEST_PATH:
        raise ValueError(f"{path[:80]!r} is not a plain relative path: no leading slash, no '.' or '..', no empty part")
    return path


def _printable(text: str) -> str:
    if "\0" in text:
        raise ValueError("an argument or value cannot hold a zero byte")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]
Argument = Annotated[str, AfterValidator(_printable)]
ImageDigest = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._/:-]*@)?sha256:[0-9a-f]{64}$")]
RunId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$")]
Purpose = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST_PATTERN: Final = rf"({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]"
Host = Annotated[str, Field(pattern=rf"^{HOST_PATTERN}$", max_length=253)]
Reference = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class InputFile(_Frozen):
    """A file that is there when the command starts.

    Attributes:
        path: Below the workspace.
        content: Its bytes; in JSON as base64.
        executable: Whether its owner may run it.
    """

    path: RelativePath
    content: bytes
    executable: bool = False


class InputArtifact(_Frozen):
    """An artifact of an earlier run, brought in by reference.

    Attributes:
        reference: The artifact in the store.
        path: Where it lies below the workspace.
        unpack_into: When given, the artifact is a tar archive; it is unpacked into this folder and removed. Links
            and special files that lead outside are refused.
    """

    reference: Reference
    path: RelativePath
    unpack_into: RelativePath | None = None


class Limits(_Frozen):
    """What a run may use at most. Every tmpfs is memory, so their sum must fit.

    Attributes:
        memory_bytes: Memory of all processes, every tmpfs and shared memory included; there is no swap.
        cpus: Processor time per time.
        pids: Processes and threads, the first process included.
        workspace_bytes: Size of the workspace, where the command starts.
        workspace_inodes: Files and folders in it.
        tmp_bytes: Size of `/tmp`, which is also the home.
        tmp_inodes: Files and folders in it.
        shm_bytes: Size of `/dev/shm`.
        wall_seconds: From the start of the command; then everything in the container ends.
        grace_seconds: Between asking (SIGTERM) and forcing (SIGKILL) at the end of that time.
        output_bytes: Of each output: the first and the last half are kept, the middle is counted.
        telemetry_bytes: Of OTLP lines that the command writes.
        artifact_bytes: Of all artifacts together.
        artifact_files: How many artifacts.
    """

    memory_bytes: int = Field(default=512 * MIB, ge=48 * MIB, le=256 * 1024 * MIB)
    cpus: float = Field(default=1.0, ge=0.05, le=128)
    pids: int = Field(default=256, ge=4, le=32768)
    workspace_bytes: int = Field(default=256 * MIB, ge=MIB)
    workspace_inodes: int = Field(default=65536, ge=64, le=4_000_000)
    tmp_bytes: int = Field(default=64 * MIB, ge=MIB)
    tmp_inodes: int = Field(default=16384, ge=64, le=4_000_000)
    shm_bytes: int = Field(default=8 * MIB, ge=65536)
    wall_seconds: float = Field(default=600, ge=0.1, le=86400)
    grace_seconds: float = Field(default=1, ge=0, le=60)
    output_bytes: int = Field(default=256 * 1024, ge=0, le=64 * MIB)
    telemetry_bytes: int = Field(default=256 * 1024, ge=0, le=4 * MIB)
    artifact_bytes: int = Field(default=64 * MIB, ge=0, le=2048 * MIB)
    artifact_files: int = Field(default=100, ge=0, le=10_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        asked = self.workspace_bytes + self.tmp_bytes + self.shm_bytes + SECRETS_BYTES + HEADROOM_BYTES
        if asked > self.memory_bytes:
            raise ValueError(
                f"workspace, tmp, shm, secrets and headroom take {asked} bytes, more than memory_bytes="
                f"{self.memory_bytes}: give more memory or smaller folders"
            )
        return self


Work = Literal["command", "packages", "stack", "migration"]
"""Whose work a run is: what a goal names, what fetches a program's packages, Pulumi's engine, or a migration."""


class Target(_Frozen):
    """The one address that a run reaches, through a relay of its own.

    Attributes:
        host: Its name, or an address.
        port: On that host.
    """

    host: Annotated[str, Field(pattern=rf"^({HOST_PATTERN}|[0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}})$", max_length=253)]
    port: int = Field(ge=1024, le=65535)

    @property
    def named(self) -> bool:
        """Whether it is a name, and no address."""
        return not self.host[-1].isdigit()


class RunSpec(_Frozen):
    """One command in one fresh container.

    Attributes:
        run_id: Names the run in labels and logs; a run with this id exists once at a time.
        image: By digest only.
        argv: The command; no shell stands between.
        files: Files written before the command starts.
        inputs: Artifacts of earlier runs, written before the command starts.
        artifacts: Files or folders below the workspace that are kept afterwards.
        directory: Where below the workspace the command starts.
        environment: Names and values; nothing secret, because specs are kept.
        limits: What the run may use.
        purpose: Why it needs a network; the deployment decides what that opens, and for whose work. None means no
            network at all.
        work: Whose it is. The step says so, never a goal's input.
        target: Where it is led to, for a purpose that leaves this to the step. The step reads it where a goal cannot
            write.
    """

    run_id: RunId
    image: ImageDigest
    argv: tuple[Argument, ...] = Field(min_length=1)
    files: tuple[InputFile, ...] = ()
    inputs: tuple[InputArtifact, ...] = ()
    artifacts: tuple[RelativePath, ...] = Field(default=(), max_length=100)
    directory: RelativePath | None = None
    environment: Mapping[str, Argument] = Field(default_factory=dict[str, str])
    limits: Limits = Limits()
    purpose: Purpose | None = None
    work: Work = "command"
    target: Target | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.argv[0] or sum(len(part) + 1 for part in self.argv) > _LONGEST_ARGV:
            raise ValueError(f"argv must name a command and stay below {_LONGEST_ARGV} characters")
        for name in self.environment:
            if not _ENVIRONMENT_NAME.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no name for an environment variable")
        self._files_possible()
        return self

    def _files_possible(self) -> None:
        if sum(len(file.content) for file in self.files) > self.limits.workspace_bytes:
            raise ValueError("the files do not fit into the workspace: give it more bytes")
        paths = [PurePosixPath(entry.path) for entry in (*self.files, *self.inputs)]
        taken = set(paths)
        if len(taken) != len(paths):
            raise ValueError("two files have the same path: remove one")
        for path in paths:
            if not taken.isdisjoint(path.parents):
                raise ValueError(f"{str(path)!r} lies below another file: choose another path")
