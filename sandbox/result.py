"""What came out of one run. A command that failed is a result, not an error."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Ended = Literal["exit", "timeout", "out_of_memory", "killed"]
Refusal = Literal["missing", "link", "device", "size", "unreadable"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Output(_Frozen):
    """One output of the command, with its middle left out where it was too long.

    Attributes:
        head: Its beginning.
        tail: Its end, when it was too long for the head.
        dropped: Bytes between the two that were not kept.
    """

    head: bytes = b""
    tail: bytes = b""
    dropped: int = 0

    @property
    def truncated(self) -> bool:
        """Whether something is missing."""
        return self.dropped > 0

    @property
    def text(self) -> str:
        """For people: bytes that are not UTF-8 are replaced, and a gap says how much is missing."""
        gap = f"\n… {self.dropped} bytes left out …\n".encode() if self.dropped else b""
        return (self.head + gap + self.tail).decode(errors="replace")


class Artifact(_Frozen):
    """A file that the run left, by reference.

    Attributes:
        path: Below the workspace, as the command named it. A name from untrusted code: never a path on a host.
        size: In bytes.
        reference: Where the artifact store has it.
        executable: Whether its owner could run it.
    """

    path: str
    size: int
    reference: str
    executable: bool = False


class RefusedArtifact(_Frozen):
    """Something that was asked for and not taken.

    Attributes:
        path: Below the workspace.
        reason: Not there, a link (symbolic or hard), neither file nor folder, over the limits, or not readable.
    """

    path: str
    reason: Refusal


class Connection(_Frozen):
    """One connection that a run with a purpose asked the proxy for.

    Attributes:
        host: As the run named it.
        port: On that host.
        allowed: Whether the proxy let it through.
        bytes_received: From the host's side to the run.
        method: `CONNECT`, or the plain request's method.
    """

    host: str
    port: int
    allowed: bool
    bytes_received: int
    method: str


class Download(_Frozen):
    """One answer of a package registry, as its mirror gave it.

    Attributes:
        host: The registry's.
        path: On that host.
        status: As in HTTP; 499 when the run went away before the end, 0 when the mirror was still at it.
        bytes_received: What the run got.
        sha256: Of the registry's answer, in hexadecimal; None when it was not given whole.
        cached: Whether it came from the cache, without asking the registry for it.
    """

    host: str
    path: str
    status: int
    bytes_received: int
    sha256: str | None
    cached: bool


class Usage(_Frozen):
    """What the run used, for timings and bills.

    Attributes:
        start_seconds: From the call to the command's start.
        run_seconds: From the command's start to its end.
        total_seconds: From the call to the result.
        cpu_seconds: Of all processes that ended in the container.
        peak_memory_bytes: The container's highest, or None where the engine has no counter.
        warm: Whether a waiting container was used.
    """

    start_seconds: float
    run_seconds: float
    total_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None = None
    warm: bool = False


class RunResult(_Frozen):
    """How the command ended.

    Attributes:
        exit_code: As a shell would say it: 128 and the signal's number for a signal; None when the container died
            with the command.
        ended: By itself; at the end of its time; killed for memory; or by a signal.
        oom_seen: Something in the container was killed for memory, also when the command went on without it.
        stdout: Bounded.
        stderr: Bounded.
        telemetry: Bounded OTLP lines, unchecked: a stranger's words.
        artifacts: What was kept.
        refused: What was asked for and not taken.
        connections: What the proxy saw of this run.
        downloads: What the mirror of package registries gave it.
        usage: What it took.
    """

    exit_code: int | None
    ended: Ended
    oom_seen: bool
    stdout: Output
    stderr: Output
    telemetry: bytes = b""
    artifacts: tuple[Artifact, ...] = ()
    refused: tuple[RefusedArtifact, ...] = ()
    connections: tuple[Connection, ...] = ()
    downloads: tuple[Download, ...] = ()
    usage: Usage
