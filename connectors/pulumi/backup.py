"""A kept state of a stack, and what Pulumi would believe otherwise if it were put back.

Nothing outside changes by that. So a plan to put one back says of each resource whether the state would know it again,
forget it, or know it otherwise; what really stands there is looked at by others. What `pulumi stack import` does with
CLI 3.200, found by experiment: it clears pending operations, encrypts the secrets anew, and writes the manifest anew;
all else it takes as it is.

A kept state is a stranger's until it was read here: any artifact may be named as one. It may be about this stack alone,
and its secrets may be kept by a passphrase, or by whoever keeps this stack's now: else it would say whom the CLI calls.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from pydantic import JsonValue

from connectors.pulumi.changes import ChangeKind, PropertyChange, ResourceChange
from connectors.pulumi.events import Part
from connectors.pulumi.identity import canonical_resource, read_deployment, state_identity
from connectors.pulumi.stack_plan import StackPlan
from connectors.pulumi.urn import STACK_TYPE, is_bookkeeping, read_urn
from connectors.pulumi.values import MAX_VALUE, masked, shown

SCHEMAS: Final = (3, 4)
"""The versions of exported states that CLI 3.200 writes and reads."""

PUT_BACK: Final = "put back"
"""The operation, in the place of Pulumi's own words."""

_PENDING: Final = "pending_operations"
_PROVIDERS: Final = "secrets_providers"
_PASSPHRASE: Final = "passphrase"  # noqa: S105 - Pulumi's name of a kind
_APART: Final = frozenset({"resources", "manifest", _PENDING})
_SIDES: Final = ("inputs", "outputs")

_Fields = Mapping[str, JsonValue]


class BackupRefused(ValueError):
    """A kept state cannot be put back. The message says why, and goes on after the artifact's name."""


class Restoration(Part):
    """What putting one state in the place of another comes to.

    Attributes:
        present: The identity of the state that is there.
        restored: The identity of the state that is there afterwards.
        plan: What Pulumi would believe otherwise; empty where both are one.
        dropped: How many pending operations of the kept state do not come back.
    """

    present: str
    restored: str
    plan: StackPlan
    dropped: int = 0


def restoration(present: bytes, kept: bytes, *, project: str, stack: str, commit: str) -> Restoration:
    """What it comes to, to put a kept state in the place of the present one.

    Args:
        present: What `pulumi stack export` prints now.
        kept: What it printed once.
        project: Whose states both have to be.
        stack: The same.
        commit: From which the project was read.

    Raises:
        BackupRefused: The kept one is no state of this stack that this release can put back.
        ValueError: The present one is no exported state.
    """
    now = read_deployment(present)
    then = _read_kept(kept, project=project, stack=stack)
    _require_same_keeper(now, then)
    try:
        restored = _identity(then)
    except RecursionError as error:
        raise BackupRefused("it is nested deeper than any state of Pulumi's") from error
    before, after = _resources(now), _resources(then)
    changes = _changes(before, after, _of_the_stack(now, then), name=f"{project}-{stack}", ends=(project, stack))
    return Restoration(
        present=state_identity(present),
        restored=restored,
        dropped=len(cast("list[object]", then.get(_PENDING) or [])),
        plan=StackPlan(
            project=project,
            stack=stack,
            commit=commit,
            changes=tuple(sorted(changes, key=lambda one: (_ORDER.index(one.change), one.urn))),
            unchanged=sum(_same(urn, before, after) for urn in before),
            outputs=tuple(_differing(_outputs(before), _outputs(after))),
        ),
    )


_ORDER: Final = (ChangeKind.FORGET, ChangeKind.UPDATE, ChangeKind.IMPORT)
"""What is forgotten comes first: the next update may make it a second time."""


def _read_kept(kept: bytes, *, project: str, stack: str) -> dict[str, object]:
    try:
        deployment = read_deployment(kept)
        version = cast("dict[str, object]", json.loads(kept)).get("version")
    except ValueError as error:
        raise BackupRefused(str(error)) from error
    if version not in SCHEMAS:
        known = " and ".join(map(str, SCHEMAS))
        raise BackupRefused(f"its schema has version {version!r}, and this release knows {known}")
    pending = [_fields(one).get("resource") for one in cast("list[object]", deployment.get(_PENDING) or [])]
    for resource in (*cast("list[object]", deployment.get("resources") or []), *pending):
        _require_of_stack(_fields(resource), project=project, stack=stack)
    return deployment


def _fields(value: object) -> _Fields:
    if not isinstance(value, dict):
        raise BackupRefused("one of its resources is none")
    return cast("_Fields", value)


def _require_of_stack(resource: _Fields, *, project: str, stack: str) -> None:
    try:
        urn = read_urn(str(resource.get("urn")))
    except ValueError as error:
        raise BackupRefused(f"one of its resources has no name: {error}") from error
    if (urn.project, urn.stack) != (project, stack):
        raise BackupRefused(f"it is a state of {f'{urn.project}/{urn.stack}'!r}, and not of {f'{project}/{stack}'!r}")
    if not isinstance(resource.get("type"), str):
        raise BackupRefused(f"its resource {urn.name!r} has no type")


def _require_same_keeper(now: Mapping[str, object], then: Mapping[str, object]) -> None:
    keeper = then.get(_PROVIDERS)
    if keeper is None or keeper == now.get(_PROVIDERS):
        return
    if _keeper(keeper) != _PASSPHRASE:
        raise BackupRefused(
            f"its secrets are kept by {_keeper(keeper)!r}, which is not who keeps the stack's now: put back a state "
            "from after that was changed"
        )


def _keeper(provider: object) -> str:
    return str(cast("dict[str, object]", provider).get("type"))[:100] if isinstance(provider, dict) else "nobody"


def _identity(deployment: Mapping[str, object]) -> str:
    kept = {name: value for name, value in deployment.items() if name != _PENDING}
    return state_identity(json.dumps({"deployment": kept}).encode())


_ByUrn = dict[str, list[str]]


def _resources(deployment: Mapping[str, object]) -> _ByUrn:
    """By URN: the old ones of unfinished replacements have the same as the new ones, and come first here."""
    found: _ByUrn = {}
    resources = cast("list[_Fields]", deployment.get("resources") or [])
    for one in sorted(resources, key=lambda one: (not one.get("delete"), canonical_resource(one))):
        found.setdefault(str(one.get("urn")), []).append(canonical_resource(one))
    return found


def _same(urn: str, before: _ByUrn, after: _ByUrn) -> bool:
    return before[urn] == after.get(urn) and not is_bookkeeping(read_urn(urn).type)


def _changes(
    before: _ByUrn, after: _ByUrn, of_the_stack: tuple[PropertyChange, ...], *, name: str, ends: tuple[str, str]
) -> Iterator[ResourceChange]:
    project, stack = ends
    itself = f"urn:pulumi:{stack}::{project}::{STACK_TYPE}::{name}"
    urns = {*before, *after} | ({itself} if of_the_stack else set[str]())
    for urn in sorted(urns):
        olds, news = before.get(urn, []), after.get(urn, [])
        more = of_the_stack if urn == itself else ()
        if olds == news and not more:
            continue
        read = read_urn(urn)
        kind = ChangeKind.UPDATE if bool(olds) == bool(news) else ChangeKind.IMPORT if news else ChangeKind.FORGET
        properties = (*_of_resource(olds, news, is_stack=read.type == STACK_TYPE), *more)
        yield ResourceChange(urn=urn, type=read.type, name=read.name, change=kind, op=PUT_BACK, properties=properties)


def _of_resource(olds: list[str], news: list[str], *, is_stack: bool) -> tuple[PropertyChange, ...]:
    old, new = _newest(olds), _newest(news)
    if not old or not new:
        return tuple(_differing({"id": old.get("id")}, {"id": new.get("id")}))
    found = [
        change
        for field in sorted({*old, *new})
        if not (is_stack and field == "outputs")
        for change in _of_field(field, old.get(field), new.get(field))
    ]
    if olds[:-1] != news[:-1]:
        left = (str(len(olds) - 1), str(len(news) - 1))
        found.append(PropertyChange(path="old ones left to delete", kind="update", before=left[0], after=left[1]))
    return tuple(found)


def _newest(texts: list[str]) -> _Fields:
    return cast("_Fields", json.loads(texts[-1])) if texts else {}


def _of_field(field: str, old: JsonValue, new: JsonValue) -> Iterator[PropertyChange]:
    """A resource's own field, or each of its properties. A secret that is another shows by `modified` alone."""
    if field in _SIDES and isinstance(old or {}, dict) and isinstance(new or {}, dict):
        yield from _differing(cast("_Fields", old or {}), cast("_Fields", new or {}), below=f"{field}.")
    else:
        yield from _differing({field: old}, {field: new})


def _differing(old: _Fields, new: _Fields, *, below: str = "") -> Iterator[PropertyChange]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        yield PropertyChange(
            path=f"{below}{name}"[:MAX_VALUE],
            kind="add" if before is None else "delete" if after is None else "update",
            before=None if before is None else shown(masked(before, name=name)),
            after=None if after is None else shown(masked(after, name=name)),
        )


def _outputs(resources: _ByUrn) -> _Fields:
    for urn, texts in resources.items():
        if read_urn(urn).type == STACK_TYPE:
            return cast("_Fields", _newest(texts).get("outputs") or {})
    return {}


def _of_the_stack(now: Mapping[str, object], then: Mapping[str, object]) -> tuple[PropertyChange, ...]:
    """What a state says besides its resources."""
    canonical = [
        cast(
            "_Fields",
            json.loads(canonical_resource({name: value for name, value in one.items() if name not in _APART})),
        )
        for one in (now, then)
    ]
    found = [
        # Its content is nobody's business: the name and that it is another one.
        PropertyChange(path=name, kind="update", before="one", after="another")
        for name in sorted({*canonical[0], *canonical[1]})
        if canonical[0].get(name) != canonical[1].get(name)
    ]
    if waiting := len(cast("list[object]", now.get(_PENDING) or [])):
        found.append(PropertyChange(path="pending operations", kind="delete", before=str(waiting)))
    return tuple(found)
