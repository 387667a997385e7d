"""What GitHub may have begun: the words for it, and the deployment's rules on it, valid. Pure.

Without a rule nothing is begun. A rule holds where all that it says holds: what happened, which command, in which
repository, for which goal, and what GitHub says that this person may do there. There is no rule that forbids: what no
rule names is forbidden.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

Piece = TypeVar("Piece")


class Trigger(StrEnum):
    """What happens on GitHub, as far as it can have something begun."""

    COMMENT = "comment"
    """A command in a new comment of an issue or a pull request."""
    BUTTON = "button"
    """A button of a check run."""
    ISSUE = "issue"
    """An issue is opened, reopened or labelled."""
    PULL_REQUEST = "pull_request"
    """A pull request is opened, reopened, labelled, ready for review, or has new commits."""
    PUSH = "push"
    """New commits on a branch."""
    SCHEDULE = "schedule"
    """The time has come that the repository's own file says."""


class SlashCommand(StrEnum):
    """What people can say in a comment."""

    RUN = "run"
    ASK = "ask"
    REVISE = "revise"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY = "retry"
    STATUS = "status"
    HELP = "help"


SAID: frozenset[Trigger] = frozenset({Trigger.COMMENT, Trigger.BUTTON})
"""Where a command comes from. All else starts what a repository's own file says."""


class Permission(StrEnum):
    """What GitHub says that somebody may do in a repository, in growing order."""

    NONE = "none"
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    @property
    def level(self) -> int:
        """Its place in the order."""
        return tuple(type(self)).index(self)

    def reaches(self, other: "Permission") -> bool:
        """Whether it is this much at least."""
        return self.level >= other.level


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How many goals may be begun in one hour, at most."""

    person: int = 20
    installation: int = 100


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """What one repository may schedule, at most.

    Attributes:
        least: Between two runs of one schedule, at least.
        repository: How many one repository may have.
    """

    least: timedelta = timedelta(hours=1)
    repository: int = 10


@dataclass(frozen=True, kw_only=True)
class TriggerRule:
    """One line of `github.triggers`.

    Attributes:
        name: Its place in the file, `github.triggers[0]`.
        line: The line it starts on.
        events: What has to happen.
        commands: Of which one has to be said, where what happens is a comment or a button.
        repositories: Patterns of `OWNER/NAME`, in lower case; `*` stands for any characters but a slash.
        permission: What who caused it has to be allowed at least; none where the time alone did.
        goals: Names of goals, or how they begin, with `*`.
    """

    name: str
    line: int
    events: frozenset[Trigger]
    commands: frozenset[SlashCommand] = frozenset()
    repositories: tuple[str, ...]
    permission: Permission
    goals: tuple[str, ...] = ()

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.name} (line {self.line})"

    def names(self, trigger: Trigger, command: SlashCommand | None, repository: str) -> bool:
        """Whether it is about this, whoever caused it."""
        said = trigger not in SAID or command in self.commands or command is SlashCommand.HELP
        return trigger in self.events and said and fits_any(repository.lower(), self.repositories)

    def begins(self, goal: str) -> bool:
        """Whether this goal may be begun by it."""
        return fits_any(goal, self.goals)


@dataclass(frozen=True, kw_only=True)
class GitHubPolicy:
    """All that a policy says of GitHub.

    Attributes:
        accounts: Numeric ids by login, in lower case. A login can be given up and taken by a stranger; an id cannot.
        approvals: Whether people may approve and reject there.
        rates: How many goals may be begun.
        schedules: What one repository may schedule.
        rules: Who may have what begun.
    """

    accounts: Mapping[str, int] = field(default_factory=dict[str, int])
    approvals: bool = False
    rates: Rates = field(default_factory=Rates)
    schedules: Schedules = field(default_factory=Schedules)
    rules: tuple[TriggerRule, ...] = ()


def fits_any(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of these patterns is all of this text.

    `*` is any characters but a slash; a part that is `**` is any number of parts. No pattern takes longer than text and
    pattern are long together: somebody else wrote it.
    """
    parts = text.split("/")
    return any(fits_parts(parts, one.split("/"), _fits_part, wide="**") for one in patterns)


def fits_parts(
    parts: Sequence[str], pattern: Sequence[Piece], fits: Callable[[str, Piece], bool], *, wide: Piece
) -> bool:
    """Part by part; where one does not fit, the last `wide` takes one more.

    Args:
        parts: Of the text.
        pattern: Its pieces.
        fits: Whether a part is all of a piece that is not `wide`.
        wide: The piece that takes any number of parts.
    """
    at = on = 0
    last: tuple[int, int] | None = None
    while at < len(parts):
        if on < len(pattern) and pattern[on] == wide:
            last, on = (at, on + 1), on + 1
        elif on < len(pattern) and fits(parts[at], pattern[on]):
            at, on = at + 1, on + 1
        elif last is not None:
            last = (last[0] + 1, last[1])
            at, on = last
        else:
            return False
    return all(one == wide for one in pattern[on:])


def _fits_part(part: str, pattern: str) -> bool:
    first, *more = pattern.split("*")
    if not more:
        return part == first
    *middle, last = more
    if len(part) < len(first) + len(last) or not (part.startswith(first) and part.endswith(last)):
        return False
    at, end = len(first), len(part) - len(last)
    for one in middle:
        found = part.find(one, at, end)
        if found < 0:
            return False
        at = found + len(one)
    return True
