"""What `bench.jobs` prints, and what it keeps."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.jobs_account import (
    ANSWER,
    AVAILABLE,
    COMPLETED,
    MEAN,
    ROLLS_A_DAY,
    Account,
    Answers,
    Flood,
    Rolling,
    Traced,
)
from bench.ratios import Hold, percentile
from bench.report import Measured, where

_MOST_TOLD: Final = 10


class Jobs(Measured):
    """One run.

    Attributes:
        rolling: Restarts in a row.
        flood: Very many deliveries at once.
        jobs: Those of the bad day.
        answers: What GitHub was answered on that day.
        line: How often each thing happened on GitHub's line.
    """

    rolling: Rolling
    flood: Flood
    jobs: Account
    answers: Answers
    line: Mapping[str, int]

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        return self.rolling.held() and self.flood.held() and self.jobs.held()


def show_jobs(report: Jobs, path: Path) -> None:
    """Print it."""
    console = Console(width=None, highlight=False)
    for line in (*told(report), where(report, path)):
        console.print(line, soft_wrap=True, markup=False)


def told(report: Jobs) -> list[str]:
    """What is printed, but for the last line."""
    mishaps = ", ".join(f"{what} {times}" for what, times in report.line.items() if what != "none")
    return [
        *_rolling(report.rolling),
        *_flood(report.flood),
        f"a bad day; on GitHub's line: {mishaps}",
        f"  answered             {_answers(report.answers)}; {report.answers.refused} refused",
        *_account(report.jobs, "asked for"),
    ]


def _rolling(rolled: Rolling) -> Iterable[str]:
    of, taken = rolled.answers, rolled.answers.sent - rolled.answers.refused
    day, answered = _verdict(AVAILABLE, rolled.day), _verdict(ANSWER, of.p95)
    yield f"everything restarted {rolled.rolls} times in {rolled.seconds:.0f} s, a delivery every {rolled.every:g} s"
    yield f"  taken                {taken} of {of.sent} ({rolled.share:.2%}); {rolled.second_tries} by the other one"
    yield f"  of a day             {rolled.day:.4%}, with {ROLLS_A_DAY} such restarts (hold {AVAILABLE}) {day}"
    yield f"  answered             {_answers(of)} (hold: p95 {ANSWER} s) {answered}"


def _flood(flood: Flood) -> Iterable[str]:
    taken = flood.answers.sent - flood.answers.refused
    once = "each is one workflow" if flood.complete else f"{flood.workflows} workflows, {flood.ended} worked off"
    answered, complete = _verdict(ANSWER, flood.answers.p95), "held" if flood.complete else "missed"
    yield f"{flood.answers.sent} deliveries in {flood.seconds:.0f} s"
    yield f"  taken                {taken}; {once} (hold: all) {complete}; {flood.drained:.0f} s until worked off"
    yield f"  answered             {_answers(flood.answers)} (hold: p95 {ANSWER} s) {answered}"
    yield from _account(flood.jobs, "asked for meanwhile")


def _account(account: Account, words: str) -> Iterable[str]:
    of = ", ".join(f"{kind} {count}" for kind, count in Counter(one.asked for one in account.jobs).items())
    ended = _verdict(COMPLETED, account.completed)
    yield f"  {len(account.jobs)} jobs {words}: {of}"
    yield f"  completed            {account.completed:.1%} of {account.started} started (hold {COMPLETED}) {ended}"
    for what, those in (("lost", account.lost), ("doubled", account.doubled)):
        yield f"  {what:<20} {len(those)} (hold 0) {'missed' if those else 'held'}{_those(those)}"
    if account.seconds:
        longest = f"p50 {percentile(account.seconds, 0.5):.1f} s, the longest {max(account.seconds):.0f} s"
        mean = f"{account.mean:.1f} s (hold {MEAN} s) {_verdict(MEAN, account.mean)}"
        yield f"  from comment to end  mean {mean}; {longest}"


def _those(jobs: Sequence[Traced]) -> str:
    lines = [f"\n    {one.asked}: {one.outcome or 'no end'}, {dict(one.effects)} {one.not_shown or ''}" for one in jobs]
    return "".join(lines[:_MOST_TOLD])


def _answers(answers: Answers) -> str:
    return f"p50 {answers.p50 * 1000:.0f} ms, p95 {answers.p95 * 1000:.0f} ms, p99 {answers.p99 * 1000:.0f} ms"


def _verdict(hold: Hold, value: float) -> str:
    return "held" if hold.met(value) else "missed"
