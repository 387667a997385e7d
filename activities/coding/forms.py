"""The forms of a coding model's answers, apart from what it is told: workflow code names them, and never the other."""

from typing import Final

from pydantic import JsonValue

from connectors.models.messages import OutputSchema

_TEXT: Final[JsonValue] = {"type": "string"}
_LINE: Final[JsonValue] = {"type": ["integer", "null"]}
_COMMENT: Final[JsonValue] = {
    "type": "object",
    "properties": {
        "path": _TEXT,
        "line": {"type": "integer"},
        "first": _LINE,
        "says": _TEXT,
        "suggestion": {"type": ["string", "null"]},
    },
    "required": ["path", "line", "first", "says", "suggestion"],
}
CHANGE: Final = OutputSchema(
    name="change",
    description="That the change is made, and what it is; or why nothing is to be changed.",
    json_schema={
        "type": "object",
        "properties": {
            "title": _TEXT,
            "explanation": _TEXT,
            "fails_without": {"type": "boolean"},
            "nothing": _TEXT,
        },
        "required": ["title", "explanation", "fails_without", "nothing"],
    },
)
_ANSWER: Final[JsonValue] = {
    "type": "object",
    "properties": {"comment": {"type": "integer"}, "says": _TEXT},
    "required": ["comment", "says"],
}
REVISION: Final = OutputSchema(
    name="change",
    description="That the change is made, and what it is, with an answer to each comment; or why nothing is changed.",
    json_schema={
        "type": "object",
        "properties": {
            "title": _TEXT,
            "explanation": _TEXT,
            "fails_without": {"type": "boolean"},
            "nothing": _TEXT,
            "answers": {"type": "array", "items": _ANSWER},
        },
        "required": ["title", "explanation", "fails_without", "nothing", "answers"],
    },
)
REVIEW: Final = OutputSchema(
    name="review",
    description="What there is to say of the change, as a whole and of single lines.",
    json_schema={
        "type": "object",
        "properties": {"summary": _TEXT, "comments": {"type": "array", "items": _COMMENT}},
        "required": ["summary", "comments"],
    },
)
