"""Starting a goal from a form, which tells beside each field what is wrong with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Refused, Visitor, Visitors
from hitl.console.pages import Pages
from hitl.console.ports import Goals
from workflows.catalogue import GOALS, find_goal
from workflows.contracts import GoalInput
from workflows.converter import problems_by_field
from workflows.goal_type import GoalType

START: Final = "/goals/start"
EMERGENCY: Final = "break_glass"
_REHEARSAL: Final = "rehearsal"
"""Every goal takes it, and few people give it: it comes after what the goal is about."""
_LINE: Final = 4096
"""A text that may be longer is asked for in a larger field."""
_SCHEMA: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


class Wrong(ValueError):
    """What the form says is no input."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems
        """By field, for people; under the empty name what is wrong with the whole."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One field of a goal's input, as the form asks for it."""

    name: str
    about: str
    required: bool
    kind: str
    """`text`, `number`, `prose`, `check` for yes or no, `lines` for a list with one entry on each line, or `json` for
    what has parts."""
    example: str

    @property
    def grave(self) -> bool:
        """Whether it changes who is asked: it stands last, and in red."""
        return self.name == EMERGENCY


class StartingPages:
    """The routes."""

    def __init__(self, goals: Goals, *, visitors: Visitors, pages: Pages) -> None:
        self._goals = goals
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(START, self._ask, methods=["GET"]),
            Route(START, self._start, methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        return self._form(visitor, _goal(request.query_params.get("goal", "")), {})

    async def _start(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        filled = await self._visitors.filled(request, visitor)
        goal = _goal(filled.form.about)
        try:
            wanted = _input(goal, filled.fields)
        except Wrong as wrong:
            return self._form(visitor, goal, filled.fields, problems=wrong.problems)
        started = await self._goals.start(goal, wanted, identity=visitor.identity)
        return self._pages.render("started.html", visitor, goal=goal, started=started, summary=wanted.summary())

    def _form(
        self, visitor: Visitor, goal: GoalType, said: Mapping[str, str], *, problems: Mapping[str, str] | None = None
    ) -> Response:
        return self._pages.render(
            "start.html",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
            goal=goal,
            questions=questions(goal),
            said=said,
            problems=problems or {},
            token=self._visitors.form(visitor, START, about=goal.name),
        )


def questions(goal: GoalType) -> list[Question]:
    """What the form asks, from the input's own model; what is for an emergency comes last."""
    properties = _SCHEMA.validate_python(goal.input.model_json_schema().get("properties", {}))
    example = goal.example.model_dump(mode="json", exclude_none=True)
    asked = [
        Question(
            name=name,
            about=field.description or "",
            required=field.is_required(),
            kind=_kind(properties[name]),
            example=_written(example.get(name)),
        )
        for name, field in goal.input.model_fields.items()
    ]
    return sorted(asked, key=lambda one: (one.grave, one.name == _REHEARSAL))


_KINDS: Final[Mapping[JsonValue, str]] = {"integer": "number", "object": "json", "boolean": "check"}


def _kind(schema: JsonValue) -> str:
    if not isinstance(schema, dict):
        return "text"
    match schema.get("type"):
        case "array":
            items = schema.get("items")
            return "lines" if isinstance(items, dict) and items.get("type") == "string" else "json"
        case "string":
            longest = schema.get("maxLength")
            return "prose" if isinstance(longest, int) and longest > _LINE else "text"
        case other:
            return _KINDS.get(other if isinstance(other, str) else None, "text")


def _written(value: JsonValue) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(map(str, value))
    if isinstance(value, list | dict):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None else str(value)


def _input(goal: GoalType, fields: Mapping[str, str]) -> GoalInput:
    """What the form says, as the goal's input; a field left empty is left out.

    Raises:
        Wrong: It is not one.
    """
    said: dict[str, object] = {}
    problems: dict[str, str] = {}
    for question in questions(goal):
        text = fields.get(f"field-{question.name}", "").replace("\r\n", "\n").strip()
        try:
            if text:
                said[question.name] = _said(question, text)
        except (ValueError, RecursionError) as error:
            problems[question.name] = f"is not JSON ({error}); write it as the example shows"
    if problems:
        raise Wrong(problems)
    try:
        return goal.input.model_validate_json(json.dumps(said))
    except ValidationError as error:
        raise Wrong(problems_by_field(error)) from error


def _said(question: Question, text: str) -> object:
    match question.kind:
        case "lines":
            return text.split("\n")
        case "json":
            return json.loads(text)
        case "check":
            return True
        case _:
            return text


def _goal(name: str) -> GoalType:
    goal = find_goal(name)
    if goal is None:
        known = ", ".join(goal.name for goal in GOALS)
        raise Refused(HTTPStatus.NOT_FOUND, "No such goal", f"There is no goal {name!r}; there are: {known}.")
    return goal
