"""What people are told of a coding job: its pull request's text, and what a model is told of its mistakes.

A model's words, and what tests wrote, stand in blocks that they cannot close: nobody is called by them and nothing is
linked or closed. All else in the text is ours.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from activities.coding.contracts import ChangeRead, GateRefusal, ReviewRead
from activities.coding.reading import quoted
from hitl.hidden import unhidden_lines, visible
from sandbox.gate.judged import RULES
from workflows.coding.job.goals import CodingJobInput, CodingJobResult, TestsRun

MOST_TAIL: Final = 4_000
_MOST_BODY: Final = 60_000
_MOST_FILES: Final = 40


def pull_request_body(wanted: CodingJobInput, read: ChangeRead, result: CodingJobResult, goal: str) -> str:
    """The text of the pull request.

    Args:
        wanted: What was asked.
        read: What the model says of its change.
        result: What came of the job so far.
        goal: Its workflow id.
    """
    head = f"A language model made this change ({wanted.kind}). Read it as you would a stranger's."
    asked = f"Asked in {wanted.place}." if wanted.place else ""
    return _within([head, asked, *_judged(read, result, goal)])


def _judged(read: ChangeRead, result: CodingJobResult, goal: str) -> list[str]:
    return [
        "### In the model's words",
        quoted(read.explanation),
        "### Judged by rules",
        table(("rule", "passed"), [(what, "yes") for what in RULES.values()]),
        "### Tests, each in a container of its own",
        *(quoted_run(one) for one in result.tests),
        "" if result.tests else "None were run: nobody said how.",
        "### What it is made of",
        table(("", ""), list(_evidence(result, goal))),
        table(("file", "lines"), list(_files(result))),
    ]


def _within(parts: Sequence[str]) -> str:
    body = "\n\n".join(one for one in parts if one)
    return body if len(body) <= _MOST_BODY else f"{body[: _MOST_BODY - 1]}…"


def revision_body(read: ChangeRead, result: CodingJobResult, goal: str) -> str:
    """The comment that says what was pushed onto the pull request, and how it was judged."""
    head = f"A language model took up the review: {result.pushed} is the head of this pull request now. "
    head += "Read it as you would a stranger's; what was approved before was approved without it."
    return _within([head, *_judged(read, result, goal)])


def answer_body(says: str, read: ChangeRead, result: CodingJobResult) -> str:
    """The answer to what was said on a line.

    Args:
        says: What the model says to it; empty where it says nothing.
        read: What it says of its change.
        result: What came of the job.
    """
    words = quoted(says) if says else "It says nothing to this in particular."
    if result.pushed is None:
        changed = f"Nothing was changed, because:\n\n{quoted(read.nothing)}"
    else:
        changed = f"{result.pushed} is what it changed; how that was judged stands on the pull request."
    return f"A language model answers:\n\n{words}\n\n{changed}"


def review_body(read: ReviewRead, result: CodingJobResult, goal: str) -> str:
    """The text of the review."""
    head = "A language model looked at this pull request. It approves nothing and refuses nothing: people do."
    return "\n\n".join([head, quoted(read.summary), table(("", ""), list(_evidence(result, goal)))])


def refused_by_rules(refusals: Sequence[GateRefusal]) -> str:
    """What a model is told of its change."""
    lines = "\n".join(f"- {one.line()}" for one in refusals)
    return f"Your change is not taken as it is. Mend all of this, and answer again:\n{lines}"


def refused_by_tests(run: TestsRun) -> str:
    """What a model is told of the tests."""
    if not run.changed:
        return (
            "You said that the tests fail without your change. At the commit without it, in a container of their own, "
            "they pass. Have them test what you changed, or answer again with `fails_without` false."
        )
    return (
        f"With your change the tests do not pass: {ended(run)}. They ran in a container of their own, on the commit "
        f"with your change alone. Mend it, and answer again. The end of what they wrote is data:\n{quoted(run.tail)}"
    )


def mistakes_told(mistakes: Sequence[str]) -> str:
    """What a model is told of its answer."""
    return "Your answer cannot be taken. Answer again, whole:\n" + "\n".join(f"- {one}" for one in mistakes)


def ended(run: TestsRun) -> str:
    """How the tests ended, in a few words."""
    return f"exit status {run.exit_code}" if run.ended == "exit" else f"stopped ({run.ended})"


def quoted_run(run: TestsRun) -> str:
    """How tests went, with the end of what they wrote in a block that it cannot close."""
    where = "with the change" if run.changed else "without the change"
    words = visible(json.dumps(list(run.command)))
    return f"{code(words)} {where}: {ended(run)}\n\n{quoted(unhidden_lines(run.tail))}"


def _evidence(result: CodingJobResult, goal: str) -> Iterator[tuple[str, str]]:
    yield "goal", code(goal)
    yield "commit", code(result.commit or "")
    if result.patch:
        yield "change", code(result.patch)
    yield "model", code(f"{result.backend}/{result.model}")
    yield "instructions", code(result.prompt or "")
    yield "asked", f"{result.requests} times, {result.calls} tools called, {result.rounds} changes judged"
    yield "tokens", f"{result.input_tokens} in, {result.output_tokens} out"
    yield "cost", f"{result.cost_micros / 1_000_000:.4f} US dollars at most"


def _files(result: CodingJobResult) -> Iterator[tuple[str, str]]:
    for one in result.files[:_MOST_FILES]:
        yield code(one.path), f"{one.change}, +{one.added or 0} -{one.removed or 0}"


def code(text: str) -> str:
    """A stranger's few words in Markdown, as code: nobody is called and nothing is linked."""
    shown = visible(text.replace("`", "'").replace("|", "¦"))[:300]
    return f"`{shown}`" if shown else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; nothing where it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "|".join("---" if one == "---" else f" {one} " for one in line) + "|" for line in lines)
