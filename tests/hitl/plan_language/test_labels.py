"""Labels: which fields of which goals are text, and which values no stranger has a choice in."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import JsonValue

from hitl.plan_language.catalogue import Path
from hitl.plan_language.labels import POSITION, TRUST, is_closed, position_of
from hitl.plan_language.types import Typed
from workflows.agent.described import described


def texts(typed: Typed, path: Path = ()) -> Iterator[Path]:
    """Every declared place that takes a text, below an input."""
    for one in typed.alternatives():
        if "string" in one.kinds() and path and one.listed() is None:
            yield path
        for name in one.properties():
            if (inner := one.below(name)) is not None and name not in path:
                yield from texts(inner, (*path, name))
        if path and (item := one.item()) is not None and "array" in one.kinds() and path[-1] != 0:
            yield from texts(item, (*path, 0))


def test_a_strangers_words_go_into_these_fields_and_a_new_one_is_looked_at_first() -> None:
    found = {
        f"{name} {'.'.join(map(str, path))}"
        for name, goal in described().items()
        if not goal.why_not
        for path in texts(goal.takes)
        if path[0] != "rehearsal" and not position_of(goal.takes, path)[1]
    }
    assert found == {
        "OpenPullRequest title",
        "OpenPullRequest body",
        "OpenPullRequest files.0.content",
        "OpenPullRequest files.0.content_base64",
        "ReadText text",
        "ReadText question",
        "ReadText fields.0.name",
        "ReadText fields.0.asks",
        # Written in a container that reaches nothing, perhaps run there, and kept as a patch that nobody pushes.
        "EditRepository calls.0.content",
        "EditRepository calls.0.by",
        # As an issue's words are: what comes of them passes the gate, and people read it as a pull request.
        "CodingJob text",
    }


@pytest.mark.parametrize(
    ("schema", "value", "closed"),
    [
        ({"type": "string"}, None, False),
        ({"type": "integer"}, None, True),
        ({"type": "boolean"}, None, True),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, True),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, None, False),
        ({"type": "string", "enum": ["a", "b"]}, None, True),
        ({"const": "a"}, None, True),
        ({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, None, True),
        ({"type": "string", "pattern": "^[a-z]+$"}, None, False),
        ({"type": "string", "format": "date-time"}, None, True),
        ({"type": "string", "format": "uri"}, None, False),
        ({"type": "array", "items": {"type": "integer"}}, None, True),
        ({"type": "array", "items": {"type": "string"}}, None, False),
        ({"type": "array"}, None, False),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, None, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, None, False),
        ({"type": "object"}, None, False),
        ({}, None, False),
        ({"type": "string", TRUST: "closed"}, "x", True),
        ({"type": "integer", TRUST: "untrusted"}, 1, False),
        ({"type": "string", TRUST: "digest"}, "c" * 40, True),
        ({"type": "string", TRUST: "digest"}, "main", False),
        ({"type": "string", TRUST: "digest"}, "c" * 40 + "\n", False),
        ({"type": "string", TRUST: "digest"}, ["c" * 40], False),
    ],
)
def test_what_no_stranger_has_a_choice_in_is_closed(schema: Any, value: JsonValue, *, closed: bool) -> None:
    assert is_closed(Typed(schema, schema), value) is closed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("title",), ("title", False)),
        (("files", 3, "content"), ("content", False)),
        (("files", 3, "path"), ("path", True)),
        (("anything",), ("anything", True)),
        (("free", "title"), ("free", True)),
        (("message",), ("message", True)),
        (("shell",), ("shell", False)),
    ],
)
def test_a_place_counts_as_naming_a_thing_unless_it_is_known_as_text(path: Path, expected: tuple[str, bool]) -> None:
    schema: Any = {
        "properties": {
            "title": {"type": "string"},
            "files": {
                "type": "array",
                "items": {"properties": {"path": {"type": "string"}, "content": {"type": "string"}}},
            },
            "free": {"type": "object", "additionalProperties": True},
            "message": {"type": "string", POSITION: "identity"},
            "shell": {"type": "string", POSITION: "text"},
        }
    }
    assert position_of(Typed(schema, schema), path) == expected
