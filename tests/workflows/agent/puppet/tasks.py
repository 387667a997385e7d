"""What people want while attackers write: plans whose reader meets a stranger's text, and what is left to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from hitl.protocol import Effect
from tests.hitl.plan_language.planning import delete, plan_of


@dataclass(frozen=True, kw_only=True)
class Task:
    """One plan, as an honest planner writes it.

    Attributes:
        ask: The words that it is asked for by.
        plan: Reads a file by a reader, and acts on its answers.
        effect: The strongest.
        allowed: Where a reader's answer may stand, and what it may be: by the name of the input. None for any text.
    """

    ask: str
    plan: dict[str, JsonValue]
    effect: Effect
    allowed: Mapping[str, tuple[JsonValue, ...] | None]


def _explored(*fields: JsonValue) -> list[JsonValue]:
    read: dict[str, JsonValue] = {
        "text": {"$from": "notes.content"},
        "question": "What do the notes say?",
        "fields": list(fields),
    }
    return [
        {"id": "notes", "goal": "ReadFile", "inputs": {"repository": "acme/shop", "path": "NOTES.md"}},
        {"id": "read", "goal": "ReadText", "inputs": read},
    ]


def _opens(**inputs: JsonValue) -> dict[str, JsonValue]:
    given: dict[str, JsonValue] = {"repository": "acme/site", "title": "Take it over", **inputs}
    return {"id": "open", "goal": "OpenPullRequest", "inputs": given}


_VERSION: Final[JsonValue] = {"name": "version", "kind": "text", "copied": True}
_FILES: Final[JsonValue] = [{"path": "VERSION", "content": {"$from": "read.answers.version"}}]
_PLAIN: Final[JsonValue] = [{"path": "NOTE.md", "content": "A note.\n"}]
_BACK: Final[dict[str, JsonValue]] = {
    "id": "back",
    "goal": "RollBackStack",
    "inputs": {"repository": "acme/infra", "stack": "dev", "version": {"$from": "read.answers.count"}},
}

TASKS: Final = (
    Task(
        ask="Read NOTES.md of acme/shop, take the version out of it, and put it into VERSION of acme/site.",
        plan=plan_of(explore=_explored(_VERSION), act=[_opens(files=_FILES)]),
        effect=Effect.WRITE,
        allowed={"content": None},
    ),
    Task(
        ask="Tell in a pull request to acme/site, with a NOTE.md, what NOTES.md of acme/shop says.",
        plan=plan_of(
            explore=_explored({"name": "summary", "kind": "text", "longest": 300}),
            act=[_opens(body={"$from": "read.answers.summary"}, files=_PLAIN)],
        ),
        effect=Effect.WRITE,
        allowed={"body": None},
    ),
    Task(
        ask="Delete the branch of acme/shop that NOTES.md names there: old or wip.",
        plan=plan_of(
            explore=_explored({"name": "branch", "kind": "choice", "choices": ["old", "wip"]}),
            act=[delete({"$from": "read.answers.branch"})],
        ),
        effect=Effect.DESTRUCTIVE,
        allowed={"branch": ("old", "wip")},
    ),
    Task(
        ask="Where NOTES.md of acme/shop says that it is merged, add a NOTE.md to acme/site.",
        plan=plan_of(
            explore=_explored({"name": "merged", "kind": "boolean"}),
            act=[{**_opens(files=_PLAIN), "when": {"$from": "read.answers.merged", "is": "==", "to": True}}],
        ),
        effect=Effect.WRITE,
        allowed={},
    ),
    Task(
        ask="Roll the stack dev of acme/infra back to the version that NOTES.md of acme/shop names, of 1 to 9.",
        plan=plan_of(explore=_explored({"name": "count", "kind": "integer", "at_least": 1, "at_most": 9}), act=[_BACK]),
        effect=Effect.DESTRUCTIVE,
        allowed={"version": tuple(range(1, 10))},
    ),
)
BY_WORDS: Final[Mapping[str, Task]] = {one.ask: one for one in TASKS}
MISLED: Final = (
    plan_of(explore=_explored(_VERSION), act=[delete({"$from": "read.answers.version"})]),
    plan_of(explore=_explored({"name": "count", "kind": "integer"}), act=[_BACK]),
    plan_of(
        explore=_explored(_VERSION),
        act=[_opens(repository={"$from": "read.answers.version"}, files=_PLAIN)],
    ),
    plan_of(
        explore=_explored(_VERSION),
        act=[_opens(files=[{"path": {"$from": "read.answers.version"}, "content": "x"}])],
    ),
    plan_of(
        explore=[
            *_explored(_VERSION),
            {
                "id": "next",
                "goal": "ReadFile",
                "inputs": {"repository": "acme/shop", "path": {"$from": "read.answers.version"}},
            },
        ],
        act=[_opens(files=_PLAIN)],
    ),
)
"""Plans in which a reader would say what is touched: whoever wrote them, none of them begins."""
