"""Whose will an event is: the rules by which nobody acts with another's rights. Pure.

- A bot's event has nobody's rights, whoever made the bot do it: not its author's, and not those of whom it speaks to.
- A comment counts as it was first written, and a review as it was submitted, by who wrote it: whoever may edit
  another's words speaks for nobody.
- What a fork's pull request brings is a stranger's, also where the person is known: it starts what reads, and of that
  only what sees nothing private.
- New commits of somebody else in a bot's pull request void what people said of its former head.
"""

from dataclasses import dataclass
from typing import Final

from hitl.github.events import (
    Actor,
    AnyEvent,
    Comment,
    IssueCommentEvent,
    OfRepository,
    PullRequestEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
)
from hitl.plan_language.catalogue import PRIVATE
from hitl.protocol import Effect
from workflows.goal_type import GoalType

BOT: Final = "It is a bot's doing: what a bot does has nobody's rights."
EDITED: Final = "A comment or a review counts as it was first written; write a new one."
BY_APP: Final = "An App wrote that in somebody's name: what an App does has nobody's rights."
NOT_ITS_AUTHOR: Final = "Who wrote the comment is not who caused this: nobody speaks for another."
ARCHIVED: Final = "The repository is archived: nothing is begun there."


def nobodys_will(event: AnyEvent) -> str | None:
    """Why an event has nobody's rights; None where it is its sender's own will."""
    if event.sender.is_bot or event.sender.id == 0:
        return BOT
    if isinstance(event, OfRepository) and event.repository.archived:
        return ARCHIVED
    if isinstance(event, IssueCommentEvent | PullRequestReviewCommentEvent):
        return _of_comment(event.action, event.comment, event.sender.id)
    if isinstance(event, PullRequestReviewEvent):
        return _of_review(event.action, event.review.user, event.sender.id)
    return None


def _of_review(action: str, author: Actor | None, sender: int) -> str | None:
    if action != "submitted":
        return EDITED
    return NOT_ITS_AUTHOR if author is None or author.is_bot or author.id != sender else None


def _of_comment(action: str, comment: Comment, sender: int) -> str | None:
    if action != "created" or comment.updated_at != comment.created_at:
        return EDITED
    if comment.by_app:
        return BY_APP
    if comment.user is None or comment.user.is_bot or comment.user.id != sender:
        return NOT_ITS_AUTHOR
    return None


def of_fork(event: OfRepository) -> bool:
    """Whether what a pull request brings is begun by itself, and lies in a fork."""
    return isinstance(event, PullRequestEvent) and event.pull_request.from_fork


def refuse_for_fork(goal: GoalType) -> str | None:
    """Why a fork's pull request may not begin this goal, or None where it may."""
    if goal.effect is not Effect.READ:
        return f"A fork's pull request begins nothing that writes, and {goal.name} does."
    if set(goal.data) & set(PRIVATE):
        return f"A fork's pull request begins nothing that sees what is private, and {goal.name} may."
    return None


@dataclass(frozen=True, kw_only=True)
class VoidedHead:
    """What people said of this head counts no more.

    Attributes:
        before: The head until then.
        after: The head now.
        by: The login of who pushed.
    """

    repository: str
    pull: int
    before: str
    after: str
    by: str


def voided_by(event: AnyEvent) -> VoidedHead | None:
    """The head of a bot's pull request that somebody else has pushed over; None where that is not what happened.

    Whoever pushes: for a person the rule is the same as for another bot.
    """
    if not isinstance(event, PullRequestEvent) or event.action != "synchronize" or event.before is None:
        return None
    author, pull = event.pull_request.user, event.pull_request
    if author is None or not author.is_bot or event.sender.id == author.id:
        return None
    return VoidedHead(
        repository=event.repository.full_name,
        pull=event.number,
        before=event.before,
        after=event.after or pull.head.sha,
        by=event.sender.login,
    )
