"""Plans for tests, over the real catalogue."""

from typing import Any, Final

from pydantic import JsonValue

from hitl.plan_language.binding import Bound, Results, bind
from hitl.plan_language.checker import Checked, check
from hitl.plan_language.labels import Lists
from hitl.plan_language.language import Draft, goal_plan_digest, read_plan
from workflows.agent.described import described

COMMIT: Final = "c" * 40
MOTTO: Final[dict[str, JsonValue]] = {
    "id": "motto",
    "goal": "ReadFile",
    "inputs": {"repository": "acme/shop", "path": "MOTTO.md"},
}
FOUND: Final[dict[str, JsonValue]] = {"commit": COMMIT, "size": 5, "content": "Onwards", "encoding": "utf-8"}
OPEN: Final[dict[str, JsonValue]] = {
    "id": "open",
    "goal": "OpenPullRequest",
    "inputs": {
        "repository": "acme/site",
        "title": "Copy the motto",
        "files": [{"path": "MOTTO.md", "content": {"$from": "motto.content"}}],
    },
}


def plan_of(*, explore: Any = (MOTTO,), act: Any = (OPEN,), **more: JsonValue) -> dict[str, JsonValue]:
    return {
        "schema": "banksman-goal-plan",
        "version": 1,
        "title": "Copy the motto",
        "explore": list(explore),
        "act": list(act),
        **more,
    }


def step(of: dict[str, JsonValue], **more: JsonValue) -> dict[str, JsonValue]:
    """A step with other fields; what is None is left out."""
    return {name: value for name, value in {**of, **more}.items() if value is not None}


def delete(branch: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return {"id": "gone", "goal": "DeleteBranch", "inputs": {"repository": "acme/shop", "branch": branch}, **more}


def checked(value: JsonValue, lists: Lists | None = None) -> Checked:
    return check(read_plan(value), described(), lists or {})


def said(value: JsonValue, lists: Lists | None = None) -> list[str]:
    """What is wrong with it, a line each."""
    return [one.line() for one in checked(value, lists).mistakes]


def bound(value: JsonValue, results: Results, lists: Lists | None = None) -> Bound:
    """As far as these results go, of a plan without a mistake."""
    draft: Draft = read_plan(value)
    assert check(draft, described(), lists or {}).mistakes == ()
    return bind(draft, goal_plan_digest(value), described(), lists or {}, results)
