"""What follows from an event, as a table of event and action: from most of them nothing, for a reason that is said.

Pure. It says what can follow at all; whether something does, the deployment's policy says.
"""

from collections.abc import Mapping
from typing import Final

from hitl.github.events import AnyEvent

_EVERY: Final = "*"
_LATER: Final = "nothing of this release begins with it"
_EDITED: Final = "what was edited or deleted asks for nothing: a command counts as it was first written"

MAY_FOLLOW: Final[Mapping[str, frozenset[str]]] = {
    "issue_comment": frozenset({"created"}),
    "issues": frozenset({"labeled", "opened", "reopened"}),
    "pull_request": frozenset({"closed", "labeled", "opened", "ready_for_review", "reopened", "synchronize"}),
    "pull_request_review_comment": frozenset({"created"}),
    "pull_request_review": frozenset({"submitted"}),
    "push": frozenset({""}),
    "check_run": frozenset({"requested_action", "rerequested"}),
}
"""Actions, by event, that can begin something. An event without actions has the empty one."""

WHY_NOT: Final[Mapping[tuple[str, str], str]] = {
    ("issue_comment", "edited"): _EDITED,
    ("issue_comment", "deleted"): _EDITED,
    ("pull_request_review_comment", "edited"): _EDITED,
    ("pull_request_review_comment", "deleted"): _EDITED,
    ("pull_request_review", "edited"): _EDITED,
    ("pull_request_review", "dismissed"): "a review that was dismissed asks for nothing",
    ("check_run", "created"): "a check run that somebody made asks for nothing",
    ("check_run", "completed"): "a check run that has ended asks for nothing",
    ("repository", _EVERY): "a repository is known by its id; its new name counts from the next event on",
    ("ping", _EVERY): "GitHub tried the address, and it works",
}
"""Of the others, where there is more to say than that nothing begins with it."""


def why_nothing_follows(event: AnyEvent) -> str | None:
    """Why nothing can follow from an event; None where something may."""
    if event.action in MAY_FOLLOW.get(event.event, ()):
        return None
    return WHY_NOT.get((event.event, event.action)) or WHY_NOT.get((event.event, _EVERY)) or _LATER
