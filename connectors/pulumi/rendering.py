"""A stack's plan in words, for a message: first what destroys. The console shows the whole (`hitl/console/stacks`).

Every line is made of a stranger's words too (names, values): what hides or turns text around is shown as its number.
"""

from collections.abc import Iterator
from typing import Final

from connectors.pulumi.backup import Restoration
from connectors.pulumi.changes import ChangeKind, PropertyChange, ResourceChange
from connectors.pulumi.drift import DriftItem, DriftKind, DriftReport
from connectors.pulumi.prices import CostChange
from connectors.pulumi.stack_plan import StackPlan
from connectors.pulumi.values import gist, shown
from hitl.hidden import visible

MAX_LINE: Final = 500
MAX_LINES: Final = 50
"""What a plan for approval takes (`hitl/approval/plan.py`)."""

_SIGNS: Final = {
    ChangeKind.REPLACE: "+-",
    ChangeKind.DELETE: "-",
    ChangeKind.UPDATE: "~",
    ChangeKind.CREATE: "+",
    ChangeKind.IMPORT: "=",
    ChangeKind.FORGET: "?",
    ChangeKind.OTHER: "!",
}
_SHORT_VALUE: Final = 60
_SHORT_PROPERTIES: Final = 4


def short_lines(plan: StackPlan, *, most: int = 30) -> tuple[str, ...]:
    """The plan in so many lines at most, each of `MAX_LINE` characters at most; what does not fit is counted."""
    head = [headline(plan), *_about(plan)]
    room = max(most - len(head), 2)
    body = [_short(one) for one in plan.changes]
    body += [f"~ stack output {_short_property(one)}" for one in plan.outputs]
    body += [f"drift {_drift_line(one)}" for one in (plan.drift.items if plan.drift else ())]
    body += [f"policy {one.policy} ({one.level}): {gist(one.message)}" for one in plan.findings]
    if len(body) > room:
        body = [*body[: room - 1], f"and {len(body) - room + 1} more lines in the whole plan"]
    return tuple(map(_line, [*head, *body]))


def restoring_lines(found: Restoration, backup: str) -> tuple[str, ...]:
    """What people must know before they read the plan of a restoring.

    Args:
        found: What it comes to.
        backup: The artifact that is put back.
    """
    name = f"{found.plan.project}/{found.plan.stack}"
    lines = [
        f"Put the kept state {backup} back in the place of what Pulumi believes of {name}",
        "Nothing outside is made, changed or deleted by this, only what Pulumi believes",
        "'import' means here that Pulumi knows of it again, 'forget' that it does so no more, 'update' otherwise",
        "What is forgotten stays where it is, and the next update makes it once more if the program has it",
        "Afterwards: DetectDrift tells what stands otherwise, and PreviewAndUp plans from what Pulumi believes then",
    ]
    if found.dropped:
        lines.append(
            f"{found.dropped} operations that the kept state calls pending do not come back: Pulumi drops them"
        )
    return tuple(map(_line, lines))


def headline(plan: StackPlan) -> str:
    """What it comes to, in one line."""
    counted = [f"{count} to {kind.value}" for kind, count in plan.counts.items()]
    counted += [f"{len(plan.outputs)} stack outputs to change"] if plan.outputs else []
    what = ", ".join(counted) or "nothing to do"
    return f"{plan.project}/{plan.stack} at {plan.commit[:12]}: {what}; {plan.unchanged} unchanged"


def cost_line(cost: CostChange) -> str:
    """What it costs, and what is not known about that."""
    told = f"Costs {_usd(cost.adds_usd_cents)} a month more" if cost.adds_usd_cents else "Costs nothing more"
    if cost.saves_usd_cents:
        told += f" and {_usd(cost.saves_usd_cents)} a month less"
    if cost.unknown:
        told += f"; no price known for {len(cost.unknown)}: {', '.join(cost.unknown[:5])}"
    return told


def drift_lines(report: DriftReport) -> Iterator[str]:
    """The whole difference."""
    for item in report.items:
        yield f"drift {_drift_line(item)}"
        yield from (f"    {_arrow(one.path, one.before, one.after)}" for one in item.properties)
    for quiet in report.quiet:
        yield f"known until {quiet.until}: {_drift_line(quiet.item)} ({quiet.reason})"
    for entry in report.expired:
        yield f"no longer quiet since {entry.until}: {entry.urn} {', '.join(entry.properties)} ({entry.reason})"
    yield from (f"drift is not known for all: {one}" for one in report.problems)


def short_drift_lines(report: DriftReport, *, most: int = MAX_LINES) -> tuple[str, ...]:
    """The same in so many lines at most, each of `MAX_LINE` characters at most; what does not fit is counted."""
    lines = list(drift_lines(report))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"and {len(lines) - most + 1} more lines in the whole report"]
    return tuple(map(_line, lines))


def _about(plan: StackPlan) -> Iterator[str]:
    """What is said before any single change."""
    lost = [one for one in plan.changes if one.destroys and one.stateful]
    if lost:
        yield f"LOSES DATA: {', '.join(f'{one.name} ({one.stateful})' for one in lost)}"
    if plan.overwrites:
        yield f"Overwrites what was changed by hand: {', '.join(plan.overwrites)}"
    if plan.drift is None:
        yield "Drift was not looked for"
    elif not plan.drift.complete:
        yield f"Drift is not known for all: {plan.drift.problems[0]}"
    if plan.policy_packs:
        packs = ", ".join(f"{name} {version}".strip() for name, version in sorted(plan.policy_packs.items()))
        yield f"Policy packs: {packs}; {len(plan.findings)} warnings"
    if plan.changes:
        yield cost_line(plan.cost)


def _short(change: ResourceChange) -> str:
    shown_properties = [_short_property(one) for one in change.properties[:_SHORT_PROPERTIES]]
    if more := len(change.properties) - len(shown_properties):
        shown_properties.append(f"{more} more")
    listed = f": {', '.join(shown_properties)}" if shown_properties and change.change is not ChangeKind.DELETE else ""
    return f"{_title(change)}{listed}"


def _title(change: ResourceChange) -> str:
    marks = [f"loses {change.stateful}"] if change.stateful and change.destroys else []
    marks += ["holds state"] if change.stateful and not change.destroys else []
    marks += [_why_replaced(change)] if change.change is ChangeKind.REPLACE else []
    marks += ["the program no longer has it"] if change.change is ChangeKind.DELETE else []
    marks += ["the old one is deleted first"] if change.deleted_first else []
    marks += ["the old one stays where it is, and is forgotten"] if change.kept_outside else []
    marks += ["protected: Pulumi will refuse"] if change.protected and change.destroys else []
    marks += [f"Pulumi calls it {change.op!r}"] if change.change is ChangeKind.OTHER else []
    told = f" ({'; '.join(marks)})" if marks else ""
    return f"{_SIGNS[change.change]} {change.change.value} {change.type} {change.name}{told}"


def _why_replaced(change: ResourceChange) -> str:
    if change.forced_by:
        return f"replaced because of {', '.join(change.forced_by)}"
    return "replaced, and the provider does not say why"


def _short_property(one: PropertyChange) -> str:
    before, after = (
        shown(value, most=_SHORT_VALUE) if value is not None else None for value in (one.before, one.after)
    )
    return _arrow(one.path, before, after)


def _arrow(path: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{path} = {after}"
    if after is None:
        return f"{path} was {before}"
    changed = " (another value)" if before == after else ""
    return f"{path} {before} → {after}{changed}"


def _drift_line(item: DriftItem) -> str:
    if item.kind is DriftKind.DELETED:
        return f"{item.type} {item.name}: is gone"
    by = "" if item.seen_by == "provider" else " (the provider calls it unchanged)"
    return f"{item.type} {item.name}: {', '.join(map(_short_property, item.properties[:_SHORT_PROPERTIES]))}{by}"


def _usd(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} USD"


def _line(text: str) -> str:
    seen = visible(text)
    return seen if len(seen) <= MAX_LINE else f"{seen[: MAX_LINE - 1]}…"
