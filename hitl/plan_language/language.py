"""The language of plans: steps that are goals of the catalogue, with literal inputs or references to earlier results.

    {"schema": "banksman-goal-plan", "version": 1, "title": "Copy the motto",
     "explore": [{"id": "motto", "goal": "ReadFile", "inputs": {"repository": "acme/shop", "path": "MOTTO.md"}}],
     "act": [{"id": "open", "goal": "OpenPullRequest", "when": {"$from": "motto.size", "is": "<", "to": 1000},
              "inputs": {"repository": "acme/site", "title": "Copy the motto",
                         "files": [{"path": "MOTTO.md", "content": {"$from": "motto.content"}}]}}]}

It is total: no code, no text made of texts, and no loop without its bound. A plan is read step by step, so that a step
that nobody can read does not hide the mistakes of the others.
"""

import json
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from hitl.canonical import NotCanonical, canonical_json, tagged_digest
from hitl.hidden import nothing_hidden
from hitl.plan_language.mistakes import Mistake, meant, pointer, quoted

PLAN_SCHEMA: Final = "banksman-goal-plan"
PLAN_VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024
"""Of a plan as canonical JSON: more is nothing that a person reads."""
MOST_STEPS: Final = 50
"""Of a plan, each counted as often as its `for_each` may take it."""
MOST_TIMES: Final = 20
"""Of one `for_each`."""
ITEM: Final = "item"
"""What a reference names inside of a `for_each`; no step is called so."""
FROM: Final = "$from"

_DIGEST_TAG: Final = "banksman-goal-plan-digest/v1"
_TOP: Final = frozenset({"schema", "version", "title", "explore", "act"})

StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Source = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}(\.[A-Za-z0-9_-]{1,80}){0,8}$")]
Part = Literal["explore", "act"]
Comparison = Literal["==", "!=", "<", "<=", ">", ">=", "in"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)


class When(_Part):
    """A comparison; the step is left out where it does not hold."""

    source: Source = Field(alias=FROM)
    comparison: Comparison = Field(alias="is")
    to: JsonValue

    def words(self) -> str:
        """As people read it."""
        return f"{self.source} {self.comparison} {canonical_json(self.to)}"


class ForEach(_Part):
    """Take the step once for each of a list."""

    source: Source = Field(alias=FROM)
    at_most: Annotated[int, Field(ge=1, le=MOST_TIMES)]


class GoalStep(_Part):
    """One goal of a plan."""

    id: StepId
    goal: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    inputs: dict[str, JsonValue] = Field(description="As the goal takes them; a value may be a reference.")
    when: When | None = None
    for_each: ForEach | None = None

    @property
    def times(self) -> int:
        """How often it is taken at most."""
        return self.for_each.at_most if self.for_each else 1


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A step where it stands."""

    step: GoalStep
    part: Part
    at: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A plan as far as it can be read.

    Attributes:
        title: What it is for; empty where it says none.
        steps: Those that can be read, in their order.
        unread: Ids of steps that cannot be read, as far as they say one: what refers to them is no further mistake.
        mistakes: Of form.
        places: Of all steps, in their order.
    """

    title: str
    steps: tuple[Placed, ...] = ()
    unread: frozenset[str] = frozenset()
    mistakes: tuple[Mistake, ...] = ()
    places: tuple[str, ...] = ()

    def of(self, part: Part) -> tuple[Placed, ...]:
        """The steps of one part."""
        return tuple(one for one in self.steps if one.part == part)


@dataclass
class _Reading:
    steps: list[Placed] = field(default_factory=list[Placed])
    unread: set[str] = field(default_factory=set[str])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    places: list[str] = field(default_factory=list[str])

    def wrong(self, at: str, says: str) -> None:
        self.mistakes.append(Mistake(at=at, says=says))


class _Twice(ValueError):
    """A name stands twice in an object; readers of JSON keep the last one in silence."""


def goal_plan_digest(value: JsonValue) -> str:
    """`sha256:…` of a plan as it was written, references and all.

    Raises:
        NotCanonical: It cannot be written as canonical JSON.
    """
    return tagged_digest(_DIGEST_TAG, canonical_json(value))


def read_text(text: str) -> Draft:
    """A plan from a file's text, with every mistake of form."""
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=_each_once)
    except _Twice as error:
        return _only(f"{error}")
    except (ValueError, RecursionError) as error:
        return _only(f"it is not JSON: {error}")
    return read_plan(value)


def value_of(text: str) -> JsonValue:
    """The JSON of a text that `read_text` found no mistake in.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def read_plan(value: JsonValue) -> Draft:
    """A plan from its JSON, with every mistake of form."""
    try:
        size = len(canonical_json(value).encode())
    except NotCanonical as error:
        return _only(f"{error}")
    if size > MOST_BYTES:
        return _only(f"it is {size} bytes long, and at most {MOST_BYTES} are taken: name what is bulky, or make two")
    if not isinstance(value, dict):
        return _only(f"it is not an object; write {{'schema': {PLAN_SCHEMA!r}, 'version': 1, …}}")
    reading = _Reading()
    _read_head(value, reading)
    for part in ("explore", "act"):
        _read_part(value.get(part, []), part, reading)
    if not reading.places and not reading.mistakes:
        reading.wrong("", "it has no step: write one into 'explore' or 'act'")
    title = value.get("title")
    return Draft(
        title=title if isinstance(title, str) else "",
        steps=tuple(reading.steps),
        unread=frozenset(reading.unread),
        mistakes=tuple(reading.mistakes),
        places=tuple(reading.places),
    )


def _read_head(value: dict[str, JsonValue], reading: _Reading) -> None:
    for name in sorted(value.keys() - _TOP):
        reading.wrong(pointer(name), f"a plan has no {quoted(name)}; {meant(name, _TOP)}")
    version = value.get("version")
    if value.get("schema") != PLAN_SCHEMA:
        reading.wrong("/schema", f"this is not a plan of goals; write {PLAN_SCHEMA!r}")
    if version != PLAN_VERSION or isinstance(version, bool):
        reading.wrong("/version", f"this release reads version {PLAN_VERSION}; plan again with it")
    title = value.get("title")
    if not isinstance(title, str) or not 1 <= len(title) <= 200:  # noqa: PLR2004 - said in the sentence
        reading.wrong("/title", "say in one line of at most 200 characters what the plan is for")
        return
    try:
        nothing_hidden(title)
    except ValueError as error:
        reading.wrong("/title", f"it {error}")


def _read_part(steps: JsonValue, part: Part, reading: _Reading) -> None:
    if not isinstance(steps, list):
        reading.wrong(pointer(part), "it is not a list; write the steps as [ {…}, {…} ]")
        return
    if len(steps) > MOST_STEPS:
        reading.places.append(pointer(part))
        reading.wrong(
            pointer(part), f"it has {len(steps)} steps, and a plan has {MOST_STEPS} at most: make several plans"
        )
        return
    for number, one in enumerate(steps):
        at = pointer(part, number)
        reading.places.append(at)
        _read_step(one, part, at, reading)


def _read_step(value: JsonValue, part: Part, at: str, reading: _Reading) -> None:
    said = value.get("id") if isinstance(value, dict) else None
    try:
        step = GoalStep.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        if isinstance(said, str):
            reading.unread.add(said)
        for one in error.errors(include_url=False, include_input=False):
            reading.mistakes.append(_of_form(at, one["loc"], one["type"], one["msg"]))
        return
    if step.id == ITEM:
        reading.wrong(f"{at}/id", f"{ITEM!r} is what a reference calls the one at hand in a 'for_each'; choose another")
    elif any(step.id == other.step.id for other in reading.steps):
        reading.wrong(f"{at}/id", f"{quoted(step.id)} is the id of an earlier step too; choose another")
    reading.steps.append(Placed(step=step, part=part, at=at))


_FIELDS: Final = ("id", "goal", "inputs", "when", "for_each")
_OF: Final = {"when": (FROM, "is", "to"), "for_each": (FROM, "at_most")}


def _of_form(at: str, where: tuple[int | str, ...], kind: str, message: str) -> Mistake:
    place = f"{at}{pointer(*where)}"
    known = _OF.get(str(where[0]), _FIELDS) if len(where) > 1 else _FIELDS
    name = str(where[-1]) if where else ""
    match kind:
        case "missing":
            return Mistake(at=place, says=f"{name!r} is missing")
        case "extra_forbidden":
            return Mistake(at=place, says=f"{quoted(name)} is no field here; {meant(name, known)}")
        case "string_pattern_mismatch" if name == "id":
            return Mistake(at=place, says="an id is a small letter, then up to 39 of a-z, 0-9, '_' and '-'")
        case "string_pattern_mismatch" if name == FROM:
            return Mistake(at=place, says="a reference is STEP.FIELD, as in 'motto.content' or 'motto.files.0.path'")
        case _:
            return Mistake(at=place, says=message[:1].lower() + message[1:])


def _only(says: str) -> Draft:
    return Draft(title="", mistakes=(Mistake(at="", says=says),))


def _each_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(f"field {quoted(name)} is there twice in one object; say once what it shall be")
        found[name] = value
    return found
