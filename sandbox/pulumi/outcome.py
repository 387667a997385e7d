"""What came of a run of Pulumi. How an up ended is for who compares states and events, never for an exit code."""

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.result import Usage

Ended = Literal["done", "failed", "changed", "stopped", "timeout", "lost"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResourceProgress(_Frozen):
    """One resource, while Pulumi is at it; names come from the program.

    Attributes:
        what: It has begun, is done, or has failed.
        op: Pulumi's word for what it does: `create`, `update`, `delete`, `replace`, `same`, `refresh`, …
        urn: The resource.
        type: Its type.
        planning: Whether this is a preview, also the one that an up makes first.
    """

    what: Literal["begun", "done", "failed"]
    op: str
    urn: str
    type: str
    planning: bool = False


OnProgress = Callable[[ResourceProgress], None]


class StepOutcome(_Frozen):
    """One command of the CLI.

    Attributes:
        name: Which: `before`, `drift`, `preview`, `up`, `refresh`, `destroy`, `after`, …; `engine` is what went wrong
            outside of any command.
        exit_code: Of the CLI; it does not tell what changed.
        seconds: How long it took.
        said: The end of what it printed, without secrets.
        changes: Resources by what was (or would be) done to them, as its last summary counts them.
        events: Its event log (one JSON object a line, without secrets), by reference.
    """

    name: str
    exit_code: int
    seconds: float
    said: str
    changes: Mapping[str, int]
    events: str | None = None


class RunOutcome(_Frozen):
    """How a run ended.

    Attributes:
        ended: All commands succeeded; one failed; nothing was done because the state or what is there is not what
            was expected; somebody stopped it; its time was over; or the engine's container was lost on the way, so
            that nobody knows.
        changed: What was not as expected: `state` (another than the one that was looked at), `drift` (what is there
            is not what the state says; the event log of the step `drift` has it), `version` (somebody made an update
            since), or `lock` (another's).
        steps: The commands that ran, in order.
        identity_before: Of the state at the beginning; None where it was not read.
        identity_after: At the end.
        update_version: Of the last update before this run, on Pulumi Cloud; None elsewhere, and where it was not read.
        state_before: The exported state at the beginning, by reference.
        state_after: At the end.
        refused: What the program asked for and was refused, by name.
        program_output: What the program printed, its beginning and end, without secrets.
        program_runs: How often the engine had it run.
        program_unended: Whether it still ran when the run was stopped.
        plugins: The providers in the engine's image, with the digests that were checked.
        salt: The stack's encryption salt, to be kept with its settings.
        seconds: From the call to the outcome.
        allowed_seconds: How long it might take before it was stopped; None where it was lost.
        usage: Of the engine's container.
    """

    ended: Ended
    changed: tuple[str, ...] = ()
    steps: tuple[StepOutcome, ...] = ()
    identity_before: str | None = None
    identity_after: str | None = None
    update_version: int | None = None
    state_before: str | None = None
    state_after: str | None = None
    refused: tuple[str, ...] = ()
    program_output: str = ""
    program_runs: int = 0
    program_unended: bool = False
    plugins: Mapping[str, str] = {}
    salt: str | None = None
    seconds: float
    allowed_seconds: float | None = None
    usage: Usage | None = None

    def step(self, name: str) -> StepOutcome | None:
        """The command of this name, when it ran."""
        return next((step for step in self.steps if step.name == name), None)


class PreviewOutcome(RunOutcome):
    """A preview.

    Attributes:
        plan: What `up` is bound to, by reference; its secrets are encrypted. None where there is none.
    """

    plan: str | None = None


class ReadOutcome(RunOutcome):
    """Something that was read.

    Attributes:
        content: As the CLI printed it (JSON), by reference; None where it could not be read.
    """

    content: str | None = None


class UnlockOutcome(RunOutcome):
    """A lock that was to go.

    Attributes:
        owners: Who held locks of this stack: the names of runs' hosts.
        released: Whether they are gone now.
    """

    owners: tuple[str, ...] = ()
    released: bool = False
