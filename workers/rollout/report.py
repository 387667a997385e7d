"""The report as one value: what was seen, and whether it is enough for the next phase. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from hitl.policy.rules import RollOut
from hitl.protocol import Phase
from workers.rollout.ends import OVERRULED, Ends
from workers.rollout.evidence import Evidence, SaidOpinion

_HUNDRED: Final = 100


@dataclass(frozen=True, kw_only=True)
class Check:
    """One threshold, and how far it is."""

    holds: bool
    words: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of it.

    Attributes:
        made_at: The time of the report.
        phase: That the environment is in.
        wanted: The thresholds.
        evidence: Of the audit log.
        broken: What is wrong with the audit log's chains.
        ends: Of Temporal; None where nobody asked it.
        words: What people wrote, by goal run and person, as far as it is kept.
    """

    environment: str
    made_at: datetime
    phase: Phase
    wanted: RollOut
    evidence: Evidence
    broken: tuple[str, ...] = ()
    ends: Ends | None = None
    words: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @property
    def next_phase(self) -> Phase | None:
        """The one after this; None where it is the last."""
        return next((one for one in Phase if one.level == self.phase.level + 1), None)

    @property
    def lasted(self) -> timedelta:
        """How long there has been something to see."""
        if not self.evidence.first:
            return timedelta(0)
        return self.made_at - datetime.fromisoformat(self.evidence.first)

    @property
    def opinions(self) -> list[SaidOpinion]:
        """The newest first."""
        return self.evidence.newest_opinions()

    @property
    def heard_of(self) -> int:
        """Of how many goals somebody said something."""
        return len({run for run, _ in self.evidence.opinions})

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return all(one.holds for one in self.checks())

    @property
    def recommendation(self) -> str:
        """One line. It recommends, and raises nothing."""
        missing = [one.words for one in self.checks() if not one.holds]
        what = f"ready for {self.next_phase}" if self.next_phase else f"fit to stay in {self.phase}"
        if not missing:
            return f"{what}: yes – {'; '.join(one.words for one in self.checks())}"
        return f"{what}: no – {'; '.join(missing)}"

    def checks(self) -> list[Check]:
        """Each threshold; what cannot be known does not hold."""
        return list(self._checks())

    def _checks(self) -> Iterator[Check]:
        wanted, seen = self.wanted, self.evidence
        if self.broken:
            yield Check(holds=False, words="the audit log is not whole")
        if self.evidence.events == 0:
            yield Check(holds=False, words="nothing was done in this phase")
        yield Check(
            holds=self.lasted >= timedelta(days=wanted.days), words=f"{self.lasted.days} of {wanted.days} days seen"
        )
        yield from self._of_goals()
        yield Check(
            holds=seen.doubtful <= wanted.doubtful,
            words=f"{_counted(seen.doubtful, 'destructive step')} in doubt, at most {wanted.doubtful} may be",
        )
        yield Check(
            holds=self.heard_of >= wanted.opinions,
            words=f"people judged {self.heard_of} of {wanted.opinions} goals",
        )

    def _of_goals(self) -> Iterator[Check]:
        wanted, ends = self.wanted, self.ends
        if ends is None:
            yield Check(holds=False, words="nobody asked Temporal how goals ended")
            return
        yield Check(holds=ends.ended >= wanted.goals, words=f"{ends.ended} of {wanted.goals} goals ended")
        most = ends.ended * wanted.wrong_percent
        yield Check(
            holds=ends.wrong * _HUNDRED <= most,
            words=f"{ends.wrong} of {_counted(ends.ended, 'goal')} ended wrong, at most {wanted.wrong_percent} % may",
        )
        if ends.parked_now:
            yield Check(holds=False, words=f"{_counted(ends.parked_now, 'goal')} parked now")

    def as_json(self) -> dict[str, JsonValue]:
        """For scripts."""
        seen = self.evidence
        checks: list[JsonValue] = [{"holds": one.holds, "words": one.words} for one in self.checks()]
        opinions: list[JsonValue] = [
            {
                "time": one.time,
                "goal": one.facts.goal,
                "run_id": one.facts.goal_run,
                "person": one.facts.person,
                "verdict": one.facts.verdict,
                "words": self.words.get((one.facts.goal_run, one.facts.person)),
            }
            for one in self.opinions
        ]
        broken: list[JsonValue] = [*self.broken]
        return {
            "environment": self.environment,
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "phase": self.phase.value,
            "next_phase": self.next_phase.value if self.next_phase else None,
            "since": seen.begin.isoformat() if seen.begin else None,
            "ready": self.ready,
            "recommendation": self.recommendation,
            "checks": checks,
            "audit_log": {"whole": not self.broken, "problems": broken, "events": seen.events},
            "goals": _goals(self.ends),
            "approvals": _approvals(self.ends),
            "steps": _pairs(seen.done, "effect", "action"),
            "failed": _pairs(seen.failed, "action", "error"),
            "refused": _pairs(seen.refused, "reason", "action"),
            "ways": dict(seen.ways),
            "doubtful": seen.doubtful,
            "parked": seen.parked,
            "open_steps": seen.open_steps,
            "dollars_a_month": seen.dollars,
            "opinions": opinions,
        }


def _goals(ends: Ends | None) -> JsonValue:
    if ends is None:
        return None
    outcomes: dict[str, JsonValue] = {**ends.goals}
    return {
        "ended": ends.ended,
        "wrong": ends.wrong,
        "outcomes": outcomes,
        "by_goal": _pairs(ends.by_goal, "goal", "outcome"),
        "parked_now": ends.parked_now,
    }


def _approvals(ends: Ends | None) -> JsonValue:
    if ends is None:
        return None
    outcomes: dict[str, JsonValue] = {**ends.approvals}
    return {
        "asked": ends.asked,
        "decided": ends.decided,
        "median_seconds": ends.median_seconds,
        "overruled": sum(ends.approvals[one] for one in OVERRULED),
        "outcomes": outcomes,
    }


def _pairs(counts: Mapping[tuple[str, str], int], first: str, second: str) -> list[JsonValue]:
    return [{first: one, second: other, "count": count} for (one, other), count in sorted(counts.items())]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
