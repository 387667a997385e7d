"""The forms of a coding model's answers, apart from what it is told: workflow code names them, and never the other."""

from typing import Final

from pydantic import JsonValue

from connectors.models.messages import OutputSchema

_TEXT: Final[JsonValue] = {"type": "string"}
_CHANGE: Final[dict[str, JsonValue]] = {
    "title": _TEXT,
    "explanation": _TEXT,
    "fails_without": {"type": "boolean"},
    "nothing": _TEXT,
}


def _with_all(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """An object that has all of these."""
    return {"type": "object", "properties": properties, "required": [*properties]}


_ANSWER: Final = _with_all({"comment": {"type": "integer"}, "says": _TEXT})
_COMMENT: Final = _with_all(
    {
        "path": _TEXT,
        "line": {"type": "integer"},
        "first": {"type": ["integer", "null"]},
        "says": _TEXT,
        "suggestion": {"type": ["string", "null"]},
    }
)
CHANGE: Final = OutputSchema(
    name="change",
    description="That the change is made, and what it is; or why nothing is to be changed.",
    json_schema=_with_all(_CHANGE),
)
REVISION: Final = OutputSchema(
    name="change",
    description="That the change is made, and what it is, with an answer to each comment; or why nothing is changed.",
    json_schema=_with_all({**_CHANGE, "answers": {"type": "array", "items": _ANSWER}}),
)
REVIEW: Final = OutputSchema(
    name="review",
    description="What there is to say of the change, as a whole and of single lines.",
    json_schema=_with_all({"summary": _TEXT, "comments": {"type": "array", "items": _COMMENT}}),
)
