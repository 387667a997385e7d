"""An exported state, and what became of its resources between two of them."""

import json
from collections.abc import Mapping
from typing import Final, cast

from pydantic import Field, JsonValue

from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.events import Part
from connectors.pulumi.identity import canonical_resource, read_deployment, state_identity
from connectors.pulumi.urn import STACK_TYPE, is_bookkeeping
from connectors.pulumi.values import masked, shown

MOST_OUTPUTS: Final = 100
_LONGEST_OUTPUT: Final = 500


class Pending(Part):
    """An operation that began, and of whose end the state knows nothing: it may have happened.

    Attributes:
        operation: `creating`, `updating`, `deleting`, `reading` or `importing`.
    """

    urn: str
    operation: str


class State(Part):
    """A state, as far as it is needed to see what changed.

    Attributes:
        identity: See `identity.py`.
        resources: Of each real resource its canonical text, by URN.
        ids: The providers' names for them.
        condemned: Replaced resources whose old one is still there, to be deleted by the next update.
        outputs: The canonical text of the stack's outputs.
        pending: What an interrupted update left.
    """

    identity: str
    resources: dict[str, str] = Field(default_factory=dict[str, str])
    ids: dict[str, str] = Field(default_factory=dict[str, str])
    condemned: frozenset[str] = frozenset()
    outputs: str = ""
    pending: tuple[Pending, ...] = ()

    def changes_to(self, after: "State") -> dict[str, ChangeKind]:
        """By URN, what happened to resources between this state and a later one."""
        found: dict[str, ChangeKind] = {}
        for urn in sorted({*self.resources, *after.resources}):
            if urn not in self.resources:
                found[urn] = ChangeKind.CREATE
            elif urn not in after.resources:
                found[urn] = ChangeKind.DELETE
            elif self.ids.get(urn) != after.ids.get(urn) or (urn in after.condemned) != (urn in self.condemned):
                found[urn] = ChangeKind.REPLACE
            elif self.resources[urn] != after.resources[urn]:
                found[urn] = self._changed(urn, after)
        return found

    def _changed(self, urn: str, after: "State") -> ChangeKind:
        """A resource made anew under the same id (deleted first) was created later than the one before it."""
        return (
            ChangeKind.REPLACE if _created(self.resources[urn]) != _created(after.resources[urn]) else ChangeKind.UPDATE
        )


def read_state(exported: bytes) -> State:
    """Read what `pulumi stack export` printed.

    Raises:
        ValueError: It is no exported deployment.
    """
    deployment = read_deployment(exported)
    resources, ids, condemned, outputs = dict[str, str](), dict[str, str](), set[str](), ""
    for one in cast("list[Mapping[str, object]]", deployment.get("resources") or []):
        urn, type_ = str(one.get("urn")), str(one.get("type"))
        if type_ == STACK_TYPE:
            outputs = canonical_resource(one.get("outputs") or {})
        if is_bookkeeping(type_):
            continue
        if one.get("delete"):
            condemned.add(urn)
            continue
        resources[urn], ids[urn] = canonical_resource(one), str(one.get("id", ""))
    return State(
        identity=state_identity(exported),
        resources=resources,
        ids=ids,
        condemned=frozenset(condemned),
        outputs=outputs,
        pending=tuple(map(_pending, cast("list[Mapping[str, object]]", deployment.get("pending_operations") or []))),
    )


def shown_outputs(state: State) -> dict[str, str]:
    """The stack's outputs for people: secrets masked, long ones cut, `MOST_OUTPUTS` at most."""
    outputs = cast("dict[str, JsonValue]", json.loads(state.outputs or "{}"))
    listed = sorted(outputs.items())[:MOST_OUTPUTS]
    return {name[:200]: shown(masked(value, name=name), most=_LONGEST_OUTPUT) for name, value in listed}


def _pending(operation: Mapping[str, object]) -> Pending:
    resource = cast("Mapping[str, object]", operation.get("resource") or {})
    return Pending(urn=str(resource.get("urn", "")), operation=str(operation.get("type", "")))


def _created(canonical: str) -> object:
    return cast("Mapping[str, object]", json.loads(canonical)).get("created")
