"""A plan whose every value is known: what people see, approve by its digest, and what is then carried out."""

import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from hitl.canonical import NotCanonical, canonical_json, require_canonical, tagged_digest
from hitl.plan_language.labels import Trust
from hitl.plan_language.language import MOST_STEPS, Part
from hitl.protocol import Effect

BOUND_SCHEMA: Final = "banksman-bound-plan"
MOST_BOUND_BYTES: Final = 80 * 1024
"""As canonical JSON: it goes into a plan of 128 KiB that people approve, whose lines say it once more."""

_DIGEST_TAG: Final = "banksman-bound-plan-digest/v1"

BoundId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}(/[1-9][0-9]?)?$")]
"""A step's id; of one of many, with its number."""


class BoundError(ValueError):
    """A text is no bound plan. The message says what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Origin(_Part):
    """That a value is no literal of the plan.

    Attributes:
        at: JSON pointer into the step's inputs.
        source: The reference that it came by.
        trust: What it may be.
    """

    at: str
    source: str
    trust: Trust


class BoundStep(_Part):
    """One goal with literal inputs."""

    id: BoundId
    goal: str
    effect: Effect
    inputs: dict[str, JsonValue]
    origins: tuple[Origin, ...] = ()


class LeftOut(_Part):
    """A step whose comparison does not hold, or whose list is empty."""

    id: str
    part: Part
    goal: str
    why: str


class BoundPlan(_Part):
    """The acting part of a plan, of literals only."""

    schema_name: Literal["banksman-bound-plan"] = Field(default=BOUND_SCHEMA, alias="schema")
    version: Literal[1] = 1
    title: str
    of: str = Field(description="The digest of the plan that it was bound from.")
    effect: Effect = Field(description="The strongest of its steps.")
    steps: Annotated[tuple[BoundStep, ...], Field(max_length=MOST_STEPS)] = Field(
        description="In the order in which they run."
    )
    left_out: tuple[LeftOut, ...] = ()

    def value(self) -> dict[str, JsonValue]:
        """As JSON."""
        return self.model_dump(mode="json", by_alias=True)

    def text(self) -> str:
        """Its one text.

        Raises:
            NotCanonical: A value cannot be written alike everywhere.
        """
        return canonical_json(self.value())

    def digest(self) -> str:
        """`sha256:…` of that text.

        Raises:
            NotCanonical: A value cannot be written alike everywhere.
        """
        return tagged_digest(_DIGEST_TAG, self.text())


def read_bound(text: str) -> BoundPlan:
    """A bound plan from its text, strictly.

    Raises:
        BoundError: It is not canonical, or not one of this release.
    """
    try:
        require_canonical(text)
        found = BoundPlan.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except NotCanonical as error:
        raise BoundError(f"the bound plan is refused: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise BoundError(f"the bound plan is refused: {where}: {first['msg']}") from error
    if json.loads(text) != found.value():
        raise BoundError("the bound plan is refused: it leaves out what this release writes")
    return found
