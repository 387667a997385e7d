"""Turns one run's frames into its result, believing nothing that it cannot bound."""

import json
from collections.abc import Sequence
from typing import Final, cast

from pydantic import ValidationError

from sandbox.docker.attachment import Attachment
from sandbox.errors import SandboxUnavailable, SpecRefused
from sandbox.protocol import ArtifactStore, OnOutput, StreamName
from sandbox.result import Artifact, Ended, Output, Refusal, RefusedArtifact
from sandbox.spec import Limits, RunSpec
from sandbox.wire import ArtifactHeader, Report, failure_of

_STREAMS: Final[dict[bytes, StreamName]] = {b"O": "stdout", b"E": "stderr"}
_REFUSALS: Final[dict[str, Refusal]] = {
    "missing": "missing", "link": "link", "device": "device", "size": "size", "unreadable": "unreadable",
}  # fmt: skip
_SIGKILL: Final = 9
_SIGNALLED: Final = 128
_NO_ROOM: Final = ("No space left", "File name too long", "File exists", "leads outside")


class _Kept:
    """One output, bounded here too: the container's word is not taken for it."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.output_bytes
        self._head_limit = limits.output_bytes - limits.output_bytes // 2
        self.data = bytearray()

    def add(self, data: bytes) -> bytes:
        """Keep what fits; answers what belongs to the head."""
        head = data[: max(self._head_limit - len(self.data), 0)]
        self.data += data[: max(self._limit - len(self.data), 0)]
        return head

    def output(self, seen: int) -> Output:
        """What is said about it, given how much the command wrote."""
        dropped = max(seen - len(self.data), 0)
        if not dropped:
            return Output(head=bytes(self.data))
        head, tail = bytes(self.data[: self._head_limit]), bytes(self.data[self._head_limit :])
        return Output(head=head, tail=tail, dropped=dropped)


class Collector:
    """Reads one run to its end."""

    def __init__(self, spec: RunSpec, store: ArtifactStore, on_output: OnOutput | None) -> None:
        self._spec, self._store, self._on_output = spec, store, on_output
        self._kept = {kind: _Kept(spec.limits) for kind in _STREAMS}
        self._telemetry = bytearray()
        self._artifacts: list[Artifact] = []
        self._open: tuple[ArtifactHeader, bytearray] | None = None
        self._artifact_bytes_left = spec.limits.artifact_bytes
        self.report: Report | None = None
        self.begun = False

    async def read(self, attachment: Attachment) -> None:
        """Until the result, or the end of the container.

        Raises:
            SandboxUnavailable: The first process failed, or breaks its bounds.
            SpecRefused: The inputs could not be placed.
        """
        while self.report is None and (frame := await attachment.frame()) is not None:
            kind, body = frame
            try:
                await self._take(kind, body)
            except ValidationError as error:
                raise SandboxUnavailable("the container's report cannot be read: build its image again") from error

    async def _take(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"O" | b"E":
                head = self._kept[kind].add(body)
                if head and self._on_output is not None:
                    self._on_output(_STREAMS[kind], head)
            case b"T":
                self._telemetry += body[: max(self._spec.limits.telemetry_bytes - len(self._telemetry), 0)]
            case b"A":
                await self._finish_artifact()
                self._open = (ArtifactHeader.model_validate_json(body), bytearray())
            case b"D":
                self._data(body)
            case b"R":
                await self._finish_artifact()
                self.report = Report.model_validate_json(body)
            case b"X":
                self._fail(failure_of(body))
            case _:
                self.begun = self.begun or kind == b"B"

    def _fail(self, said: str) -> None:
        if not self.begun and any(word in said for word in _NO_ROOM):
            raise SpecRefused(f"the inputs cannot be placed: {said!r}; give more room, or other inputs")
        raise SandboxUnavailable(f"the first process failed: {said!r}")

    def _data(self, body: bytes) -> None:
        self._artifact_bytes_left -= len(body)
        if self._open is None or self._artifact_bytes_left < 0:
            raise SandboxUnavailable("the container sends more artifacts than it may")
        self._open[1].extend(body)

    async def _finish_artifact(self) -> None:
        if self._open is None:
            return
        header, content = self._open
        self._open = None
        if len(content) != header.size or not _asked_for(header.path, self._spec.artifacts):
            raise SandboxUnavailable(f"the container sends an artifact that is not what it says: {header.path[:80]!r}")
        if len(self._artifacts) >= self._spec.limits.artifact_files:
            raise SandboxUnavailable("the container sends more artifacts than it may")
        reference = await self._store.put(bytes(content))
        artifact = Artifact(path=header.path, size=header.size, reference=reference, executable=header.executable)
        self._artifacts.append(artifact)

    def output(self, kind: bytes) -> Output:
        """One of the outputs; without a report, what came of it."""
        kept = self._kept[kind]
        seen = self.report.seen.get(kind.decode(), 0) if self.report else 0
        return kept.output(seen)

    @property
    def telemetry(self) -> bytes:
        """OTLP lines as they came."""
        return bytes(self._telemetry)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """What was kept."""
        return tuple(self._artifacts)

    @property
    def refused(self) -> tuple[RefusedArtifact, ...]:
        """What was not."""
        said = self.report.refused if self.report else ()
        return tuple(
            RefusedArtifact(path=entry.get("path", ""), reason=_REFUSALS.get(entry.get("reason", ""), "unreadable"))
            for entry in said
        )


def _asked_for(path: str, asked: Sequence[str]) -> bool:
    plain = all(part not in {"", ".", ".."} for part in path.split("/"))
    return plain and any(path == wanted or path.startswith(f"{wanted}/") for wanted in asked)


def how_it_ended(report: Report) -> tuple[Ended, int]:
    """Told apart by what the first process did and saw, never by the length of the run or a message."""
    code = report.status if report.status >= 0 else _SIGNALLED - report.status
    if report.ended == "timeout":
        return "timeout", code
    if report.status == -_SIGKILL and report.oom_kills > 0:
        return "out_of_memory", code
    return ("killed" if report.status < 0 else "exit"), code


def state_of(inspected: object) -> tuple[bool, str]:
    """Whether the engine says that a container died for lack of memory, and what else it says."""
    state = cast("dict[str, object]", cast("dict[str, object]", inspected).get("State", {}))
    return bool(state.get("OOMKilled")), json.dumps({key: state.get(key) for key in ("Status", "ExitCode", "Error")})
