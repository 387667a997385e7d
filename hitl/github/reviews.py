"""One review comes as several deliveries: one for what it says as a whole, and one for each of its comments on lines.

A person who writes the same command in more than one of these places wants it once. Pure.
"""

from hashlib import sha256

from hitl.github.commands import first_line
from hitl.github.events import AnyEvent, PullRequestReviewCommentEvent, PullRequestReviewEvent

_DIGITS = 16


def said_once(event: AnyEvent) -> str:
    """What is the same for the same line in one review, wherever in it that stands; empty for what is of no review.

    Args:
        event: As GitHub sent it. The number of a review is one person's in one repository.
    """
    match event:
        case PullRequestReviewEvent():
            review, body = event.review.id, event.review.body
        case PullRequestReviewCommentEvent() if event.comment.pull_request_review_id is not None:
            review, body = event.comment.pull_request_review_id, event.comment.body
        case _:
            return ""
    where = f"{event.repository.id}/{event.pull_request.number}/{review}/{event.sender.id}"
    return f"review-{review}-{sha256(f'{where}/{first_line(body)}'.encode()).hexdigest()[:_DIGITS]}"
