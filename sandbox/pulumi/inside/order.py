"""What the engine's container is told, and what it answers, by type; both sides read these names."""

from typing import TypedDict


class Step(TypedDict):
    """One command of Pulumi's CLI.

    Attributes:
        name: For the answer.
        argv: Without the program.
        keep: The file below the workspace that its output goes to; empty: none.
        events: Whether it writes an event log.
        host: Whether it asks a language host.
        program: Whether it runs the user's program.
        always: Whether it runs also after another has failed or the run was stopped.
        unless: The step that it stands in for, by name: it runs where that one failed, whose failure counts no more;
            empty: none.
    """

    name: str
    argv: list[str]
    keep: str
    events: bool
    host: bool
    program: bool
    always: bool
    unless: str


class Identity(TypedDict):
    """The state that must be there before a step, as `state_identity` of the file that was sent in says it.

    Attributes:
        version: Of the last update then; None: not compared.
    """

    before: str
    file: str
    identity: str
    version: int | None


class Passfile(TypedDict):
    """One database that the engine knows a password for."""

    host: str
    port: str
    database: str
    role: str
    secret: str


class EngineOrder(TypedDict):
    """The order.

    Attributes:
        played: Whether the providers do nothing, as in a rehearsal: see `played.py`.
    """

    environment: dict[str, str]
    steps: list[Step]
    expected: list[Identity]
    passwords: list[Passfile]
    packages: list[str]
    stacks: list[str]
    main: str
    packs: list[str]
    played: bool
    settings: str
    wall_seconds: float
    stop_seconds: float
    unlock: dict[str, str]


class PackOrder(TypedDict):
    """A policy pack that the program's container is to run, as the relay asks for it.

    Attributes:
        folder: Of the pack, below the program's.
        socket: The name of the socket to serve it on.
        environment: What Pulumi tells packs by their environment.
    """

    folder: str
    socket: str
    environment: dict[str, str]


class PackAnswer(TypedDict):
    """What became of it; `error` is what it printed when it did not come up, else empty."""

    error: str


class StepReport(TypedDict):
    """How one ended."""

    name: str
    exit_code: int
    seconds: float
    said: str
    changes: dict[str, int]


class EngineReport(TypedDict):
    """The answer.

    Attributes:
        unended: Whether the program still ran when the run was stopped.
    """

    steps: list[StepReport]
    stopped: str
    changed: list[str]
    identities: dict[str, str]
    version: int | None
    refused: list[str]
    output: str
    plugins: dict[str, str]
    ran: int
    unended: bool
    locks: list[str]
    salt: str
