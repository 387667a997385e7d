"""What went wrong in a run of Pulumi, as one error of the connectors' tree with the end of what Pulumi said.

Its exit codes tell nothing apart, so its words are read, which are pinned with its version in the image. Where they
change, a failure is called the program's own, and people read the words themselves.
"""

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from activities.pulumi.files import StackFiles
from activities.pulumi.sessions import SETTING
from activities.sandbox.output import masked
from connectors.errors import Conflict, ConnectorError, InvalidRequest, NotFound, Unavailable
from connectors.pulumi.event_reader import without_values
from connectors.pulumi.values import TRACEBACK, cause
from hitl.hidden import visible
from observability.redaction import redact
from sandbox.pulumi.outcome import PreviewOutcome, RunOutcome, StepOutcome

SAID: Final = 4_000
"""Characters of what Pulumi said that a step hands on."""

_NO_STACK: Final = re.compile(r"no stack named .{1,300} found", re.DOTALL)
_LOCKED: Final = re.compile(r"currently locked by|another update is currently in progress", re.IGNORECASE)
_CLOUD_LOCKED: Final = re.compile(r"another update is currently in progress", re.IGNORECASE)
_OWNER: Final = re.compile(r"created by [^\n]{0,200}")
_PASSPHRASE: Final = re.compile(r"incorrect passphrase|passphrase must be set|message authentication failed")
_UNREACHABLE: Final = re.compile(
    r"connection refused|no such host|i/o timeout|connection reset|failed to connect|could not connect|server closed"
    r"|broken pipe|unexpected EOF|the database system is|too many clients|TLS handshake|dial tcp|Service Unavailable"
    r"|Internal Server Error|Bad Gateway|Gateway Time-?out|request rate-limit exceeded"
    r"|InterfaceError|ConnectionError|TimeoutError|failed to ping PostgreSQL|unable to open bucket",
)
_REFUSED: Final = re.compile(
    r"password authentication failed|not permitted to log in|permission denied|does not exist \(SQLSTATE"
    r"|invalid access token|Unauthorized|role \S{1,80} does not exist|database \S{1,80} does not exist"
)
_POLICY_PACK: Final = re.compile(r"/policies/\S+: not a directory")
_TOLD: Final = 900
_READ: Final = 16_000
"""Characters at the end of what was printed in which the cause is looked for."""


def no_such_stack(outcome: RunOutcome) -> bool:
    """Whether it ended because the backend has no such stack."""
    return any(step.exit_code != 0 and _NO_STACK.search(step.said) for step in outcome.steps)


def said(outcome: RunOutcome, hidden: Sequence[bytes]) -> str:
    """The end of what Pulumi and the program printed in the step that failed, or in the last one; secrets masked."""
    return "\n".join(part[-SAID // 2 :] for part in _parts(outcome, hidden))


def _parts(outcome: RunOutcome, hidden: Sequence[bytes]) -> list[str]:
    step = _failed(outcome) or (outcome.steps[-1] if outcome.steps else None)
    parts = [step.said if step else "", outcome.program_output]
    return [redact.tail(without_values(masked(part, hidden)).strip(), _READ) for part in parts if part.strip()]


def raise_failed(outcome: RunOutcome, files: StackFiles, *, what: str, hidden: Sequence[bytes]) -> NoReturn:
    """Raise what a run that did not succeed comes to.

    Args:
        outcome: Not `done`.
        files: Of which stack.
        what: Was tried, as in `the preview`.
        hidden: Secrets of the run.

    Raises:
        ConnectorError: Always.
    """
    raise problem(outcome, files, what=what, hidden=hidden)


def problem(outcome: RunOutcome, files: StackFiles, *, what: str, hidden: Sequence[bytes]) -> ConnectorError:
    """What a run that did not succeed comes to."""
    about = f"{what} of {files.project.name}/{files.stack} at {files.commit[:12]}"
    match outcome.ended:
        case "lost":
            return Unavailable(f"{about} was lost with its container; try it again")
        case "timeout":
            return _late(outcome, about)
        case "stopped":
            return Unavailable(f"{about} was stopped; try it again")
        case "changed":
            return Conflict(f"{about} changed nothing: the stack is no longer what was looked at; plan again")
        case _:
            return _by_words(outcome, about, hidden)


def _late(outcome: RunOutcome, about: str) -> InvalidRequest:
    """Told by what did not end: a program that waits for ever is mended otherwise than a provider that does."""
    late, mend = ("Pulumi", "look what it waits for")
    if outcome.program_unended:
        late, mend = ("the program", "mend the program")
    way_out = f"{mend}, or make the stack smaller"
    if isinstance(outcome, PreviewOutcome):
        way_out = f"{mend}, or raise 'preview_minutes' in the file that {SETTING} names"
    within = f" within {_in_words(outcome.allowed_seconds)}" if outcome.allowed_seconds is not None else ""
    return InvalidRequest(f"{late} did not end{within}, so {about} was stopped: {way_out}")


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    number, unit = (round(seconds), "second") if rest else (minutes, "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def locked(outcome: RunOutcome) -> bool:
    """Whether somebody else held the stack's lock."""
    return bool(_LOCKED.search(_words(outcome)))


def _by_words(outcome: RunOutcome, about: str, hidden: Sequence[bytes]) -> ConnectorError:
    words = _words(outcome)
    if _NO_STACK.search(words):
        return NotFound(f"{about} failed: there is no such stack; preview it first, which makes it")
    if _LOCKED.search(words):
        return Conflict(f"{about} failed: {_holder(words, hidden)}")
    if _PASSPHRASE.search(words):
        return InvalidRequest(f"{about} failed: the passphrase in Vault is not the one that the stack was made with")
    tail = _tail(outcome, hidden)
    if _POLICY_PACK.search(words):
        tail = "Pulumi Cloud wants a policy pack run, which would run beside the keys: take the stack out of its group"
    if _REFUSED.search(words):
        return InvalidRequest(f"{about} failed: the state's backend refuses the credentials in Vault: {tail}")
    if (step := _failed(outcome)) is not None and _is_of_backend(step) and _UNREACHABLE.search(step.said):
        return Unavailable(f"{about} failed: the state's backend does not answer: {tail}")
    return InvalidRequest(f"{about} failed: {tail}")


def _holder(words: str, hidden: Sequence[bytes]) -> str:
    """Who has the stack, and what to do about it."""
    if _CLOUD_LOCKED.search(words):
        return (
            "another update of the stack is in progress at Pulumi Cloud, which does not say whose; wait for it: one "
            "whose client is gone ends there by itself, within minutes"
        )
    by = _OWNER.search(words)
    owner = visible(f" ({masked(by[0], hidden)})") if by else ""
    return f"another update holds the stack's lock{owner}; wait for it, or unlock the stack"


def _is_of_backend(step: StepOutcome) -> bool:
    """Looking at the state and at locks is all these do; elsewhere such words are a provider's or the program's."""
    return step.name in {"engine", "create", "before", "version", "after", "history", "outputs"}


def _failed(outcome: RunOutcome) -> StepOutcome | None:
    return next((step for step in outcome.steps if step.exit_code != 0), None)


def _words(outcome: RunOutcome) -> str:
    return "\n".join(step.said for step in outcome.steps if step.exit_code != 0)


def _tail(outcome: RunOutcome, hidden: Sequence[bytes]) -> str:
    refused = f"refused: {', '.join(outcome.refused[:5])}; " if outcome.refused else ""
    for part in reversed(_parts(outcome, hidden)):  # the program knows better than the engine why it failed
        if TRACEBACK in part:
            return repr(refused + visible(cause(part)))
    told = said(outcome, hidden)
    return repr(refused + visible(" ⏎ ".join(line.strip() for line in told.splitlines() if line.strip())[-_TOLD:]))
