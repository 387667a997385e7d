"""The manifest that the branch has which a feature goes into: by what the feature's differs, and what it asks. Pure.

Whoever can push a branch can write its manifest. So what the base's own `policy` asks holds for the feature as well,
whatever the feature takes out of it: the stricter of both.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hitl.approval.stricter import Stricter
from hitl.policy.tightening import Tightening
from workflows.manifest.manifest import FILE_NAME
from workflows.manifest.reading import ManifestError, read_manifest

_SHOWN: Final = 10


class Irreconcilable(Exception):
    """No environment, or no plan, does what both ask; this sentence says so."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """What the base has.

    Attributes:
        branch: Its name, for people.
        text: The manifest's text; None where there is none, or none that is text.
        blob: Of the manifest, by git; None where there is none.
        tightening: What it asks of the policy.
        mistakes: How many things are wrong with it, so that nobody knows what it asks.
    """

    branch: str
    text: str | None = None
    blob: str | None = None
    tightening: Stricter | None = None
    mistakes: int = 0


def base_of(branch: str, text: str, blob: str) -> Base:
    """A base with this manifest."""
    try:
        read = read_manifest(text.encode(), name=f"{FILE_NAME} of {branch}")
    except ManifestError as error:
        return Base(branch=branch, text=text, blob=blob, mistakes=len(error.mistakes))
    return Base(branch=branch, text=text, blob=blob, tightening=read.tightening())


def difference_lines(base: Base, text: str) -> Iterator[str]:
    """What the plan says of the two; nothing where they are the same.

    Args:
        base: The base's.
        text: The feature's.
    """
    if base.text is None:
        yield f"Manifest: {base.branch} has none"
        return
    if base.mistakes:
        yield f"Manifest: that of {base.branch} has {base.mistakes} mistakes, so nobody knows what its `policy` asks"
    found = difflib.unified_diff(base.text.splitlines(), text.splitlines(), n=0, lineterm="")
    lines = [one for one in list(found)[2:] if not one.startswith("@@")]
    if not lines:
        return
    counted = "1 line differs" if len(lines) == 1 else f"{len(lines)} lines differ"
    yield f"Manifest: {counted} from {base.branch}"
    yield from (f"{one[0]} {one[1:]}" for one in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN} lines more of the manifest"


def stricter_of_both(feature: Stricter | None, base: Stricter | None) -> Stricter | None:
    """What holds for the feature: what either asks.

    Raises:
        Irreconcilable: No plan can do both.
    """
    if feature is None or base is None or feature.asked == base.asked:
        return feature or base
    one, other = Tightening.model_validate(feature.asked), Tightening.model_validate(base.asked)
    asked: dict[str, Any] = {"environments": _in_both(one.environments, other.environments)}
    phases = [phase for phase in (one.phase, other.phase) if phase is not None]
    asked["phase"] = min(phases, key=lambda phase: phase.level) if phases else None
    asked["actions"] = _each(one.actions, other.actions)
    asked["approvals"] = _each(one.approvals, other.approvals)
    asked["budget"] = _lower(one, other)
    try:
        both = Tightening.model_validate(asked)
    except ValueError as error:
        raise Irreconcilable(f"{FILE_NAME} and that of the base ask more of the policy than a plan can say") from error
    told = both.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return Stricter(source=f"{feature.source} and that of the base", asked=told, lines=feature.lines)


def _in_both(one: list[str] | None, other: list[str] | None) -> list[str] | None:
    if one is None or other is None:
        return one or other
    found = [name for name in one if name in other]
    if not found:
        raise Irreconcilable(f"{FILE_NAME} is for {', '.join(one)} alone, and that of the base for {', '.join(other)}")
    return found


def _each(some: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    return [*some, *(one for one in others if one not in some)]


def _lower(one: Tightening, other: Tightening) -> dict[str, int] | None:
    found = dict[str, int]()
    for budget in (one.budget, other.budget):
        for name, dollars in (budget.model_dump(exclude_none=True) if budget else {}).items():
            found[name] = min(found.get(name, dollars), dollars)
    return found or None
