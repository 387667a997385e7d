"""A plan as people read it: every input in full, what each step may do, and where a value came from."""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from hitl.canonical import canonical_json
from hitl.hidden import visible
from hitl.plan_language.bound import BoundPlan, BoundStep, Origin
from hitl.plan_language.catalogue import Catalogue
from hitl.plan_language.labels import beyond_ascii
from hitl.plan_language.language import FROM, Draft, Placed
from hitl.plan_language.mistakes import pointer
from hitl.plan_language.references import is_reference, walk
from hitl.protocol import Effect

_TRUST = {
    "closed": "a closed value",
    "untrusted": "TEXT THAT A STRANGER MAY HAVE WRITTEN",
    "listed": "a stranger's text, which is in the closed list",
}
_MAY = {
    Effect.READ: "reads",
    Effect.WRITE: "writes",
    Effect.DESTRUCTIVE: "DESTROYS; it plans and asks people for itself as well",
}


def draft_lines(draft: Draft, digest: str, catalogue: Catalogue, effect: Effect) -> tuple[str, ...]:
    """A plan that is not bound yet.

    Args:
        draft: A plan in which a check found no mistake.
        digest: Its digest.
        catalogue: The goals that there are.
        effect: The strongest of its acting part.
    """
    explores, acts = draft.of("explore"), draft.of("act")
    lines = [visible(draft.title), f"plan {digest}", strongest_line(effect)]
    for head, steps in (("Explores at once, and only reads:", explores), ("Then acts, in this order:", acts)):
        lines += [head] if steps else []
        for number, placed in enumerate(steps, start=1):
            lines += _draft_step(number, placed, catalogue)
    return tuple(lines)


def bound_lines(plan: BoundPlan) -> Iterator[str]:
    """The steps of a bound plan, whole: of literals only."""
    for number, step in enumerate(plan.steps, start=1):
        yield f"{number}. {headline(step)}"
        yield from (f"   {one}" for one in _input_lines(step))
    for left in plan.left_out:
        yield f"Left out: {visible(left.id)}, for {visible(left.why)}"


def headline(step: BoundStep) -> str:
    """Of a bound step, in one line."""
    return f"{visible(step.id)}: {visible(step.goal)}, which {_MAY[step.effect]}"


def _input_lines(step: BoundStep) -> Iterator[str]:
    """Every input of a bound step, with its origin where it is no literal of the plan."""
    for path, value in walk(dict(step.inputs)):
        at = pointer(*path)
        yield f"{visible(at)}: {_shown(value)}{_marks(value, _origin(at, step.origins))}"


def strongest_line(effect: Effect) -> str:
    """What the plan may do at most, and what follows from that."""
    follows = {
        Effect.READ: "it runs without being approved",
        Effect.WRITE: "people approve it first, unless the policy lets plans that only write run by themselves",
        Effect.DESTRUCTIVE: "people approve it first, and each step that destroys once more by itself",
    }
    return f"Strongest effect: {effect}; {follows[effect]}"


def _draft_step(number: int, placed: Placed, catalogue: Catalogue) -> Iterator[str]:
    step, known = placed.step, catalogue.get(placed.step.goal)
    yield f"{number}. {step.id}: {visible(step.goal)}" + (f", which {_MAY[known.effect]}" if known else "")
    if step.when is not None:
        yield f"   only when {visible(step.when.words())}"
    if step.for_each is not None:
        yield f"   for each of {step.for_each.source}, {step.for_each.at_most} at most"
    for path, value in walk(dict(step.inputs)):
        at = visible(pointer(*path))
        if is_reference(value):
            yield f"   {at}: ← {visible(str(value[FROM]))}"
        else:
            yield f"   {at}: {_shown(value)}{_marks(value, None)}"


def _origin(at: str, origins: Sequence[Origin]) -> Origin | None:
    return next((one for one in origins if f"{at}/".startswith(f"{one.at}/")), None)


def _shown(value: JsonValue) -> str:
    return visible(canonical_json(value))


def _marks(value: JsonValue, origin: Origin | None) -> str:
    marks = [f"from {visible(origin.source)}: {_TRUST[origin.trust]}"] if origin else []
    if isinstance(value, str) and (strange := beyond_ascii(value)):
        marks.append(f"not plain ASCII: {strange}")
    return f"  [{'; '.join(marks)}]" if marks else ""
