"""What our own App did, told from what people do: its comments, reviews, check runs and labels come back as deliveries.

Which App a webhook is of, GitHub says in a header, and the signature is over the body alone. So whoever has a delivery
can say there what they like, and nothing is dropped by that header but what begins nothing for anybody: that is asked
first, of the signed body. A person's event is never one of these, whatever its fields say.
"""

import re
from collections.abc import Mapping
from typing import Final

from hitl.github.deputy import nobodys_will, voided_by
from hitl.github.events import (
    Actor,
    AnyEvent,
    AppMention,
    CheckRunEvent,
    IssueCommentEvent,
    IssuesEvent,
    PullRequestEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
)
from hitl.github.happenings import happening_of

TARGET: Final = "X-GitHub-Hook-Installation-Target-ID"
TARGET_TYPE: Final = "X-GitHub-Hook-Installation-Target-Type"
_OF_APP: Final = "integration"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")
_LABELS: Final = frozenset({"labeled", "unlabeled"})
_MOST_APPS: Final = 100


class Ours:
    """Tells an App's own events, by its number; its name, which labels and reviews are told by, it learns elsewhere."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def is_own(self, event: AnyEvent, headers: Mapping[str, str]) -> bool:
        """Whether the App did this whose webhook it is, and nothing can follow from it.

        Args:
            event: Of a body whose signature is verified.
            headers: Of its delivery; nobody signed them.
        """
        app = _app_of(headers)
        return app is not None and self._did(event, app) and begins_nothing(event)

    def _did(self, event: AnyEvent, app: int) -> bool:
        match event:
            case CheckRunEvent():
                return self._is(event.check_run.app, app)
            case IssueCommentEvent() | PullRequestReviewCommentEvent():
                return self._is(event.comment.app, app) and event.sender.is_bot
            case IssuesEvent() | PullRequestEvent():
                return self._is_named(event.sender, app) and event.action in _LABELS
            case PullRequestReviewEvent():  # GitHub does not say of a review through which App it came
                return self._is_named(event.sender, app)
            case _:
                return False

    def _is_named(self, sender: Actor, app: int) -> bool:
        name = self._names.get(app)
        return sender.type == "Bot" and name is not None and sender.login == f"{name}[bot]"

    def _is(self, mention: AppMention | None, app: int) -> bool:
        if mention is None or mention.id != app:
            return False
        if mention.slug and (app in self._names or len(self._names) < _MOST_APPS):
            self._names[app] = mention.slug
        return True


def begins_nothing(event: AnyEvent) -> bool:
    """Whether an event begins, voids and keeps nothing, whoever looks at it and whatever a policy says."""
    if voided_by(event) is not None or event.event in {"installation", "installation_repositories", "repository"}:
        return False
    return happening_of(event).trigger is None or nobodys_will(event) is not None


def _app_of(headers: Mapping[str, str]) -> int | None:
    said = headers.get(TARGET, "")
    return int(said) if headers.get(TARGET_TYPE) == _OF_APP and _NUMBER.fullmatch(said) else None
