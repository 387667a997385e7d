"""What the audit log shows of one environment since a moment: what was done, refused and left in doubt. Pure.

It takes one event at a time and keeps counts; of single things only those that are under way, that people said
something about, or that were announced as parked.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ValidationError

from activities.guard.audit import AuditRecord
from activities.guard.opinion_facts import OpinionFacts
from hitl.protocol import Effect, Phase

DOUBTFUL: Final = ("unknown", "partially_applied")
"""How a destructive step ends of which a person has to look what was done."""
_EFFECTS: Final = frozenset({Effect.WRITE, Effect.DESTRUCTIVE})
_OURS: Final = "hitl."
"""The gateway's own steps, which tell people: no work of a goal's."""
_MOMENT: Final = timedelta(microseconds=1)
_PARKED: Final = "hitl.tell_parked"


@dataclass(frozen=True, kw_only=True)
class SaidOpinion:
    """The last that one person said of one goal.

    Attributes:
        kept_as: The workflow that has their words, and its run.
    """

    time: str
    facts: OpinionFacts
    kept_as: tuple[str, str]


@dataclass(kw_only=True)
class Evidence:
    """The counts.

    Attributes:
        environment: Whose.
        begin: What came before is not looked at; None for all there is.
        done: Steps that finished, by effect and name.
        failed: Attempts that failed, by name and type of error.
        refused: By the guard, by reason and name.
        ways: How destructive steps ended, as their state was seen.
        dollars: What finished steps said that they cost at most in a month, together.
        opinions: The last of each person on each run of a goal.
    """

    environment: str
    begin: datetime | None = None
    events: int = 0
    first: str = ""
    last: str = ""
    done: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    failed: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    refused: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    ways: Counter[str] = field(default_factory=Counter[str])
    dollars: int = 0
    opinions: dict[tuple[str, str], SaidOpinion] = field(default_factory=dict[tuple[str, str], SaidOpinion])
    _parked: set[str] = field(default_factory=set[str])
    _open: Counter[tuple[str | None, str | None, str]] = field(
        default_factory=Counter[tuple[str | None, str | None, str]]
    )

    @property
    def parked(self) -> int:
        """How often a goal parked, of which people were to be told."""
        return len(self._parked)

    @property
    def open_steps(self) -> int:
        """Steps with an effect of which no end is written: under way, or killed and not tried again."""
        return len(self._open)

    @property
    def doubtful(self) -> int:
        """Destructive steps of which nobody can say that they were carried out whole."""
        return sum(self.ways[way] for way in DOUBTFUL)

    def take(self, record: AuditRecord) -> None:
        """The next event of one role's file, in the file's order."""
        if record.environment != self.environment:
            return
        if self.begin is not None and datetime.fromisoformat(record.time) < self.begin:
            return
        self.events += 1
        self.first = min(self.first or record.time, record.time)
        self.last = max(self.last, record.time)
        match record.event:
            case "denied":
                self._denied(record)
            case "allowed":
                self._began(record)
            case "finished":
                self._finished(record)
            case "failed":
                self._ended(record)
                if not record.action.startswith(_OURS):
                    self.failed[record.action, record.error or "unknown"] += 1
            case "cancelled":
                self._ended(record)

    def _denied(self, record: AuditRecord) -> None:
        if record.action == _PARKED and record.run_id is not None:
            self._parked.add(record.run_id)  # where the phase lets nobody be told, it is parked all the same
        if not record.action.startswith(_OURS):
            self.refused[record.reason or "unknown", record.action] += 1

    def _began(self, record: AuditRecord) -> None:
        if record.effect in _EFFECTS and not record.action.startswith(_OURS):
            self._open[_step(record)] = 1  # all attempts at a step are one

    def _ended(self, record: AuditRecord) -> None:
        self._open.pop(_step(record), None)

    def _finished(self, record: AuditRecord) -> None:
        self._ended(record)
        if record.opinion is not None:
            self._said(record, record.opinion)
        if record.action == _PARKED and record.run_id is not None:
            self._parked.add(record.run_id)
        if record.action.startswith(_OURS):
            return
        self.done[record.effect or "undeclared", record.action] += 1
        if record.way is not None:
            self.ways[record.way] += 1
        if record.effect in _EFFECTS and (cost := record.context.get("cost", "")).isdecimal():
            self.dollars += int(cost)

    def _said(self, record: AuditRecord, facts: OpinionFacts) -> None:
        key = (facts.goal_run, facts.person)
        before = self.opinions.get(key)
        if before is None or before.facts.said_at < facts.said_at:
            self.opinions[key] = SaidOpinion(
                time=record.time, facts=facts, kept_as=(record.workflow_id or "", record.run_id or "")
            )

    def newest_opinions(self, most: int | None = None) -> list[SaidOpinion]:
        """The newest first; all of them, or so many."""
        return sorted(self.opinions.values(), key=lambda one: one.facts.said_at, reverse=True)[:most]

    def called_wrong(self) -> dict[str, str]:
        """Runs that somebody called wrong: the goal's workflow id by its run."""
        said = (one.facts for one in self.opinions.values())
        return {one.goal_run: one.goal for one in said if one.verdict == "wrong"}


def _step(record: AuditRecord) -> tuple[str | None, str | None, str]:
    return (record.run_id, record.activity_id, record.action)


class _Seen(BaseModel):
    """What of a line tells in which phase it was written."""

    environment: str
    effect: str | None
    phase: Phase | None
    time: AwareDatetime


class PhaseSeen:
    """Since when an environment is in its phase, as its events say.

    Args:
        environment: Whose.
        phase: The one that it is in.
    """

    def __init__(self, environment: str, phase: Phase) -> None:
        self._environment, self._phase = environment, phase
        self._other: datetime | None = None

    def take(self, line: object) -> None:
        """One more line. A destructive step tells nothing: its service may have lowered the phase for itself."""
        try:
            seen = _Seen.model_validate(line)
        except ValidationError:
            return
        if (
            seen.environment == self._environment
            and seen.effect != Effect.DESTRUCTIVE
            and seen.phase not in {None, self._phase}
        ):
            self._other = max(self._other or seen.time, seen.time)

    def begin(self) -> datetime | None:
        """After the last event of another phase; None where there is none."""
        return self._other + _MOMENT if self._other is not None else None
