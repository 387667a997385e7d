"""What people are asked about a plan of goals: the bound plan itself, whole, and lines that say the same in words."""

from collections.abc import Mapping
from typing import Final

from activities.agent.contracts import RUN_PLAN, RunPlanParameters
from hitl.approval.plan import Change, Plan, Resource, Risk
from hitl.hidden import unhidden, visible
from hitl.plan_language.bound import BoundPlan
from hitl.plan_language.rendering import bound_lines, headline, strongest_line
from hitl.protocol import Effect
from workflows.agent.goals import Said

_LINES: Final = 50
_LONGEST: Final = 500
_MOST_QUOTED: Final = 400
_MICROS: Final = 1_000_000
_MOST_BYTES: Final = 24 * 1024
"""Of all lines: with the bound plan itself they have to fit into what people approve."""
_CHANGES: Final[Mapping[Effect, Change]] = {
    Effect.READ: Change.UPDATE,
    Effect.WRITE: Change.UPDATE,
    Effect.DESTRUCTIVE: Change.DELETE,
}


def plan_to_approve(bound: BoundPlan, said: Said | None = None) -> Plan:
    """The plan whose digest people sign.

    Args:
        bound: With a step that does more than read.
        said: How it came about, where a model wrote it.

    Raises:
        NotCanonical: It cannot be written down.
    """
    parameters = RunPlanParameters.of(bound).model_dump(mode="json", exclude_none=True)
    return Plan(
        action=RUN_PLAN.name,
        parameters=parameters,
        resources=tuple(
            Resource(kind=_line(one.goal), name=_line(f"step {one.id}"), change=_CHANGES[one.effect])
            for one in bound.steps
            if one.effect is not Effect.READ
        ),
        summary=_summary(bound, said_lines(said)),
        risk=Risk.HIGH if bound.effect is Effect.DESTRUCTIVE else Risk.MEDIUM,
    )


def said_lines(said: Said | None) -> tuple[str, ...]:
    """How a plan came about: words of people and of a model, and none of ours."""
    if said is None:
        return ()
    asked = [f'Asked for: "{_quoted(said.text)}"', *(f'Answered: "{_quoted(one)}"' for one in said.answers)]
    times = "once" if said.requests == 1 else f"{said.requests} times"
    cost = f"models were asked {times}, for ${said.cost_micros / _MICROS:.4f} at most"
    by = f"Planned by {visible(said.backend)}/{visible(said.model)}, prompt {visible(said.prompt)}; {cost}"
    return (*asked, by, "What a step buys, it tells and asks for by itself; planning promises no price")


def _quoted(text: str) -> str:
    shown = visible(" ".join(text.split()))
    return shown if len(shown) <= _MOST_QUOTED else f"{shown[: _MOST_QUOTED - 1]}…"


def _summary(bound: BoundPlan, said: tuple[str, ...]) -> tuple[str, ...]:
    """All of it where that is short enough; else a line a step, as many as there may be."""
    first = (f"Run the plan: {visible(bound.title)}", strongest_line(bound.effect), *said)
    whole = (*first, *bound_lines(bound))
    if len(whole) <= _LINES and all(len(one) <= _LONGEST for one in whole) and _bytes(whole) <= _MOST_BYTES:
        return tuple(map(_line, whole))
    told = f"All inputs of its {len(bound.steps)} steps are in full in the parameter `plan`"
    short = (*first, told, *(f"{number}. {headline(one)}" for number, one in enumerate(bound.steps, start=1)))
    if len(short) > _LINES:
        rest = len(short) - _LINES + 1
        short = (*short[: _LINES - 1], f"and {rest} more")
    return tuple(map(_line, short))


def _bytes(lines: tuple[str, ...]) -> int:
    return sum(len(one.encode(errors="replace")) for one in lines)


def _line(text: str) -> str:
    """One line as plans have them: nothing hidden, and short."""
    shown = unhidden(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
