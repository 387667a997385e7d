"""Which events of the audit log somebody looks for. What people type is compared with events, and is no pattern."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Final, get_args
from urllib.parse import urlencode

from activities.guard.audit import AuditRecord, Outcome
from hitl.console.access.visitors import Refused
from hitl.protocol import Effect

VERDICTS: Final[tuple[str, ...]] = get_args(Outcome.model_fields["event"].annotation)
EFFECTS: Final = tuple(one.value for one in Effect)
_TEXT: Final = 300
_TEXTS: Final = ("step", "goal", "person", "resource")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What is looked for; empty for whatever it is.

    Attributes:
        step: A part of the action's name.
        goal: A part of the workflow's id, or its whole type.
        person: A part of who asked for what an approval is about, who decided, or who gave an opinion.
        resource: A part of what the step touches.
        verdict: One of `VERDICTS`.
        since: The first day, in UTC.
        until: The last day, in UTC.
    """

    step: str = ""
    goal: str = ""
    person: str = ""
    resource: str = ""
    effect: str = ""
    verdict: str = ""
    since: date | None = None
    until: date | None = None

    @classmethod
    def read(cls, said: Mapping[str, str]) -> "AuditFilter":
        """From a page's address.

        Raises:
            Refused: It names what there is not.
        """
        return cls(
            **{name: _text(said.get(name, ""), name) for name in _TEXTS},
            effect=_one_of(EFFECTS, said.get("effect", ""), "effect"),
            verdict=_one_of(VERDICTS, said.get("verdict", ""), "verdict"),
            since=_day(said.get("since", ""), "since"),
            until=_day(said.get("until", ""), "until"),
        )

    def __bool__(self) -> bool:
        """Whether anything is looked for at all."""
        return bool(self.address())

    def address(self) -> str:
        """The same, as a page's address has it."""
        names = (*_TEXTS, "effect", "verdict", "since", "until")
        return urlencode({name: str(value) for name in names if (value := getattr(self, name))})

    def is_before(self, moment: str) -> bool:
        """Whether this time, and so everything before it, is older than what is looked for."""
        return self.since is not None and moment < _begin(self.since)

    def matches(self, record: AuditRecord) -> bool:
        """Whether it is one of those."""
        if self.until is not None and record.time >= _begin(self.until + _DAY):
            return False
        if self.is_before(record.time) or (self.verdict and record.event != self.verdict):
            return False
        if self.effect and record.effect != self.effect:
            return False
        return all(
            (
                _has(self.step, [record.action]),
                record.workflow_type == self.goal or _has(self.goal, [record.workflow_id]),
                _has(self.person, _people(record)),
                _has(self.resource, touched(record.context).values()),
            )
        )


def touched(context: Mapping[str, str]) -> Mapping[str, str]:
    """What a step touches, as people name it: a repository is `OWNER/NAME`."""
    owner, name = context.get("repository_owner"), context.get("repository_name")
    if not owner or not name:
        return context
    rest = {one: value for one, value in context.items() if one not in {"repository_owner", "repository_name"}}
    return {"repository": f"{owner}/{name}", **rest}


def _people(record: AuditRecord) -> Iterator[str | None]:
    if record.approval is not None:
        yield record.approval.requester
        yield from (one.person for one in record.approval.decisions)
    if record.opinion is not None:
        yield record.opinion.person


def _has(text: str, those: Iterable[str | None]) -> bool:
    """Whether one of these has the text, in whatever case."""
    return not text or any(text.casefold() in one.casefold() for one in those if one)


def _begin(day: date) -> str:
    """Its first moment, spelled as records spell theirs, so that texts compare as times do."""
    return datetime.combine(day, time(), UTC).isoformat(timespec="microseconds")


def _text(text: str, what: str) -> str:
    told = " ".join(text.split())
    if len(told) > _TEXT:
        raise Refused(HTTPStatus.BAD_REQUEST, "Too long", f"Look for a {what} by at most {_TEXT} characters.")
    return told


def _day(text: str, what: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        told = f"{text[:40]!r} is no day to look {what}; write it as 2026-11-30."
        raise Refused(HTTPStatus.BAD_REQUEST, "No such day", told) from None


def _one_of(known: tuple[str, ...], text: str, what: str) -> str:
    if text and text not in known:
        raise Refused(HTTPStatus.BAD_REQUEST, f"No such {what}", f"There is no {what} {text[:40]!r} to look for.")
    return text
