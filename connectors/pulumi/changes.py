"""What becomes of resources, folded from the many events that each of them has in a preview."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from pydantic import Field

from connectors.pulumi.events import Metadata, Part, PropertyDiff, ResourceEvent, Side, Stage
from connectors.pulumi.urn import is_bookkeeping, read_urn
from connectors.pulumi.values import MAX_VALUE, Properties, at_path, shown


class ChangeKind(StrEnum):
    """What becomes of one resource; the worst first, which is the order in which people see them."""

    REPLACE = "replace"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    IMPORT = "import"
    """Something that exists comes under the stack's care; nothing is made."""
    FORGET = "forget"
    """The state loses it, and it stays where it is."""
    OTHER = "other"
    """An operation of a newer CLI; shown by its own name and taken for dangerous."""


_OPS: Final[Mapping[str, ChangeKind | None]] = {
    "same": None,
    "read": None,
    "read-discard": None,
    "refresh": None,
    "create": ChangeKind.CREATE,
    "update": ChangeKind.UPDATE,
    "delete": ChangeKind.DELETE,
    "replace": ChangeKind.REPLACE,
    "create-replacement": ChangeKind.REPLACE,
    "delete-replaced": ChangeKind.REPLACE,
    "read-replacement": ChangeKind.REPLACE,
    "discard-replaced": ChangeKind.REPLACE,
    "remove-pending-replace": None,
    "import": ChangeKind.IMPORT,
    "import-replacement": ChangeKind.REPLACE,
    "discard": ChangeKind.FORGET,
}


class PropertyChange(Part):
    """One property, before and after; secrets are masked on both sides.

    Attributes:
        path: As the provider names it, such as `tags.owner`.
        kind: `add`, `update` or `delete`.
        forces_replacement: Whether this one is why the resource is made anew.
        before: None where there was nothing.
        after: None where nothing is left.
    """

    path: str
    kind: str
    forces_replacement: bool = False
    before: str | None = None
    after: str | None = None


class ResourceChange(Part):
    """What becomes of one resource.

    Attributes:
        op: In Pulumi's own words.
        forced_by: The properties that force its replacement; empty where the provider names none.
        deleted_first: Of a replacement: the old one goes before the new one is there.
        kept_outside: Of a deletion or replacement: the old one is only forgotten, and stays where it is.
        protected: Pulumi refuses to delete it until somebody lifts its protection.
        stateful: What is lost with it, where it holds something; empty where it does not.
        monthly_usd_cents: What it will cost a month; None where no price is known.
        monthly_usd_cents_before: What it costs now.
    """

    urn: str
    type: str
    name: str
    change: ChangeKind
    op: str
    forced_by: tuple[str, ...] = ()
    deleted_first: bool = False
    kept_outside: bool = False
    protected: bool = False
    stateful: str = ""
    monthly_usd_cents: int | None = None
    monthly_usd_cents_before: int | None = None
    properties: tuple[PropertyChange, ...] = Field(default=())

    @property
    def destroys(self) -> bool:
        """Whether something that exists is destroyed."""
        return self.change in {ChangeKind.DELETE, ChangeKind.REPLACE} and not self.kept_outside


def change_of(op: str) -> ChangeKind | None:
    """What an operation does to a resource; None where nothing changes."""
    return _OPS.get(op, ChangeKind.OTHER)


class Step(Part):
    """All that a log says of one resource.

    Attributes:
        ops: Of operations that change something, in order of their beginning.
        last: The most telling of them.
    """

    urn: str
    ops: tuple[str, ...]
    last: Metadata

    @property
    def change(self) -> ChangeKind:
        """What becomes of it, all in all."""
        kinds = [kind for op in self.ops if (kind := change_of(op)) is not None]
        return next(kind for kind in ChangeKind if kind in kinds)


def steps(events: Iterable[ResourceEvent]) -> tuple[Step, ...]:
    """The resources that something happens to, each once, in order of their beginning."""
    ops: dict[str, list[str]] = {}
    last: dict[str, Metadata] = {}
    for event in events:
        about = event.metadata
        if event.stage is not Stage.BEGAN or change_of(about.op) is None or is_bookkeeping(about.type):
            continue
        ops.setdefault(about.urn, []).append(about.op)
        # Only one of a replacement's three operations says what differs.
        if about.urn not in last or (about.diffs and not last[about.urn].diffs) or about.keys:
            last[about.urn] = about
    return tuple(Step(urn=urn, ops=tuple(ops[urn]), last=last[urn]) for urn in ops)


def resource_change(step: Step, *, stateful: str = "") -> ResourceChange:
    """What becomes of one resource, as people see it."""
    about = step.last
    old = about.old or Side()
    replaces = step.change is ChangeKind.REPLACE
    return ResourceChange(
        urn=step.urn,
        type=about.type,
        name=read_urn(step.urn).name,
        change=step.change,
        op=" then ".join(step.ops),
        forced_by=_forced_by(about) if replaces else (),
        deleted_first=replaces and _deleted_first(step.ops),
        kept_outside=old.retain_on_delete,
        protected=old.protect,
        stateful=stateful,
        properties=property_changes(about),
    )


def _forced_by(about: Metadata) -> tuple[str, ...]:
    named = [path for path, diff in (about.detailed or {}).items() if diff.kind.endswith("-replace")]
    return tuple(dict.fromkeys([*(about.keys or ()), *named]))


def _deleted_first(ops: tuple[str, ...]) -> bool:
    made = next((index for index, op in enumerate(ops) if op in {"create-replacement", "import-replacement"}), len(ops))
    return "delete-replaced" in ops[:made]


def property_changes(about: Metadata) -> tuple[PropertyChange, ...]:
    """What differs, by the provider's own word, or by comparison where it has none."""
    old, new = about.old, about.new
    if about.detailed:
        return tuple(_change(path, diff, about) for path, diff in sorted(about.detailed.items()))
    if about.diffs:
        return tuple(_change(path, None, about) for path in about.diffs)
    if old is None or new is None:
        there = (new or old or Side()).inputs
        return tuple(_change(name, None, about) for name in sorted(there) if not name.startswith("__"))
    return ()


def _change(path: str, diff: PropertyDiff | None, about: Metadata) -> PropertyChange:
    before = _found(path, about.old, outputs_first=not (diff and diff.input_diff))
    after = _found(path, about.new, outputs_first=False)
    if diff is not None:
        kind = diff.kind.removesuffix("-replace")
    else:
        kind = "add" if before is None else "delete" if after is None else "update"
    forces = (diff is not None and diff.kind.endswith("-replace")) or path in (about.keys or ())
    return PropertyChange(path=path[:MAX_VALUE], kind=kind, forces_replacement=forces, before=before, after=after)


def _found(path: str, side: Side | None, *, outputs_first: bool) -> str | None:
    if side is None:
        return None
    places: tuple[Properties, Properties] = (side.inputs, side.outputs)
    for place in reversed(places) if outputs_first else places:
        if (value := at_path(place, path)) is not None:
            return shown(value)
    return None
