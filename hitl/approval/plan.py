"""The exact thing that people approve: typed, written down once, and known by a digest of these very bytes.

A plan is serialised by the goal that makes it and from then on travels as text: into the approval, to the person, to
the guard and into the destructive step, which reads every parameter from it. A digest of typed models was tried
first: it changed when a release added a field with a default, and it did not see a field that the model did not know.

Version 1 is closed: it is one step. Version 2 is many of them (`hitl.approval.sequence`), which `read_plan` refuses.
"""

import json
import re
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from hitl.approval.rehearsal import RehearsalShown
from hitl.approval.stricter import Stricter
from hitl.canonical import NotCanonical, canonical_json, require_canonical, tagged_digest
from hitl.hidden import nothing_hidden, visible
from hitl.protocol import PolicyContext

PLAN_SCHEMA: Final = "banksman-plan"
PLAN_VERSION: Final = 1
MAX_PLAN_BYTES: Final = 128 * 1024
"""A longer plan is not a thing that a person reads; what is bulky is named in it by its digest."""

_DIGEST_TAG: Final = "banksman-plan-digest/v1"
_ACTION: Final = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"
_PARAMETER: Final = r"^[a-z][a-z0-9_]{0,62}$"
_MOST_PROBLEMS: Final = 5
_HOURS_OF_A_MONTH: Final = 744
_RESOURCES: Final = ("resource", "stack", "branch")
"""Parameters that name the one thing that a plan touches; the first that there is."""


class PlanError(ValueError):
    """A plan's text cannot be used. The message says what is wrong with it."""


Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(nothing_hidden)]
"""One line for people: nothing in it hides or turns the text around."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Risk(StrEnum):
    """How bad it is when the plan turns out to be a mistake."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Change(StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Resource(_Part):
    """One thing that the plan touches: together they are what can go wrong."""

    kind: Line = Field(description="What it is, as in `git branch`.")
    name: Line
    change: Change


class Cost(_Part):
    """What it costs, where that is known."""

    usd_cents: int = Field(ge=0, le=10**12)
    per: Literal["once", "hour", "month"]

    @property
    def in_a_month(self) -> int:
        """Whole US dollars, rounded up; what is paid by the hour runs for the whole month."""
        cents = self.usd_cents * (_HOURS_OF_A_MONTH if self.per == "hour" else 1)
        return -(-cents // 100)


class PlanParameters(BaseModel):
    """What one action needs to know; each destructive step has a subclass. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Parameters = TypeVar("Parameters", bound=PlanParameters)


class Plan(BaseModel):
    """A plan, as it is made and as it is read again."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_name: Literal["banksman-plan"] = Field(default=PLAN_SCHEMA, alias="schema")
    version: Literal[1] = PLAN_VERSION
    action: Annotated[str, StringConstraints(pattern=_ACTION, max_length=128)] = Field(
        description="The destructive step, as in `github.delete_branch`."
    )
    parameters: dict[Annotated[str, StringConstraints(pattern=_PARAMETER)], JsonValue] = Field(
        description="All that the step is told. It reads nothing else."
    )
    resources: Annotated[tuple[Resource, ...], Field(min_length=1, max_length=500)]
    summary: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)] = Field(
        description="What the goal says of it; surfaces show it as a quotation, never in place of the parameters."
    )
    risk: Risk
    cost: Cost | None = None
    tightening: Stricter | None = Field(
        default=None,
        exclude_if=lambda value: value is None,  # so that a plan without one keeps its bytes
        description="How the service's own file tightens the deployment's policy for it.",
    )
    rehearsal: RehearsalShown | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="What a rehearsal of the goal did, and what of this plan it did not.",
    )

    def text(self) -> str:
        """The plan's one text. Made once; from here on, only handed on.

        Raises:
            PlanError: It cannot be written down, or is too long.
        """
        try:
            return bounded(canonical_json(self.model_dump(mode="json", by_alias=True)))
        except NotCanonical as error:
            raise PlanError(f"the plan for {self.action!r} cannot be written down: {error}") from error

    def parameters_as(self, model: type[Parameters]) -> Parameters:
        """The parameters, as the step that is to run declares them.

        Raises:
            PlanError: They are not those of this step.
        """
        if model.model_config.get("extra") != "forbid":
            raise TypeError(f"{model.__name__} takes unknown fields; a plan's parameters must not")
        try:
            return model.model_validate_json(json.dumps(self.parameters), strict=True)
        except ValidationError as error:
            raise PlanError(f"the parameters of the plan for {self.action!r} are wrong: {problems(error)}") from error

    def policy_context(self) -> PolicyContext:
        """What rules may match: its cost, and the parameters that say what it touches.

        Raises:
            ValueError: The repository is not of the form OWNER/NAME.
        """
        repository, account = self.parameters.get("repository"), self.parameters.get("account")
        resource = next((self.parameters[name] for name in _RESOURCES if name in self.parameters), None)
        if repository is None:
            context = PolicyContext()
        elif isinstance(repository, str):
            context = PolicyContext.of_repository(repository)
        else:
            raise ValueError("the plan's parameter 'repository' is not OWNER/NAME; write for example acme/shop")
        return context.model_copy(
            update={
                "account": account if isinstance(account, str) else None,
                "resource": resource if isinstance(resource, str) else None,
                "cost": self.cost.in_a_month if self.cost else None,
            }
        )

    def spend(self) -> int | None:
        """US cents that it may cost at most: what goes on costing, for its first month. None where nobody says."""
        if self.cost is None:
            return None
        return self.cost.usd_cents * (_HOURS_OF_A_MONTH if self.cost.per == "hour" else 1)

    def parameter_lines(self) -> list[str]:
        """Every parameter, as a surface shows it: from the plan's own bytes, with what hides made visible."""
        return [f"{name}: {visible(_plain(value))}" for name, value in sorted(self.parameters.items())]


def read_plan(text: str) -> Plan:
    """Read a plan from its text, strictly.

    Raises:
        PlanError: It is not canonical, of another version, or has a field that this release does not know.
    """
    try:
        require_canonical(bounded(text))
        _require_version(text)
        return Plan.model_validate_json(text, strict=True, by_name=False, by_alias=True)
    except NotCanonical as error:
        raise PlanError(f"the plan's text is refused: {error}") from error
    except ValidationError as error:
        raise PlanError(f"the plan is refused: {problems(error)}") from error


def plan_digest(text: str) -> str:
    """`sha256:…` of a plan's text, as people see it and decisions are signed for it."""
    return tagged_digest(_DIGEST_TAG, text)


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def bounded(text: str) -> str:
    """The text, where it is no longer than a plan may be.

    Raises:
        PlanError: It is longer.
    """
    if len(text.encode(errors="replace")) > MAX_PLAN_BYTES:
        raise PlanError(
            f"the plan is longer than {MAX_PLAN_BYTES // 1024} KiB; name what is bulky by its digest instead"
        )
    return text


def _require_version(text: str) -> None:
    value: JsonValue = json.loads(text)
    head = (value.get("schema"), value.get("version")) if isinstance(value, dict) else (None, None)
    # `True == 1` in Python, and is no version.
    if head != (PLAN_SCHEMA, PLAN_VERSION) or isinstance(head[1], bool):
        found = re.sub(r"[^\w./ -]", "?", f"{head[0]} version {head[1]}")[:80]
        raise PlanError(
            f"this release reads {PLAN_SCHEMA} version {PLAN_VERSION}, and this is {found}: plan again with it"
        )


def problems(error: ValidationError) -> str:
    """The first few things that are wrong, without what was written there."""
    found = error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in found)
