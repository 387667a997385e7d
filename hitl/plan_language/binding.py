"""Bind, then approve: references become the values that were found, and what is left is literals alone.

The exploring part is bound in waves, each as far as the results so far go. The acting part is bound once all of it
has ended; there is no other way from a plan to a bound one.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from pydantic import JsonValue

from hitl.canonical import NotCanonical, canonical_json
from hitl.plan_language.bound import MOST_BOUND_BYTES, BoundPlan, BoundStep, LeftOut, Origin
from hitl.plan_language.catalogue import PRIVATE, Catalogue, GoalDescription, Path, strongest
from hitl.plan_language.checker import literal_mistakes, type_at
from hitl.plan_language.labels import Lists, Trust, choices_of, chooses, data_field, is_closed, position_of, texts_of
from hitl.plan_language.language import ITEM, Draft, GoalStep, Placed, When
from hitl.plan_language.mistakes import Mistake, pointer, quoted
from hitl.plan_language.references import Named, Unresolved, look_up, named_in, resolved, sources_of
from hitl.plan_language.types import ANYTHING, Typed

Results = Mapping[str, dict[str, JsonValue]]
"""Of exploring steps, by their bound ids."""
_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How far a plan is bound.

    Attributes:
        mistakes: What the results make of it; with one, nothing else counts.
        explore: Exploring steps that can run now.
        plan: The acting part; None until all that explores has ended.
    """

    mistakes: tuple[Mistake, ...] = ()
    explore: tuple[BoundStep, ...] = ()
    plan: BoundPlan | None = None


def bind(draft: Draft, digest: str, catalogue: Catalogue, lists: Lists, results: Results) -> Bound:
    """As far as the results go.

    Args:
        draft: A plan in which a check found no mistake.
        digest: Its digest.
        catalogue: The goals that there are.
        lists: Closed lists, by the names of input fields.
        results: What exploring steps found, as far as they ended.
    """
    binder = _Binder(catalogue, lists, results)
    ready: list[BoundStep] = []
    for placed in draft.of("explore"):
        if binder.waits(placed.step):
            binder.open.add(placed.step.id)
            continue
        steps = binder.taken(placed)
        if missing := [one for one in steps if one.id not in results]:
            binder.open.add(placed.step.id)
            ready += missing
        binder.found(placed.step, steps)
    if binder.mistakes or ready:
        return Bound(mistakes=tuple(binder.mistakes), explore=tuple(ready))
    acting = tuple(one for placed in draft.of("act") for one in binder.taken(placed))
    plan = BoundPlan(
        title=draft.title,
        of=digest,
        effect=strongest([one.effect for one in acting]),
        steps=acting,
        left_out=tuple(binder.left_out),
    )
    mistakes = tuple(binder.mistakes) or _too_long(plan)
    return Bound(mistakes=mistakes) if mistakes else Bound(plan=plan)


def _too_long(plan: BoundPlan) -> tuple[Mistake, ...]:
    try:
        size = len(plan.text().encode())
    except NotCanonical as error:
        return (Mistake(at="", says=f"what was found cannot be written down: {error}"),)
    if size <= MOST_BOUND_BYTES:
        return ()
    told = (
        f"with what was found it is {size} bytes long, and at most {MOST_BOUND_BYTES} can be shown: make several plans"
    )
    return (Mistake(at="", says=told),)


@dataclass
class _Binder:
    catalogue: Catalogue
    lists: Lists
    results: Results
    known: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What references name, as far as it is there."""
    types: dict[str, Typed] = field(default_factory=dict[str, Typed])
    open: set[str] = field(default_factory=set[str])
    """Steps that have not ended."""
    why_not: dict[str, str] = field(default_factory=dict[str, str])
    """Steps that are left out, and why."""
    data: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Labels of what steps found."""
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])

    def waits(self, step: GoalStep) -> bool:
        """Whether something that it refers to has not ended."""
        return any(source.split(".")[0] in self.open for source in sources_of(step))

    def found(self, step: GoalStep, steps: list[BoundStep]) -> None:
        """Keep what a step found, where all of it has ended."""
        if step.id in self.open or step.id in self.why_not:
            return
        gives = self.catalogue[step.goal].gives_for(step.inputs)
        each = [self.results[one.id] for one in steps]
        if step.for_each is None:
            if each:
                self.known[step.id], self.types[step.id] = each[0], gives
        else:
            listed = Typed({"type": "array", "items": dict(gives.schema)}, gives.root)
            self.known[step.id], self.types[step.id] = list(each), listed

    def taken(self, placed: Placed) -> list[BoundStep]:
        """A step with its values, as often as it is to be taken."""
        step, before = placed.step, len(self.mistakes)
        try:
            items = self._items(placed)
            steps = [one for number, item in items if (one := self._one(placed, number, item)) is not None]
        except Unresolved as error:
            self.mistakes.append(Mistake(at=placed.at, says=self._with_cause(step, str(error))))
            return []
        if not steps and len(self.mistakes) == before and step.for_each is None:
            self.why_not[step.id] = self.left_out[-1].why if self.left_out else "left out"
        return steps

    def _items(self, placed: Placed) -> list[tuple[int | None, tuple[JsonValue, Typed] | None]]:
        each = placed.step.for_each
        if each is None:
            return [(None, None)]
        found = look_up(each.source, self.known)
        if not isinstance(found, list):
            raise Unresolved(f"{each.source!r} is no list")
        if len(found) > each.at_most:
            raise Unresolved(f"{each.source!r} holds {len(found)}, and 'at_most' lets it hold {each.at_most}")
        if not found:
            self._leave_out(placed, placed.step.id, f"{each.source} is empty")
        inner = self._type(each.source, None).item() or ANYTHING
        return [(number, (item, inner)) for number, item in enumerate(found, start=1)]

    def _leave_out(self, placed: Placed, bound_id: str, why: str) -> None:
        self.left_out.append(LeftOut(id=bound_id, part=placed.part, goal=placed.step.goal, why=why))

    def _one(self, placed: Placed, number: int | None, item: tuple[JsonValue, Typed] | None) -> BoundStep | None:
        step, known = placed.step, self.catalogue[placed.step.goal]
        names = self.known if item is None else {**self.known, ITEM: item[0]}
        bound_id = step.id if number is None else f"{step.id}/{number}"
        if step.when is not None:
            value = look_up(step.when.source, names)
            if not holds(step.when, value):
                why = f"{step.when.words()} does not hold: it is {_short(value)}"
                self._leave_out(placed, bound_id, why)
                return None
        inputs = self._with_data({name: resolved(value, names) for name, value in step.inputs.items()}, step, known)
        at = f"{placed.at}/inputs"
        origins: list[Origin] = []
        before = len(self.mistakes)
        for one in named_in(step.inputs):
            value, given = look_up(one.source, names), self._type(one.source, item)
            origins += self._labelled(f"{at}{pointer(*one.path)}", known, one, value, given)
        if len(self.mistakes) == before:  # or what a stranger chose is told twice
            self.mistakes += literal_mistakes(inputs, known, at)
        return BoundStep(id=bound_id, goal=known.name, effect=known.effect, inputs=inputs, origins=tuple(origins))

    def _with_data(self, inputs: dict[str, JsonValue], step: GoalStep, known: GoalDescription) -> dict[str, JsonValue]:
        """The same, told which data it is: what comes of something is as private as that is."""
        told, name = self._data_of(step), data_field(known.takes)
        if name is not None and told and isinstance(given := inputs.get(name, []), list):
            inputs = {**inputs, name: [*sorted({*told, *texts_of(given)})]}
        own = texts_of(inputs.get(name, list(PRIVATE))) if name is not None else ()
        self.data[step.id] = self.data.get(step.id, frozenset()) | {*told, *own, *known.data}
        return inputs

    def _data_of(self, step: GoalStep) -> frozenset[str]:
        """Labels of all that it refers to."""
        each = step.for_each.source.split(".")[0] if step.for_each else ""
        roots = {each if (name := source.split(".")[0]) == ITEM else name for source in sources_of(step)}
        return frozenset[str]().union(*(self.data.get(one, frozenset(PRIVATE)) for one in roots))

    def _labelled(
        self, place: str, known: GoalDescription, one: Named, value: JsonValue, given: Typed
    ) -> tuple[Origin, ...]:
        trust: Trust = "closed" if is_closed(given, value) else "untrusted"
        name, names_a_thing = position_of(known.takes, one.path)
        wanted = type_at(known.takes, one.path) or ANYTHING
        if trust == "untrusted" and names_a_thing and chooses(wanted, given):
            trust = "listed"
            allowed = self.lists.get(name, ())
            for text in choices_of(value):
                if text not in allowed:
                    self.mistakes.append(
                        Mistake(
                            at=place,
                            says=f"{quoted(text)} came from {one.source!r}, where a stranger may have written it, and "
                            f"is not in the closed list of {name!r}: look at it, and write the value itself if it is "
                            "meant",
                        )
                    )
        return (Origin(at=pointer(*one.path), source=one.source, trust=trust),)

    def _type(self, source: str, item: tuple[JsonValue, Typed] | None) -> Typed:
        name, *path = source.split(".")
        typed = (item[1] if item else ANYTHING) if name == ITEM else self.types.get(name, ANYTHING)
        return type_at(typed, _path(path)) or ANYTHING

    def _with_cause(self, step: GoalStep, problem: str) -> str:
        for source in sources_of(step):
            name = source.split(".")[0]
            if name in self.why_not:
                return f"{name!r} was left out ({self.why_not[name]}), and this refers to it: give both the same 'when'"
        return f"{problem}; this refers to it"


def holds(when: When, value: JsonValue) -> bool:
    """Whether a comparison holds. What has no order is neither less nor more."""
    to = when.to
    match when.comparison:
        case "==":
            return _same(value, to)
        case "!=":
            return not _same(value, to)
        case "in":
            return isinstance(to, list) and any(_same(value, one) for one in to)
        case order:
            return _is_number(value) and _is_number(to) and _ORDERS[order](value, to)


_ORDERS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _is_number(value: JsonValue) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: JsonValue, other: JsonValue) -> bool:
    """By their canonical text, for to Python `True` is 1."""
    try:
        return canonical_json(one) == canonical_json(other)
    except NotCanonical:
        return False


def _short(value: JsonValue) -> str:
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    return quoted(value) if isinstance(value, str) else str(value)[:_SHOWN]


def _path(parts: list[str]) -> Path:
    return tuple(parts)
