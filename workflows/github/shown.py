"""What a job shows on GitHub, as text. Pure.

Whatever a goal or a stranger said stands in a fenced block, cut: there it is no markup, no link and no mention of
anybody. What is outside of a fence are our own words and names of the catalogue.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from pydantic import JsonValue, TypeAdapter, ValidationError

from activities.github.showing_contracts import JobLabel
from connectors.github.shown import Action, Annotation, Conclusion
from hitl.hidden import unhidden_lines, visible
from workflows.agent.history_contracts import StepTold
from workflows.contracts import State
from workflows.github.following_contracts import GoalFollowed
from workflows.github.job_contracts import APPROVE, CANCEL, RETRY

MOST_ANNOTATIONS: Final = 500
_LONGEST: Final = 3_000
_MOST_LINKS: Final = 10
_LINE: Final = 300
_SHOWN_DIGEST: Final = len("sha256:") + 12
_LONGEST_PATH: Final = 400
_LONGEST_REMARK: Final = 1_000
"""All remarks travel in one request of a step."""
_TICKS: Final = re.compile(r"`+")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,299}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LINK: Final = re.compile(
    r"(?:https://[A-Za-z0-9.-]+|http://(?:127\.0\.0\.1|localhost))(?::[0-9]+)?/[A-Za-z0-9/_.#?=&%-]{0,300}"
)
_ANNOTATIONS: Final = TypeAdapter(tuple[Annotation, ...])

CONCLUSIONS: Final[Mapping[str, Conclusion]] = {
    State.COMPLETED: "success",
    State.CANCELLED: "cancelled",
    State.FAILED: "failure",
    State.PARTIALLY_APPLIED: "failure",
    State.UNKNOWN: "failure",
    State.UNDONE: "failure",
}
"""How a goal ended, as a check run says it. Every other end is a refusal, which is not broken: `neutral`."""
_LABELS: Final[Mapping[Conclusion, JobLabel]] = {"success": "banksman:applied", "failure": "banksman:failed"}

_CANCEL: Final = Action(label="Cancel", description="Cancel the goal", identifier=CANCEL)
_APPROVE: Final = Action(label="Approve", description="Say yes to what it waits for", identifier=APPROVE)
_RETRY: Final = Action(label="Run again", description="Ask for the same once more", identifier=RETRY)


class End(NamedTuple):
    """How a goal ended: in a word, why, and what it gave."""

    outcome: str
    reason: str | None
    result: Mapping[str, JsonValue]


class Words(NamedTuple):
    """What a check run says."""

    title: str
    summary: str
    actions: tuple[Action, ...]


def conclusion_of(outcome: str) -> Conclusion:
    """What a check run says of an end."""
    return CONCLUSIONS.get(outcome, "neutral")


def label_of(conclusion: Conclusion) -> JobLabel | None:
    """Which label an ended job leaves; none after what was refused or cancelled."""
    return _LABELS.get(conclusion)


def begun(goal: str) -> Words:
    """Before it runs."""
    return Words(f"{goal} waits to begin", "It was asked for and begins as soon as a worker takes it.", (_CANCEL,))


def under_way(goal: str, followed: GoalFollowed) -> Words:
    """While it runs."""
    if followed.state == State.WAITING:
        said = "People have to say yes to what it is about to do. The plan is on the console."
        said += f" Its digest begins with `{followed.digest[:_SHOWN_DIGEST]}`." if followed.digest else ""
        return Words(f"{goal} waits for an approval", _with(said, followed.now), (_APPROVE, _CANCEL))
    if followed.state == State.PARKED:
        said = "Something that it needs stays away. It tries again by itself, and an operator can have it try at once."
        return Words(f"{goal} is parked", _with(said, followed.now), (_CANCEL,))
    return Words(f"{goal} is at work", _with("It runs.", followed.now), (_CANCEL,))


def ended(goal: str, end: End, *, moved: bool) -> Words:
    """After it ended."""
    words = end.outcome.replace("_", " ")
    title = f"Stale: {goal} ended as {words} on an older commit" if moved else f"{goal} ended as {words}"
    stale = "The pull request stands at another commit by now: this says nothing of that one.\n\n" if moved else ""
    again = () if end.outcome == State.COMPLETED and not moved else (_RETRY,)
    return Words(title, stale + _with(_sentence(end), end.reason or ""), again)


def result_comment(goal: str, end: End, *, link: str | None, moved: bool) -> str:
    """What the one comment says after the end."""
    words = ended(goal, end, moved=moved)
    made = "".join(f"\n\nResult: {url}" for url in _links(end.result))
    return f"**{words.title}**\n\n{words.summary}{made}{_log(link)}"


def _links(result: Mapping[str, JsonValue]) -> Iterator[str]:
    """The pages of what a goal made, or the steps of its plan, the first of them."""
    steps = result.get("steps")
    made = [one.get("url") for one in steps if isinstance(one, Mapping)] if isinstance(steps, list) else []
    links = (one for one in (result.get("url"), *made) if isinstance(one, str) and _LINK.fullmatch(one))
    yield from islice(dict.fromkeys(links), _MOST_LINKS)


def waiting_comment(goal: str, followed: GoalFollowed, *, link: str | None) -> str:
    """What it says while people have to decide."""
    words = under_way(goal, followed)
    return f"**{words.title}**\n\n{words.summary}{_decided_by(followed)}{_log(link)}"


def _decided_by(followed: GoalFollowed) -> str:
    """What to type here; whether that counts on GitHub is the policy's to say."""
    digest = followed.digest.removeprefix("sha256:")[:12]
    if not _ID.fullmatch(followed.approval) or not digest:
        return ""
    said = (
        f"`/banksman approve {followed.approval} {digest}`\n\nsays yes to exactly that plan; `reject` with the same ID"
    )
    return f"\n\n{said} and a reason in place of the digest says no."


def log_of(followed: GoalFollowed) -> str:
    """The steps by their names: what each came to, and why it failed."""
    earlier = [f"… {followed.earlier} earlier steps are left out"] if followed.earlier else []
    lines = [*earlier, *map(_step, followed.steps)]
    return fenced("\n".join(lines), most=50_000) if lines else ""


def annotations_of(result: Mapping[str, JsonValue]) -> tuple[Annotation, ...]:
    """The remarks on lines that a goal's result holds under `annotations`; none where they are no such things."""
    try:
        said = _ANNOTATIONS.validate_python(result.get("annotations") or ())
    except ValidationError:
        return ()
    fitting = (one for one in said if len(one.path) <= _LONGEST_PATH)
    cut = (one.model_copy(update={"message": unhidden_lines(one.message)[:_LONGEST_REMARK]}) for one in fitting)
    return tuple(cut)[:MOST_ANNOTATIONS]


def pushed_by(result: Mapping[str, JsonValue]) -> str | None:
    """The commit that a goal put on the branch of the pull request, as its result tells under `pushed`."""
    found = result.get("pushed")
    return found if isinstance(found, str) and _COMMIT.fullmatch(found) else None


def fenced(text: str, *, most: int = _LONGEST) -> str:
    """A text as it is, in a block that it cannot end."""
    shown = unhidden_lines(text)
    shown = shown if len(shown) <= most else f"{shown[:most]}…"
    longest = max((len(one) for one in _TICKS.findall(shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def _step(one: StepTold) -> str:
    tries = f", attempt {one.attempts}" if one.attempts > 1 else ""
    why = f": {visible(one.why)}" if one.why else ""
    return f"{one.at}  {visible(one.name)}  {one.ended}{tries}{why}"[:_LINE]


def _sentence(end: End) -> str:
    match conclusion_of(end.outcome):
        case "success":
            return "It did what was asked for."
        case "cancelled":
            return "It was cancelled before its end."
        case "failure":
            return "It did not come to a good end."
        case _:
            return "It was refused, and nothing is broken by that."


def _with(said: str, theirs: str) -> str:
    return f"{said}\n\n{fenced(theirs)}" if theirs else said


def _log(link: str | None) -> str:
    return f"\n\n[The whole log]({link})" if link else ""
