"""Past decisions out of audit files or of an export, for `banksman policy replay`."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from activities.approvals.giving_up_contracts import GIVE_UP_STEPS
from activities.guard.audit import GENESIS, AuditRecord, Head, parse_record
from activities.guard.audit_export import ExportError, read_export
from activities.guard.audit_verify import Walk, verify
from hitl.approval.decision import Verdict
from hitl.hidden import visible
from hitl.policy.replay import Otherwise, Past, Replayed
from hitl.protocol import Effect
from workers.commands.exits import Exit, fail

_AGO: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def since(text: str, *, now: datetime) -> datetime:
    """A moment: `7d`, `12h`, `30m` ago, or a day or time in UTC.

    Raises:
        ValueError: It is neither.
    """
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def records(where: Path) -> tuple[list[AuditRecord], bool]:
    """All events, and whether their chains are whole.

    Raises:
        typer.Exit: There are none.
    """
    if where.is_file():
        try:
            export = read_export(where)
        except ExportError as error:
            fail(str(error), Exit.USAGE)
        return list(export.records()), all(map(_is_whole, export.chains.values()))
    files = sorted(where.glob("*.jsonl"))
    if not files:
        fail(f"there are no audit files in {where}")
    found = [
        one for file in files for line in file.read_bytes().split(b"\n") if (one := parse_record(line)) is not None
    ]
    return sorted(found, key=lambda one: one.time), all(verify(file).ok for file in files)


def _is_whole(lines: Sequence[bytes]) -> bool:
    """Whether a chain of an export follows itself, from wherever it begins; its signatures are not looked at."""
    first = next((one for line in lines if (one := parse_record(line)) is not None), None)
    walk = Walk(Head(seq=first.seq - 1, hash=first.prev) if first else Head(seq=0, hash=GENESIS), None)
    for number, line in enumerate(lines, start=1):
        walk.take(number, line + b"\n")
    return walk.finish().ok


def decisions(events: Iterable[AuditRecord], *, begin: datetime | None) -> Iterator[Past]:
    """What the guard decided, from then on."""
    for one in events:
        late = begin is None or datetime.fromisoformat(one.time) >= begin
        # Giving up needs no rule, and a step that declares no effect is refused whatever the policy is.
        if late and one.event in {"allowed", "denied"} and one.effect is not None and one.action != GIVE_UP_STEPS.name:
            yield _past(one, one.effect)


def _past(one: AuditRecord, effect: Effect) -> Past:
    facts = one.approval
    return Past(
        time=one.time,
        goal=(one.workflow_type or "no workflow", one.workflow_id or "", one.run_id or ""),
        step=one.activity_id or "",
        action=one.action,
        effect=effect,
        environment=one.environment,
        context=one.context,
        reason=one.reason if one.event == "denied" else None,
        rule=one.rule,
        approvers=tuple(each.person for each in facts.decisions if each.verdict == Verdict.APPROVE) if facts else None,
        requester=facts.requester if facts else None,
    )


def lines(found: Replayed, *, source: str) -> Iterator[str]:
    """In words."""
    yield (
        f"{_counted(found.judged, 'decision')} of {_counted(found.goals, 'goal')} under {source}: "
        f"{_counted(len(found.otherwise), 'goal')} would have gone another way"
    )
    for one in found.otherwise:
        yield from _told(one)
    if found.left_out:
        yield f"{_counted(found.left_out, 'decision')} no deployment's policy had made, so none is judged"


def _told(one: Otherwise) -> Iterator[str]:
    kind, goal, run = one.past.goal
    yield visible(f"✗ {kind} {goal}, run {run}")
    yield visible(f"    step {one.number} of {one.of}, {one.past.action} at {one.past.time[:19]}")
    was = f"denied ({one.past.reason})" if one.past.reason is not None else "allowed"
    by = f" by {one.past.rule}" if one.past.rule else ""
    approved = f", approved by {', '.join(one.past.approvers)}" if one.past.approvers else ""
    yield visible(f"    was {was}{by}{approved}")
    yield visible(f"    would be {one.now}")
    if one.later:
        yield f"    and {_counted(one.later, 'later step')} of it too"


def as_json(found: Replayed) -> str:
    """For scripts."""
    each: list[JsonValue] = [
        {
            "workflow_type": one.past.goal[0],
            "workflow_id": one.past.goal[1],
            "run_id": one.past.goal[2],
            "step": one.number,
            "of": one.of,
            "action": one.past.action,
            "time": one.past.time,
            "was": "allowed" if one.past.reason is None else one.past.reason.value,
            "now": one.now,
            "later": one.later,
        }
        for one in found.otherwise
    ]
    told: dict[str, JsonValue] = {"judged": found.judged, "goals": found.goals, "left_out": found.left_out}
    return json.dumps(told | {"otherwise": each}, indent=2)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
