"""A plan of many steps: whole plans in the order in which they run, under one text and one digest.

People approve all of it at once. It is version 2 of the plan's schema: whoever reads one step alone refuses it, and a
plan of one step keeps its bytes. A step inside is a plan like any other, so that it is shown, matched and carried out
by the same code; by itself it has another digest than the whole, so neither is approved with the other.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hitl.approval.plan import (
    PLAN_SCHEMA,
    Cost,
    Line,
    Plan,
    PlanError,
    Resource,
    Risk,
    bounded,
    problems,
    read_plan,
)
from hitl.approval.rehearsal import RehearsalShown
from hitl.approval.stricter import Stricter
from hitl.canonical import NotCanonical, canonical_json, require_canonical
from hitl.protocol import PolicyContext

SEQUENCE_VERSION: Final = 2
SEQUENCE: Final = "sequence"
"""In place of an action, where decisions and views name one. No step can be called so: a step's name has a dot."""
MAX_STEPS: Final = 20

_RISKS: Final = tuple(Risk)


class SequencePlan(BaseModel):
    """Steps that are approved together and run one after another."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["banksman-plan"] = Field(default=PLAN_SCHEMA, alias="schema")
    version: Literal[2] = SEQUENCE_VERSION
    steps: Annotated[tuple[Plan, ...], Field(min_length=1, max_length=MAX_STEPS)] = Field(
        description="In the order in which they run. The first has position 1."
    )
    summary: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)] = Field(
        description="What the goal says of the whole; surfaces show it as a quotation."
    )
    tightening: Stricter | None = Field(
        default=None,
        exclude_if=lambda value: value is None,  # so that a plan without one keeps its bytes
        description="How the service's own file tightens the deployment's policy, for all of its steps.",
    )
    rehearsal: RehearsalShown | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What a rehearsal of the goal did, and what of these steps it did not.",
    )

    @model_validator(mode="after")
    def _tightened_as_a_whole(self) -> "SequencePlan":
        if any(step.tightening is not None for step in self.steps):
            text = "a step of many carries a tightening of its own; write it on the whole plan, where it holds for all"
            raise PydanticCustomError("tightening", text)
        if any(step.rehearsal is not None for step in self.steps):
            text = "a step of many carries a rehearsal of its own; write it on the whole plan"
            raise PydanticCustomError("rehearsal", text)
        return self

    @property
    def action(self) -> str:
        """What decisions on it name as their action."""
        return SEQUENCE

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All that its steps touch."""
        return tuple(one for step in self.steps for one in step.resources)

    @property
    def risk(self) -> Risk:
        """Of its riskiest step."""
        return max((step.risk for step in self.steps), key=_RISKS.index)

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What its steps cost together, where they say so: once, by the hour and by the month."""
        return added(step.cost for step in self.steps)

    def at(self, position: int) -> Plan:
        """One step.

        Raises:
            PlanError: There is none at that position.
        """
        if not 1 <= position <= len(self.steps):
            raise PlanError(f"the plan has {len(self.steps)} steps, and none at position {position}")
        return self.steps[position - 1]

    def named(self, position: int) -> str:
        """A step as messages name it: `step 2 of 3 (github.delete_branch)`."""
        return f"step {position} of {len(self.steps)} ({self.at(position).action})"

    def text(self) -> str:
        """The plan's one text. Made once; from here on, only handed on.

        Raises:
            PlanError: It cannot be written down, or is too long.
        """
        try:
            return bounded(canonical_json(self.model_dump(mode="json", by_alias=True)))
        except NotCanonical as error:
            raise PlanError(f"the plan of {len(self.steps)} steps cannot be written down: {error}") from error

    def policy_context(self) -> PolicyContext:
        """What all its steps have in common, and their cost together. Rules look at each step by itself.

        Raises:
            ValueError: The repository of a step is not of the form OWNER/NAME.
        """
        each = [step.policy_context() for step in self.steps]
        said = [one.fields() for one in each]
        same = {name: value for name, value in said[0].items() if all(one.get(name) == value for one in said)}
        costs = [one.cost for one in each if one.cost is not None]
        return PolicyContext.model_validate(same | {"cost": sum(costs) if costs else None})

    def spend(self) -> int | None:
        """US cents that all of it may cost at most; None where no step says."""
        said = [cents for step in self.steps if (cents := step.spend()) is not None]
        return sum(said) if said else None


AnyPlan = Plan | SequencePlan
"""What people can be asked about."""


def step_id_at(step_id: str, position: int) -> str:
    """The activity id of one step, from the step id that the approval of all was signed for."""
    return f"{step_id}/{position}"


def added(costs: Iterable[Cost | None]) -> tuple[Cost, ...]:
    """The sums of those that are known, apart by what they are paid for. A sum may be more than any one cost may."""
    known = [one for one in costs if one is not None]
    sums = {per: sum(one.usd_cents for one in known if one.per == per) for per in ("once", "hour", "month")}
    present = {one.per for one in known}
    return tuple(Cost.model_construct(usd_cents=cents, per=per) for per, cents in sums.items() if per in present)


def steps_of(plan: AnyPlan) -> tuple[Plan, ...]:
    """The steps that run when it is approved: many, or the one that it is."""
    return plan.steps if isinstance(plan, SequencePlan) else (plan,)


def read_any_plan(text: str) -> AnyPlan:
    """Read a plan of one step or of many from its text, strictly.

    Raises:
        PlanError: It is not canonical, of another version, or has a field that this release does not know.
    """
    try:
        require_canonical(bounded(text))
        if not _is_sequence(text):
            return read_plan(text)
        return SequencePlan.model_validate_json(text, strict=True, by_name=False, by_alias=True)
    except NotCanonical as error:
        raise PlanError(f"the plan's text is refused: {error}") from error
    except ValidationError as error:
        raise PlanError(f"the plan is refused: {problems(error)}") from error


def _is_sequence(text: str) -> bool:
    value: JsonValue = json.loads(text)
    if not isinstance(value, dict):
        return False
    version = value.get("version")
    # `True` and 2.0 are no versions; canonical JSON writes the latter as 2.
    return (value.get("schema"), version) == (PLAN_SCHEMA, SEQUENCE_VERSION) and not isinstance(version, bool)
