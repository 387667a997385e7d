"""What an order says, by type; the first process reads these names and never imports this file."""

from typing import TypedDict


class Entry(TypedDict):
    """A file of the order."""

    path: str
    size: int
    mode: int


class Archive(TypedDict):
    """A file that is unpacked."""

    path: str
    into: str


class Limits(TypedDict):
    """What this process enforces itself; see `sandbox.spec.Limits`."""

    wall_seconds: float | None
    grace_seconds: float
    output_bytes: int | None
    telemetry_bytes: int
    artifact_bytes: int
    artifact_files: int


class Farewell(TypedDict):
    """What a proxy is told when the command and all its connections are gone."""

    host: str
    port: int
    request: str


class Manifest(TypedDict):
    """The order."""

    argv: list[str]
    directory: str
    environment: dict[str, str]
    files: list[Entry]
    secrets: list[Entry]
    archives: list[Archive]
    artifacts: list[str]
    limits: Limits
    farewells: list[Farewell]
    stays: bool
