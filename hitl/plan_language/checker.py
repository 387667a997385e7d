"""Whether a plan can be carried out, before anything of it runs: every mistake at once.

It knows goals and their types as data, and looks at no result. What depends on results (whether a list is too long, a
stranger's text in a closed list, a value what the goal takes) is told when the plan is bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from hitl.plan_language.catalogue import Catalogue, GoalDescription, Path, Problem, strongest
from hitl.plan_language.labels import Lists, chooses, hides, is_closed, position_of, texts_of
from hitl.plan_language.language import FROM, ITEM, MOST_STEPS, Draft, GoalStep, Placed, When
from hitl.plan_language.mistakes import Mistake, in_order, meant, pointer, quoted
from hitl.plan_language.references import TooDeep, is_reference, named_in, walk
from hitl.plan_language.types import ANYTHING, Typed, may_fit
from hitl.protocol import Effect

_ORDERS: Final = frozenset({"<", "<=", ">", ">="})
_ANOTHER_PLAN: Final = "run this plan as far as that step, and write a second one for what follows"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found.

    Attributes:
        mistakes: All of them, in the order of the plan.
        effect: The strongest of the acting part, as far as its goals are known.
        steps: How many there may be, after every `for_each`.
    """

    mistakes: tuple[Mistake, ...]
    effect: Effect
    steps: int


def check(draft: Draft, catalogue: Catalogue, lists: Lists) -> Checked:
    """Everything that is wrong with a plan.

    Args:
        draft: The plan, as far as it can be read.
        catalogue: The goals that there are.
        lists: Closed lists, by the names of input fields.
    """
    checker = _Checker(draft, catalogue, lists)
    for placed in draft.steps:
        checker.step(placed)
    total = sum(one.step.times for one in draft.steps)
    if total > MOST_STEPS:
        checker.wrong("", f"it may take {total} steps, and a plan takes {MOST_STEPS} at most: make several plans")
    acting = [known.effect for one in draft.of("act") if (known := catalogue.get(one.step.goal))]
    mistakes = in_order((*draft.mistakes, *checker.mistakes), draft.places)
    return Checked(mistakes=mistakes, effect=strongest(acting), steps=total)


@dataclass
class _Checker:
    draft: Draft
    catalogue: Catalogue
    lists: Lists
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    earlier: dict[str, Placed] = field(default_factory=dict[str, Placed])

    def wrong(self, at: str, says: str) -> None:
        self.mistakes.append(Mistake(at=at, says=says))

    def step(self, placed: Placed) -> None:
        step, at = placed.step, placed.at
        known = self._goal(placed)
        item = self._for_each(step, at)
        if step.when is not None:
            self._when(step.when, f"{at}/when", item)
        try:
            if known is not None:
                self._inputs(placed, known, item)
        except TooDeep as error:
            self.wrong(f"{at}/inputs", str(error))
        self.earlier.setdefault(step.id, placed)

    def _goal(self, placed: Placed) -> GoalDescription | None:
        name, at = placed.step.goal, f"{placed.at}/goal"
        known = self.catalogue.get(name)
        if known is None:
            self.wrong(at, f"there is no goal {quoted(name)}; {meant(name, self.catalogue)}")
        elif known.why_not:
            self.wrong(at, f"{name!r} cannot be a step: {known.why_not}")
        elif placed.part == "explore" and known.effect is not Effect.READ:
            self.wrong(at, f"{name!r} may {_MAY[known.effect]}, and 'explore' only reads; move the step to 'act'")
        return known

    def _for_each(self, step: GoalStep, at: str) -> Typed | None:
        """The type of the item at hand; None where there is none."""
        if step.for_each is None:
            return None
        place = f"{at}/for_each/{FROM}"
        found = self._source(step.for_each.source, place, None)
        if found is None:
            return ANYTHING
        item = found.item()
        if item is None:
            self.wrong(place, f"{step.for_each.source!r} is {found.said()} and no list; refer to a list")
        return item or ANYTHING

    def _when(self, when: When, at: str, item: Typed | None) -> None:
        found = self._source(when.source, f"{at}/{FROM}", item)
        kinds = frozenset(kind for one in found.alternatives() for kind in one.kinds()) if found else None
        number = isinstance(when.to, int | float) and not isinstance(when.to, bool)
        if when.comparison in _ORDERS and not number:
            self.wrong(f"{at}/to", f"{when.comparison!r} compares numbers; write one")
        elif when.comparison in _ORDERS and kinds is not None and not kinds & {"integer", "number"}:
            said = found.said() if found else ""
            self.wrong(f"{at}/{FROM}", f"{when.comparison!r} compares numbers, and {when.source!r} is {said}")
        if when.comparison == "in" and not isinstance(when.to, list):
            self.wrong(f"{at}/to", "'in' wants a list of values; write [ … ]")
        for path, value in walk(when.to):
            if is_reference(value):
                self.wrong(f"{at}/to{pointer(*path)}", "a comparison is with a literal; write the value itself")

    def _inputs(self, placed: Placed, known: GoalDescription, item: Typed | None) -> None:
        step, at = placed.step, f"{placed.at}/inputs"
        for one in named_in(step.inputs):
            place = f"{at}{pointer(*one.path)}"
            if not one.source:
                self.wrong(
                    place, f'an object with {FROM!r} is a reference and nothing else; write {{"{FROM}": "STEP.FIELD"}}'
                )
                continue
            if known.shape is not None and one.path[0] in known.shape.by:
                self.wrong(place, f"{one.path[0]!r} says what can be referred to; write the value itself")
                continue
            found = self._source(one.source, place, item)
            wanted = type_at(known.takes, one.path)
            if found is None or wanted is None:
                continue
            if not may_fit(found, wanted):
                self.wrong(place, f"{one.source!r} is {found.said()}, and here goes {wanted.said()}")
            else:
                self._label(place, known, one.path, wanted, found, one.source)
        self.mistakes += literal_mistakes(step.inputs, known, at)

    def _label(  # noqa: PLR0913, PLR0917 - where, what goes there, and what it is
        self, place: str, known: GoalDescription, path: Path, wanted: Typed, found: Typed, source: str
    ) -> None:
        name, names_a_thing = position_of(known.takes, path)
        if names_a_thing and chooses(wanted, found) and not is_closed(found) and name not in self.lists:
            self.wrong(
                place,
                f"{source!r} is text that a stranger may have written, and {name!r} says what is touched: write the "
                f"value itself, or give a closed list of {name!r}",
            )

    def _source(self, source: str, at: str, item: Typed | None) -> Typed | None:
        """The type of what a reference names; None where that is wrong, or cannot be told."""
        name, *path = source.split(".")
        placed = self.earlier.get(name)
        if name == ITEM and item is not None:
            return self._below(item, name, path, at)
        if name == ITEM:
            self.wrong(at, f"{ITEM!r} is there in a step with a 'for_each' alone; name a step")
        elif placed is None:
            self._no_such_step(name, at)
        elif placed.part == "act":
            self.wrong(
                at,
                f"{name!r} acts, and has no result before people have seen the whole plan; only what explores has: "
                f"{_ANOTHER_PLAN}",
            )
        elif placed.step.goal in self.catalogue:
            return self._result(placed, path, at)
        return None

    def _result(self, placed: Placed, path: list[str], at: str) -> Typed | None:
        name, gives = placed.step.id, self.catalogue[placed.step.goal].gives_for(placed.step.inputs)
        if placed.step.for_each is None:
            return self._below(gives, name, path, at)
        if path and not path[0].isdecimal():
            self.wrong(at, f"{name!r} is taken for each of a list, and so has many results; write '{name}.0.{path[0]}'")
            return None
        return self._below(gives, f"{name}.{path[0]}", path[1:], at) if path else _list_of(gives)

    def _no_such_step(self, name: str, at: str) -> None:
        if name in self.draft.unread:
            return
        if any(one.step.id == name for one in self.draft.steps):
            self.wrong(at, f"{name!r} comes later or is the step itself; refer to what comes before")
            return
        exploring = [one.step.id for one in self.earlier.values() if one.part == "explore"]
        self.wrong(at, f"there is no earlier step {name!r}; {meant(name, exploring)}")

    def _below(self, typed: Typed, place: str, path: list[str], at: str) -> Typed | None:
        for part in path:
            inner = typed.below(part)
            if inner is None:
                if typed.is_open():
                    return ANYTHING
                known = typed.fields()
                told = f"has no {part!r}; {meant(part, known)}" if known else f"is {typed.said()} and has no {part!r}"
                self.wrong(at, f"{place!r} {told}")
                return None
            typed, place = inner, f"{place}.{part}"
        return typed


_MAY: Final[Mapping[Effect, str]] = {
    Effect.READ: "read",
    Effect.WRITE: "write",
    Effect.DESTRUCTIVE: "destroy",
}


def _list_of(typed: Typed) -> Typed:
    return Typed({"type": "array", "items": dict(typed.schema)}, typed.root)


def type_at(takes: Typed, path: Path) -> Typed | None:
    """The type at a place in an input; None where nothing is declared there."""
    at: Typed | None = takes
    for part in path:
        inner = at.below(str(part)) if at is not None else None
        if inner is None and at is not None and at.is_open():
            return ANYTHING
        at = inner
    return at


def literal_mistakes(inputs: Mapping[str, JsonValue], known: GoalDescription, at: str) -> list[Mistake]:
    """What the goal itself finds wrong with an input, its references aside, and what hides in a name."""
    unknown = tuple(one.path for one in named_in(inputs))
    found = [_told(one, inputs, known, at) for one in known.problems(inputs, unknown)]
    for path, value in walk(dict(inputs)):
        names_a_thing = not is_reference(value) and position_of(known.takes, path)[1]
        hidden = next((told for text in texts_of(value) if (told := hides(text))), None) if names_a_thing else None
        if hidden is not None:
            found.append(Mistake(at=f"{at}{pointer(*path)}", says=f"it {hidden}"))
    return found


def _told(problem: Problem, inputs: Mapping[str, JsonValue], known: GoalDescription, at: str) -> Mistake:
    place = f"{at}{pointer(*_within(problem.path, dict(inputs)))}"
    name = str(problem.path[-1]) if problem.path else ""
    match problem.kind:
        case "missing":
            return Mistake(at=place, says=f"{known.name!r} needs {name!r} here")
        case "extra_forbidden":
            outer = type_at(known.takes, problem.path[:-1]) if len(problem.path) > 1 else known.takes
            fields = outer.fields() if outer is not None else frozenset[str]()
            return Mistake(at=place, says=f"{known.name!r} takes no {quoted(name)}; {meant(name, fields)}")
        case _:
            return Mistake(at=place, says=problem.says)


def _within(path: Path, value: JsonValue) -> Path:
    """As much of a path as stands in the input: pydantic adds the names of a choice's alternatives."""
    kept: list[str | int] = []
    for part in path:
        if isinstance(value, dict):
            kept.append(part)
            if part not in value:
                break  # what is missing is named by where it would stand
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            kept.append(part)
            value = value[part]
    return tuple(kept)
