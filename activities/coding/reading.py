"""Reads what a coding model answered. Mistakes are told, so that it can mend them; nothing it says is done here.

Its words are redacted, and what hides is written out, before anybody sees them.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from activities.coding.contracts import MOST_EXPLANATION, MOST_SAID, MOST_TITLE, ChangeRead, ReviewRead, ThreadAnswer
from activities.github.asked_contracts import Diff, ReviewLine
from hitl.hidden import unhidden_lines, visible
from observability.redaction import redact
from sandbox.gate.change import PatchUnreadable, hunk_lines
from sandbox.gate.code import hidden_in
from sandbox.gate.secrets import secrets_in

_LARGEST: Final = 256 * 1024
_SHOWN: Final = 120
_SUGGESTION: Final = 4_000
_MOST_LINES: Final = 100
"""That one comment is about."""
Model = TypeVar("Model", bound=BaseModel)


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Answer(_Said):
    comment: int
    says: str


class _Change(_Said):
    title: str = ""
    explanation: str = ""
    fails_without: bool = False
    nothing: str = ""
    answers: list[_Answer] = Field(default_factory=list[_Answer])


class _Comment(_Said):
    path: Annotated[str, StringConstraints(max_length=500)]
    line: int
    first: int | None = None
    says: str
    suggestion: str | None = None


class _Review(_Said):
    summary: str
    comments: list[_Comment] = Field(default_factory=list[_Comment])


def read_change(raw: bytes, threads: Collection[int] = ()) -> ChangeRead:
    """The answer of a model that changed files.

    Args:
        raw: What it answered.
        threads: What it was to answer besides; answers to anything else are left out.
    """
    said = _read(raw, _Change)
    if isinstance(said, str):
        return ChangeRead(mistakes=(said,))
    title = visible(" ".join(redact.text(said.title).split()))
    nothing = _shown(said.nothing, MOST_EXPLANATION)
    mistakes: list[str] = []
    if not nothing and not title:
        mistakes.append("title: say in one line what was changed")
    if len(title) > MOST_TITLE:
        mistakes.append(f"title: it has {len(title)} characters, and {MOST_TITLE} are the most")
    if not nothing and not said.explanation.strip():
        mistakes.append("explanation: say what was changed, and why")
    return ChangeRead(
        title=title[:MOST_TITLE],
        explanation=_shown(said.explanation, MOST_EXPLANATION),
        fails_without=said.fails_without,
        nothing=nothing,
        answers=_answers(said.answers, threads),
        mistakes=tuple(mistakes),
    )


def _answers(said: Iterable[_Answer], threads: Collection[int]) -> tuple[ThreadAnswer, ...]:
    """The first to each, of those that say something."""
    first: dict[int, str] = {}
    for one in said:
        if one.comment in threads and one.says.strip():
            first.setdefault(one.comment, _shown(one.says, MOST_SAID))
    return tuple(ThreadAnswer(comment=comment, says=says) for comment, says in first.items())


def read_review(raw: bytes, diff: Diff, *, most: int) -> ReviewRead:
    """The answer of a model that reviewed: comments on lines that the diff shows, and of the others why not.

    Args:
        raw: What it answered.
        diff: What it reviewed.
        most: Comments that are taken.
    """
    said = _read(raw, _Review)
    if isinstance(said, str):
        return ReviewRead(mistakes=(said,))
    shown = {one.path: _lines(one.patch) for one in diff.files}
    taken: list[ReviewLine] = []
    mistakes = [] if said.summary.strip() else ["summary: say what matters, or that nothing was found"]
    for number, one in enumerate(said.comments):
        why = _wrong(one, shown)
        if why is None and len(taken) >= most:
            why = f"{most} comments are the most that one review may have"
        if why is not None:
            mistakes.append(f"comments.{number}: {why}")
            continue
        taken.append(ReviewLine(path=one.path, line=one.line, first=one.first, body=_body(one)))
    return ReviewRead(
        summary=_shown(said.summary, MOST_EXPLANATION), comments=tuple(taken), mistakes=tuple(mistakes[:20])
    )


def quoted(text: str, *, as_: str = "text") -> str:
    """A stranger's words in Markdown: in a block that they cannot close, in which nobody is called and nothing linked.

    Args:
        text: Their words.
        as_: What the block is called; `suggestion` is GitHub's own.
    """
    longest = max((len(run) for run in _runs(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{as_}\n{text}\n{fence}"


def _runs(text: str) -> list[str]:
    return re.findall("`+", text)


def _read(raw: bytes, model: type[Model]) -> Model | str:
    if len(raw) > _LARGEST:
        return f"the answer has {len(raw)} bytes, and {_LARGEST} are the most"
    try:
        return model.model_validate(json.loads(raw))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[0]
        at = visible(".".join(map(str, found["loc"])))[:_SHOWN]
        return f"{at or 'the answer'}: {found['msg']}"
    except (ValueError, RecursionError):
        return "the answer: it is not one JSON object"


def _lines(patch: str | None) -> frozenset[int]:
    try:
        return frozenset(one.number for one in hunk_lines(patch or "").shown)
    except PatchUnreadable:
        return frozenset()


def _wrong(one: _Comment, shown: Mapping[str, frozenset[int]]) -> str | None:
    """Why a comment cannot be made; None where it can."""
    path = visible(one.path[:_SHOWN])
    first = one.line if one.first is None else one.first
    if one.path not in shown:
        return f"the pull request does not change {path!r}"
    if first > one.line or one.line - first >= _MOST_LINES or not {*range(first, one.line + 1)} <= shown[one.path]:
        return f"the diff of {path!r} does not show line {one.line}" + (f" from {first} on" if one.first else "")
    if not one.says.strip():
        return "it says nothing"
    if one.suggestion is not None:
        if len(one.suggestion) > _SUGGESTION:
            return f"its suggestion has {len(one.suggestion)} characters, and {_SUGGESTION} are the most"
        if any(hidden_in(line) or [*secrets_in(line)] for line in one.suggestion.splitlines()):
            return "its suggestion has a secret, or characters that nobody sees"
    return None


def _body(one: _Comment) -> str:
    said = quoted(_shown(one.says, MOST_SAID))
    return said if one.suggestion is None else f"{said}\n\n{quoted(one.suggestion, as_='suggestion')}"


def _shown(text: str, most: int) -> str:
    """As people may see it: without secrets, with what hides written out, and cut."""
    shown = unhidden_lines(redact.text(text.strip()))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
