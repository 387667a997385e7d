"""The host's half of the conversation with `sandbox.first_process`; what comes out is read as untrusted."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

from pydantic import BaseModel, ConfigDict, SecretBytes

from sandbox import first_artifacts, first_process
from sandbox.order import Entry, Farewell, Limits, Manifest
from sandbox.spec import RunSpec

LONGEST_FRAME: Final = 1024 * 1024
KINDS: Final = frozenset({b"W", b"B", b"O", b"E", b"T", b"A", b"D", b"R", b"X"})
BEAT: Final = first_process.BEAT
NEXT: Final = first_process.NEXT
"""What an order begins with that follows another one."""
BEAT_SECONDS: Final = first_process.SILENCE / 8
"""How often a first process is told that somebody is there."""
_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def first_process_files() -> Mapping[str, bytes]:
    """The first process, as it is baked into images."""
    paths = (Path(first_process.__file__), Path(first_artifacts.__file__))
    return {path.name: path.read_bytes() for path in paths}


def first_process_digest() -> str:
    """Which first process this code speaks with; images carry it as a label."""
    return hashlib.sha256(b"\0".join(first_process_files().values())).hexdigest()


class Fetched(BaseModel):
    """An input artifact with its bytes."""

    model_config = ConfigDict(frozen=True)

    path: str
    content: bytes
    unpack_into: str | None


class Report(BaseModel):
    """The result frame's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int
    ended: Literal["exit", "timeout"]
    oom_kills: int
    seen: Mapping[str, int]
    refused: tuple[Mapping[str, str], ...]
    run_seconds: float
    cpu_seconds: float
    peak_memory: int


@dataclass(frozen=True)
class Surroundings:
    """What a run finds around it and did not ask for itself: its network's environment.

    Attributes:
        environment: Names and values, over those of the spec.
        farewells: Whom to tell that the command has ended.
    """

    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    farewells: tuple[Farewell, ...] = ()


class ArtifactHeader(BaseModel):
    """The artifact frame's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    size: int
    executable: bool


class Order:
    """One order: the manifest and the contents that follow it."""

    def __init__(self, manifest: Manifest, contents: list[bytes]) -> None:
        self._manifest = json.dumps(manifest).encode()
        self._contents = contents

    def pieces(self) -> Iterator[bytes]:
        """In the order of sending."""
        size = sum(len(content) for content in self._contents)
        yield first_process.ORDER.pack(len(self._manifest), min(size, 0xFFFFFFFF)) + self._manifest
        for content in self._contents:
            for start in range(0, len(content), LONGEST_FRAME):
                yield content[start : start + LONGEST_FRAME]


def order_of(
    spec: RunSpec,
    secrets: Mapping[str, SecretBytes],
    inputs: list[Fetched],
    around: Surroundings,
    *,
    stays: bool = False,
) -> Order:
    """Everything that the first process needs to know for one run; where it `stays`, another may follow."""
    files = [_entry(file.path, file.content, 0o700 if file.executable else 0o600) for file in spec.files]
    files += [_entry(item.path, item.content, 0o600) for item in inputs]
    kept = [_entry(name, secret.get_secret_value(), 0o400) for name, secret in secrets.items()]
    limits: Limits = {
        "wall_seconds": spec.limits.wall_seconds,
        "grace_seconds": spec.limits.grace_seconds,
        "output_bytes": spec.limits.output_bytes,
        "telemetry_bytes": spec.limits.telemetry_bytes,
        "artifact_bytes": spec.limits.artifact_bytes,
        "artifact_files": spec.limits.artifact_files,
    }
    manifest: Manifest = {
        "argv": list(spec.argv),
        "directory": spec.directory or "",
        "environment": _environment(spec, around.environment),
        "files": [entry for entry, _ in files],
        "secrets": [entry for entry, _ in kept],
        "archives": [{"path": item.path, "into": item.unpack_into} for item in inputs if item.unpack_into],
        "artifacts": list(spec.artifacts),
        "limits": limits,
        "farewells": list(around.farewells),
        "stays": stays,
    }
    return Order(manifest, [content for _, content in (*files, *kept)])


def order_of_service(argv: Sequence[str], files: Mapping[str, bytes]) -> Order:
    """A process of our own that runs until its container is removed, with all its output passed on."""
    entries = [_entry(path, content, 0o600) for path, content in files.items()]
    manifest: Manifest = {
        "argv": list(argv),
        "directory": "",
        "environment": {"PATH": _DEFAULT_PATH, "HOME": "/tmp", "LANG": "C.UTF-8"},  # noqa: S108 - in the container
        "files": [entry for entry, _ in entries],
        "secrets": [],
        "archives": [],
        "artifacts": [],
        "limits": {
            "wall_seconds": None, "grace_seconds": 0, "output_bytes": None, "telemetry_bytes": 0, "artifact_bytes": 0,
            "artifact_files": 0,
        },
        "farewells": [],
        "stays": False,
    }  # fmt: skip
    return Order(manifest, [content for _, content in entries])


def _entry(path: str, content: bytes, mode: int) -> tuple[Entry, bytes]:
    return {"path": path, "size": len(content), "mode": mode}, content


def _environment(spec: RunSpec, added: Mapping[str, str]) -> dict[str, str]:
    own = {
        "PATH": _DEFAULT_PATH,
        "HOME": "/tmp",  # noqa: S108 - a tmpfs of the container's own
        "TMPDIR": "/tmp",  # noqa: S108 - the same
        "LANG": "C.UTF-8",
        "BANKSMAN_SECRETS": first_process.SECRETS,
        "BANKSMAN_TELEMETRY": first_process.TELEMETRY,
    }
    return {**own, **spec.environment, **added}


def failure_of(body: bytes) -> str:
    """What the first process says it could not do; it speaks of the order, never of a secret's content."""
    try:
        said = cast("object", json.loads(body))
    except ValueError:
        return "it did not say why"
    return str(cast("Mapping[str, object]", said).get("error", ""))[:300] if isinstance(said, dict) else ""
