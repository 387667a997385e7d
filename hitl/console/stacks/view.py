"""A stack's plan as the page shows it: every word made visible, and every list with an end.

Names and values are a stranger's. What hides in them, or turns the text around, is written as its number before a
template sees it; the template escapes markup. What is left out is counted, and always to be had: a change that is cut
has a page of its own, and the whole can be taken as it is.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from connectors.pulumi.backup import PUT_BACK
from connectors.pulumi.changes import ChangeKind, PropertyChange, ResourceChange
from connectors.pulumi.drift import DriftItem, DriftKind, SeenBy
from connectors.pulumi.rendering import cost_line
from connectors.pulumi.stack_plan import StackPlan
from hitl.console.stacks.plans import FoundStackPlan
from hitl.console.stacks.shown import Changed, Drifted, Finding, Property, Some, StackShown, Value
from hitl.hidden import unhidden, visible

PER_PART: Final = 50
"""Changes on one page."""
_PROPERTIES: Final = 20
_PROPERTIES_ALONE: Final = 500
_VALUE: Final = 400
_VALUE_ALONE: Final = 20_000
_NAME: Final = 300
_NAMES: Final = 20
_OUTPUTS: Final = 50
_DRIFTED: Final = 50
_FINDINGS: Final = 50
_OPEN: Final = 12
_BELIEVED: Final = {
    ChangeKind.IMPORT: "Pulumi knows of it again; whether it exists was not looked at.",
    ChangeKind.FORGET: "Pulumi knows of it no more, and it stays where it is.",
    ChangeKind.UPDATE: "Pulumi knows it otherwise; what stands outside is not touched.",
}
"""Of a kept state that is put back."""


def shown_part(found: FoundStackPlan, part: int) -> StackShown | None:
    """One page of it; None where it has no such page."""
    plan = found.plan
    if plan is None:
        return StackShown(digest=found.digest, problem=unhidden(found.problem))
    parts = max(-(-len(plan.changes) // PER_PART), 1)
    if not 1 <= part <= parts:
        return None
    begin = (part - 1) * PER_PART
    unfolded = len(plan.changes) <= _OPEN
    these = [
        _changed(number, one, destroy=found.destroy, unfolded=unfolded)
        for number, one in enumerate(plan.changes[begin : begin + PER_PART], start=begin)
    ]
    drift = plan.drift
    return StackShown(
        digest=found.digest,
        name=_cut(f"{plan.project}/{plan.stack}"),
        commit=_cut(plan.commit),
        counts=list(plan.counts.items()),
        total=len(plan.changes),
        unchanged=plan.unchanged,
        new=not plan.unchanged and all(one.change is ChangeKind.CREATE for one in plan.changes),
        cost=_cut(cost_line(plan.cost), most=2 * _NAME),
        packs=_some([f"{name} {version}".strip() for name, version in sorted(plan.policy_packs.items())], _NAMES),
        lost=_some([f"{one.name} ({one.stateful})" for one in plan.changes if one.destroys and one.stateful], _NAMES),
        overwrites=_some(plan.overwrites, _NAMES),
        changes=these,
        part=part,
        parts=parts,
        first=begin + 1,
        last=begin + len(these),
        outputs=_properties(plan.outputs, _OUTPUTS),
        drift=_drift(drift.items) if drift else None,
        quiet=len(drift.quiet) if drift else 0,
        drift_problems=_some(drift.problems if drift else (), _NAMES),
        findings=_findings(plan),
    )


def shown_alone(found: FoundStackPlan, number: int) -> Changed | None:
    """One change as whole as a page can be; None where there is none of that number."""
    if found.plan is None or not 0 <= number < len(found.plan.changes):
        return None
    one = found.plan.changes[number]
    return _changed(number, one, destroy=found.destroy, unfolded=True, most=_PROPERTIES_ALONE, longest=_VALUE_ALONE)


def _changed(  # noqa: PLR0913 - how much of it is shown
    number: int,
    one: ResourceChange,
    *,
    destroy: bool,
    unfolded: bool,
    most: int = _PROPERTIES,
    longest: int = _VALUE,
) -> Changed:
    properties = _properties(one.properties, most, longest=longest)
    return Changed(
        number=number,
        kind=one.change,
        name=_cut(one.name),
        type=_cut(one.type),
        urn=_cut(one.urn, most=2 * _NAME),
        warnings=tuple(map(_cut, _warnings(one))),
        why=tuple(map(_cut, _why(one, destroy=destroy))),
        properties=properties,
        cut=bool(properties.more) or any(it.before.cut or it.after.cut for it in properties.items),
        open=unfolded or one.destroys or one.change is ChangeKind.OTHER,
        destroys=one.destroys,
    )


def _warnings(one: ResourceChange) -> Iterator[str]:
    if one.stateful:
        yield f"loses {one.stateful}" if one.destroys else "holds state"
    if one.deleted_first:
        yield "the old one is deleted first"
    if one.protected and one.destroys:
        yield "protected: Pulumi will refuse"
    if one.change is ChangeKind.OTHER:
        yield f"Pulumi calls it {one.op!r}, which this release does not know"


def _why(one: ResourceChange, *, destroy: bool) -> Iterator[str]:
    if one.change is ChangeKind.REPLACE:
        named = ", ".join(one.forced_by)
        yield f"Replaced because of {named}." if named else "Replaced, and the provider does not say why."
    if one.change is ChangeKind.DELETE:
        yield "The stack is destroyed." if destroy else "The program no longer has it."
    if one.kept_outside:
        yield "The old one stays where it is, and is forgotten."
    if one.op == PUT_BACK:
        yield _BELIEVED[one.change]
    elif one.change is ChangeKind.IMPORT:
        yield "It exists already, and comes under the stack's care."
    elif one.change is ChangeKind.FORGET:
        yield "The state loses it, and it stays where it is."
    before, after = one.monthly_usd_cents_before, one.monthly_usd_cents
    if before is not None and after is not None and (before or after):
        yield f"Costs ${before / 100:,.2f} a month now, and ${after / 100:,.2f} then."


def _drift(items: Sequence[DriftItem]) -> Some[Drifted]:
    told = [
        Drifted(
            name=_cut(one.name),
            type=_cut(one.type),
            gone=one.kind is DriftKind.DELETED,
            remark="" if one.seen_by is SeenBy.PROVIDER else "the provider calls it unchanged",
            properties=_properties(one.properties, _PROPERTIES),
        )
        for one in items[:_DRIFTED]
    ]
    return Some(told, len(items) - len(told))


def _findings(plan: StackPlan) -> Some[Finding]:
    told = [
        Finding(
            policy=_cut(one.policy),
            pack=_cut(f"{one.pack} {one.version}".strip()),
            level=_cut(one.level),
            urn=_cut(one.urn, most=2 * _NAME),
            message=_cut(" ".join(one.message.split()), most=_VALUE),
        )
        for one in plan.findings[:_FINDINGS]
    ]
    return Some(told, len(plan.findings) - len(told))


def _properties(all_: Sequence[PropertyChange], most: int, *, longest: int = _VALUE) -> Some[Property]:
    told = [
        Property(
            path=_cut(one.path),
            before=_value(one.before, longest),
            after=_value(one.after, longest),
            forces=one.forces_replacement,
            masked_alike=one.before is not None and one.before == one.after,
        )
        for one in all_[:most]
    ]
    return Some(told, len(all_) - len(told))


def _value(text: str | None, longest: int) -> Value:
    if text is None:
        return Value(there=False)
    return Value(text=visible(text[:longest]), cut=max(len(text) - longest, 0))


def _some(all_: Sequence[str], most: int) -> Some[str]:
    return Some([_cut(one) for one in all_[:most]], max(len(all_) - most, 0))


def _cut(text: str, *, most: int = _NAME) -> str:
    return visible(text if len(text) <= most else f"{text[: most - 1]}…")
