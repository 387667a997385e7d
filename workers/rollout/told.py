"""The report as Markdown, as a platform lead would forward it: the answer first, then what it rests on.

Other people's words stand in it as quotations in which nothing is markup; ids stand as code.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from hitl.hidden import unhidden, visible
from hitl.protocol import Effect
from workers.rollout.ends import OVERRULED, Ends
from workers.rollout.evidence import SaidOpinion
from workers.rollout.report import Report

MOST_OPINIONS: Final = 20
"""So many are told, the newest first; the others are counted."""
_MOST_ROWS: Final = 12
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#|~&@$^]|:(?=\S)|(?<=[Ww]{3})\.)")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.: -]*")
_NOTHING: Final = "Nothing was done in this time: there is no evidence for any step."


def markdown(report: Report) -> str:
    """All of it, with a line break at its end."""
    return "\n".join(_lines(report)) + "\n"


def quoted(text: str) -> str:
    """Somebody's words as one line of Markdown in which nothing is markup, a link, a mention or HTML."""
    return _MARKUP.sub(r"\\\1", unhidden(" ".join(text.split())))


def name(text: str) -> str:
    """A name as it is, where it is one of ours; anything else as code."""
    return text if _NAME.fullmatch(text) else code(text)


def code(text: str) -> str:
    """A name of anybody's as code."""
    return f"`{visible(text).replace('`', 'ˋ')}`"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Roll-out of {report.environment}: {report.phase}"
    yield ""
    if report.broken:
        yield "**The audit log is not whole, so nothing below is proof.** `banksman audit verify` tells more:"
        yield ""
        yield from (f"- {quoted(one)}" for one in report.broken)
        yield ""
    yield f"**{report.recommendation}**"
    yield ""
    yield _of_when(report)
    yield ""
    if report.evidence.events == 0 and (report.ends is None or not report.ends.ended):
        yield _NOTHING
        return
    for part in (_goals, _approvals, _effects, _refusals, _trouble, _feedback):
        yield from part(report)


def _of_when(report: Report) -> str:
    seen = report.evidence
    since = f"since {seen.begin:%Y-%m-%d %H:%M} UTC" if seen.begin else "for as long as the audit log goes back"
    kept = report.ends.kept_days if report.ends else None
    short = f" Temporal keeps what has ended for {kept:.0f} days; older goals are not counted." if kept else ""
    made = f"{report.made_at:%Y-%m-%d %H:%M} UTC"
    return f"Made at {made}, from {_counted(seen.events, 'event')} of the audit log {since}.{short}"


def _goals(report: Report) -> Iterator[str]:
    yield "## Goals"
    yield ""
    ends = report.ends
    if ends is None:
        yield "Not known: Temporal was not asked."
    elif not ends.ended:
        yield "None ended."
    else:
        yield f"{_counted(ends.ended, 'goal')} ended: {_listed(ends.goals)}. {ends.wrong} of them ended wrong."
        yield from _by_goal(ends)
    yield ""


def _by_goal(ends: Ends) -> Iterator[str]:
    """The goals that ended most often."""
    totals = Counter[str]()
    for (goal, _), count in ends.by_goal.items():
        totals[goal] += count
    yield ""
    for goal, _ in totals.most_common(_MOST_ROWS):
        outcomes = Counter({outcome: count for (one, outcome), count in ends.by_goal.items() if one == goal})
        yield f"- {goal}: {_listed(outcomes)}"
    if len(totals) > _MOST_ROWS:
        yield f"- and {len(totals) - _MOST_ROWS} other goals"


def _approvals(report: Report) -> Iterator[str]:
    yield "## Approvals"
    yield ""
    ends = report.ends
    if ends is None:
        yield "Not known: Temporal was not asked."
    elif not ends.asked:
        yield "Nobody was asked."
    else:
        overruled = sum(ends.approvals[one] for one in OVERRULED)
        took = f"; half of them within {_took(ends.median_seconds)}" if ends.median_seconds is not None else ""
        yield f"{ends.asked} asked, {ends.decided} decided{took}. {overruled} overruled: {_overruled(ends)}."
        yield f"{ends.approvals['expired']} expired, {ends.approvals['waiting']} wait."
    yield ""


def _overruled(ends: Ends) -> str:
    return ", ".join(f"{ends.approvals[one]} {one.replace('_', ' ')}" for one in OVERRULED)


def _effects(report: Report) -> Iterator[str]:
    yield "## What it did"
    yield ""
    done = report.evidence.done
    if not done:
        yield "No step was carried out."
    for effect in Effect:
        steps = Counter({action: count for (kind, action), count in done.items() if kind == effect})
        if steps:
            yield f"- {effect}: {_counted(steps.total(), 'step')} ({_most(steps)})"
    if report.evidence.dollars:
        yield f"- cost: ${report.evidence.dollars:,} in a month at most, by what these steps said"
    yield ""


def _refusals(report: Report) -> Iterator[str]:
    yield "## What it was refused"
    yield ""
    refused = report.evidence.refused
    if not refused:
        yield "Nothing."
    reasons = Counter[str]()
    for (reason, _), count in refused.items():
        reasons[reason] += count
    for reason, count in reasons.most_common():
        steps = Counter({action: times for (why, action), times in refused.items() if why == reason})
        yield f"- {name(reason)}: {count} ({_most(steps)})"
    yield ""


def _trouble(report: Report) -> Iterator[str]:
    yield "## What went wrong"
    yield ""
    seen, ends = report.evidence, report.ends
    told = {
        "destructive steps in doubt": seen.doubtful,
        "destructive steps refused by the provider's own tool": seen.ways["refused"],
        "goals undone, as people approved it": ends.goals["undone"] if ends else 0,
        "times that a goal parked": seen.parked,
        "goals parked now": ends.parked_now if ends else 0,
        "steps of which no end is written: under way, or killed": seen.open_steps,
    }
    lines = [f"- {count} {what}" for what, count in told.items() if count]
    failed = Counter[str]()
    for (action, error), count in seen.failed.items():
        failed[f"{action} {error}"] += count
    if failed:
        lines.append(f"- {_counted(failed.total(), 'attempt')} failed ({_most(failed)})")
    yield from lines or ["Nothing."]
    yield ""


def _feedback(report: Report) -> Iterator[str]:
    yield "## What people said"
    yield ""
    said = report.opinions
    if not said:
        yield 'Nobody said anything yet: `banksman feedback GOAL --useful` or `--wrong "…"`, or the buttons in Slack.'
        return
    verdicts = Counter(one.facts.verdict for one in said)
    yield f"{_counted(len(said), 'opinion')} on {_counted(report.heard_of, 'goal')}: {_listed(verdicts)}."
    yield ""
    for one in said[:MOST_OPINIONS]:
        yield f"- {_opinion(report, one)}"
    if len(said) > MOST_OPINIONS:
        yield f"- and {len(said) - MOST_OPINIONS} older ones"


def _opinion(report: Report, one: SaidOpinion) -> str:
    words = report.words.get((one.facts.goal_run, one.facts.person))
    because = (
        f": “{quoted(words)}”"
        if words
        else ""
        if words == ""
        else " (the words are not kept any more, or are not those)"
    )
    return f"{one.time[:10]} {quoted(one.facts.person)}, {one.facts.verdict}, on {code(one.facts.goal)}{because}"


def _most(counts: Counter[str]) -> str:
    told = [f"{name(one)} {count}" for one, count in counts.most_common(_MOST_ROWS)]
    more = len(counts) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name(one.replace('_', ' '))}" for one, count in counts.most_common())


def _took(seconds: float) -> str:
    minutes = int(timedelta(seconds=seconds).total_seconds()) // 60
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else "a minute"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
