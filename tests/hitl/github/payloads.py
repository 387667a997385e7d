"""Payloads as GitHub sends them, of what is needed."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def comment_payload(*, body: str = "/banksman help", at: datetime | None = None, number: int = 1) -> Json:
    """Somebody comments on an issue."""
    when = (at or datetime.now(UTC)).isoformat()
    comment = {"id": number, "body": body, "created_at": when, "updated_at": when, "user": account()}
    return {"action": "created", "comment": comment, "issue": {"number": 1, "title": "One"}, **everywhere()}


def review_payload(*, body: str | None, review: int = 40, at: datetime | None = None) -> Json:
    """Somebody submits a review."""
    when = (at or datetime.now(UTC)).isoformat()
    said = {"id": review, "body": body, "user": account(), "state": "commented", "submitted_at": when}
    return {"action": "submitted", "review": said, "pull_request": pull_payload()["pull_request"], **everywhere()}


def line_payload(*, body: str, review: int | None = 40, number: int = 6) -> Json:
    """A comment on a line, as a part of a review."""
    when = datetime.now(UTC).isoformat()
    said = {"id": number, "body": body, "user": account(), "created_at": when, "updated_at": when}
    said |= {"commit_id": "b" * 40, "path": "cart.py", "line": 3, "pull_request_review_id": review}
    return {"action": "created", "comment": said, "pull_request": pull_payload()["pull_request"], **everywhere()}


def push_payload(*, commits: list[Json] | None = None) -> Json:
    """Somebody pushes."""
    pushed = {"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40, "commits": commits or []}
    return {**pushed, **everywhere()}


def pull_payload(*, number: int = 4, head: str = "b" * 40) -> Json:
    """Somebody opens a pull request."""
    repo = everywhere()["repository"]
    sides = {"head": {"ref": "work", "sha": head, "repo": repo}, "base": {"ref": "main", "sha": "c" * 40, "repo": repo}}
    pull = {"number": number, "title": "A cart", "user": account(), **sides}
    return {"action": "opened", "number": number, "pull_request": pull, **everywhere()}


def everywhere() -> Json:
    """What every event has."""
    return {"sender": account(), "repository": {"full_name": "acme/shop", "id": 7}, "installation": {"id": 3}}


def account() -> Json:
    """Who does it."""
    return {"login": "alice", "id": 5, "type": "User"}
