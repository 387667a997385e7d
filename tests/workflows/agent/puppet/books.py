"""What each twin was asked to write, by its own book, beside what people approved."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from hitl.plan_language.bound import BoundPlan, BoundStep
from tests.connectors.github.description import Exchange
from tests.connectors.slack.workspace import Twin as Slack
from tests.hitl.gateway.running import CHANNEL, ELSEWHERE
from tests.workflows.agent.puppet.town import Twins

_TOKENS: Final = ("/access_tokens", "/installation/token")
_READS: Final = ("/git-upload-pack",)
PUSHES: Final = "/git-receive-pack"
OURS: Final = "http://temporal.example"
"""Where messages may lead."""
_MARKS: Final = re.compile(r"<((?:https?:|!)[^|>]*)")


def writes(twins: Twins) -> list[Exchange]:
    """Every request to GitHub that would change something; tokens are lent and given back."""
    return [
        one
        for one in twins.github.recorder.exchanges
        if one.method not in {"GET", "HEAD"} and not one.path.endswith((*_TOKENS, *_READS))
    ]


def files_read(twins: Twins) -> set[str]:
    """Every file that GitHub was asked for, as REPOSITORY PATH."""
    asked = (one.path for one in twins.github.recorder.exchanges if "/contents/" in one.path)
    return {path.removeprefix("/repos/").replace("/contents/", " ", 1) for path in asked}


def pulls_asked(twins: Twins) -> Counter[tuple[str, ...]]:
    """Pull requests that it was asked to open: where, with which title and text."""
    return Counter(
        (_repository(one), body["title"], body.get("body") or "")
        for one in writes(twins)
        if one.path.endswith("/pulls") and (body := _body(one))
    )


def files_asked(twins: Twins) -> Counter[tuple[str, ...]]:
    """Files that it was asked to write: where, which path, and git's name of what is in it."""
    return Counter(
        (_repository(one), entry["path"], entry["sha"])
        for one in writes(twins)
        if one.path.endswith("/git/trees")
        for entry in _body(one).get("tree", ())
    )


def others_asked(twins: Twins) -> list[str]:
    """What it was asked to change beside commits on new branches of ours, and their pull requests."""
    ours = ("/git/blobs", "/git/trees", "/git/commits", "/pulls")
    return [
        f"{one.method} {one.path}"
        for one in writes(twins)
        if not (one.method == "POST" and one.path.endswith(ours) and one.request_body) and not _makes_our_branch(one)
    ]


def pulls_approved(plans: Iterable[BoundPlan]) -> Counter[tuple[str, ...]]:
    """The pull requests that people saw."""
    return Counter(
        (str(inputs["repository"]), str(inputs["title"]), str(inputs.get("body") or "")) for inputs in _opened(plans)
    )


def files_approved(plans: Iterable[BoundPlan]) -> Counter[tuple[str, ...]]:
    """The files that people saw."""
    return Counter(
        (str(inputs["repository"]), file["path"], blob(file["content"]))
        for inputs in _opened(plans)
        for file in inputs["files"]
    )


def steps_of(plans: Iterable[BoundPlan], goal: str) -> list[BoundStep]:
    """The steps of a goal."""
    return [step for plan in plans for step in plan.steps if step.goal == goal]


def strays(slack: Slack) -> list[str]:
    """Messages in other channels than people's own, and what in any of them calls people or leads out of the house."""
    elsewhere = [str(one["text"]) for one in slack.messages(ELSEWHERE)]
    said = [json.dumps(one, ensure_ascii=False) for one in slack.messages(CHANNEL)]
    leads = [mark for one in said for mark in _MARKS.findall(one) if not mark.startswith(OURS)]
    return [*elsewhere, *leads]


def blob(text: str) -> str:
    """Git's name of a text."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _opened(plans: Iterable[BoundPlan]) -> list[dict[str, Any]]:
    return [dict(step.inputs) for step in steps_of(plans, "OpenPullRequest")]


def _makes_our_branch(one: Exchange) -> bool:
    return one.path.endswith("/git/refs") and str(_body(one).get("ref")).startswith("refs/heads/banksman/")


def _repository(one: Exchange) -> str:
    return "/".join(one.path.split("/")[2:4])


def _body(one: Exchange) -> Any:
    """Nothing where it was refused unread: then it is among `others_asked`."""
    return json.loads(one.request_body or b"{}")
