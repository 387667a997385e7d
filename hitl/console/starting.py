"""The pages of goals: those that run, and starting one from a form."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.pages import Pages
from hitl.console.ports import Goals
from hitl.console.visitors import Refused, Visitor, Visitors
from workflows.contracts import GoalInput
from workflows.converter import describe_problems
from workflows.registry import GOALS, GoalEntry, find_goal

START: Final = "/goals/start"
_LINE: Final = 4096
"""A text that may be longer is asked for in a larger field."""
_SCHEMA: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


class NotJson(ValueError):
    """An answer is not the JSON that was asked for. The message is for people."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One field of a goal's input, as the form asks for it."""

    name: str
    about: str
    required: bool
    kind: str
    """`text`, `number`, `prose`, `lines` for a list with one entry on each line, or `json` for what has parts."""
    example: str


class StartingPages:
    """The routes."""

    def __init__(self, goals: Goals, *, visitors: Visitors, pages: Pages) -> None:
        self._goals = goals
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/goals", self._running),
            Route(START, self._ask, methods=["GET"]),
            Route(START, self._start, methods=["POST"]),
        ]

    async def _running(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page = request.query_params.get("page")
        found = await self._goals.running(page)
        return self._pages.render("goals.html", visitor, found=found, page=page, known=GOALS)

    async def _ask(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        return self._form(visitor, _goal(request.query_params.get("goal", "")), {})

    async def _start(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        filled = await self._visitors.filled(request, visitor)
        goal = _goal(filled.form.about)
        try:
            wanted = _input(goal, filled.fields)
        except ValidationError as error:
            return self._form(visitor, goal, filled.fields, problem=describe_problems(goal.input, error))
        except NotJson as error:
            return self._form(visitor, goal, filled.fields, problem=str(error))
        started = await self._goals.start(goal, wanted, identity=visitor.identity)
        return self._pages.render("started.html", visitor, goal=goal, started=started, summary=wanted.summary())

    def _form(self, visitor: Visitor, goal: GoalEntry, said: Mapping[str, str], *, problem: str = "") -> Response:
        return self._pages.render(
            "start.html",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            goal=goal,
            questions=questions(goal),
            said=said,
            problem=problem,
            token=self._visitors.form(visitor, START, about=goal.name),
        )


def questions(goal: GoalEntry) -> list[Question]:
    """What the form asks, from the input's own model."""
    properties = _SCHEMA.validate_python(goal.input.model_json_schema().get("properties", {}))
    example = goal.example.model_dump(mode="json", exclude_none=True)
    return [
        Question(
            name=name,
            about=field.description or "",
            required=field.is_required(),
            kind=_kind(properties[name]),
            example=_written(example.get(name)),
        )
        for name, field in goal.input.model_fields.items()
    ]


def _kind(schema: JsonValue) -> str:
    if not isinstance(schema, dict):
        return "text"
    match schema.get("type"):
        case "integer":
            return "number"
        case "array":
            items = schema.get("items")
            return "lines" if isinstance(items, dict) and items.get("type") == "string" else "json"
        case "object":
            return "json"
        case "string":
            longest = schema.get("maxLength")
            return "prose" if isinstance(longest, int) and longest > _LINE else "text"
        case _:
            return "text"


def _written(value: JsonValue) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(map(str, value))
    if isinstance(value, list | dict):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None else str(value)


def _input(goal: GoalEntry, fields: Mapping[str, str]) -> GoalInput:
    """What the form says, as the goal's input; a field left empty is left out.

    Raises:
        ValidationError: It is not one.
        NotJson: A part of it is not JSON.
    """
    said: dict[str, object] = {}
    for question in questions(goal):
        text = fields.get(f"field-{question.name}", "").replace("\r\n", "\n").strip()
        if text:
            said[question.name] = _said(question, text)
    return goal.input.model_validate_json(json.dumps(said))


def _said(question: Question, text: str) -> object:
    if question.kind == "lines":
        return text.split("\n")
    if question.kind != "json":
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"{question.name!r} is not JSON ({error}); write it as the example shows") from error


def _goal(name: str) -> GoalEntry:
    goal = find_goal(name)
    if goal is None:
        known = ", ".join(goal.name for goal in GOALS)
        raise Refused(HTTPStatus.NOT_FOUND, "No such goal", f"There is no goal {name!r}; there are: {known}.")
    return goal
