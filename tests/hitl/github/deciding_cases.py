"""Events and a policy to decide on."""

from datetime import UTC, datetime
from typing import Final

from hitl.approval.approvers import People
from hitl.github.deciding import Facts
from hitl.github.events import (
    Actor,
    Comment,
    IssueCommentEvent,
    IssueMention,
    PullRequestEvent,
    PullRequestMention,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
    PushEvent,
    Repository,
    Review,
    ReviewComment,
    Side,
)
from hitl.github.repository_config import BrokenConfig, RepositoryConfig
from hitl.policy.rules import Environment, Policy
from hitl.policy.triggers import GitHubPolicy, Permission, SlashCommand, Trigger, TriggerRule
from hitl.protocol import Phase

ALICE: Final = Actor(login="Alice", id=1001)
STRANGER: Final = Actor(login="mallory", id=6666)
BOT: Final = Actor(login="banksman[bot]", id=99, type="Bot")
SHOP: Final = Repository(full_name="acme/shop", id=7, default_branch="main")
FORK: Final = Repository(full_name="mallory/shop", id=8, default_branch="main", fork=True)
THEN: Final = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
OLD: Final = "a" * 40
NEW: Final = "b" * 40
READ: Final = '/banksman run ReadFile {"repository":"acme/shop","path":"README.md"}'
WRITERS: Final = TriggerRule(
    name="github.triggers[0]",
    line=4,
    events=frozenset({Trigger.COMMENT, Trigger.BUTTON}),
    commands=frozenset(SlashCommand) - {SlashCommand.HELP},
    repositories=("acme/shop",),
    permission=Permission.WRITE,
    goals=("ReadFile", "AskFor"),
)
BY_THEMSELVES: Final = TriggerRule(
    name="github.triggers[1]",
    line=9,
    events=frozenset({Trigger.PUSH, Trigger.PULL_REQUEST, Trigger.ISSUE}),
    repositories=("acme/*",),
    permission=Permission.WRITE,
    goals=("ReadFile", "DeleteBranch", "FlowStatus"),
)


def policy(*rules: TriggerRule, ids: bool = True, approvals: bool = True) -> Policy:
    """Alice's account is known by its number."""
    return Policy(
        source="policy.yaml",
        environments={"local": Environment(phase=Phase.PRODUCTION)},
        people=People(identities={"github:alice": "alice", "github:bob": "bob"}, groups={}),
        github=GitHubPolicy(
            accounts={"alice": ALICE.id} if ids else {}, approvals=approvals, rules=rules or (WRITERS, BY_THEMSELVES)
        ),
    )


def facts(
    permission: Permission = Permission.WRITE,
    config: RepositoryConfig | BrokenConfig | None = None,
    account: int = ALICE.id,
) -> Facts:
    """What GitHub said of Alice."""
    return Facts(account=account, permission=permission, config=config)


def comment(body: str = READ, *, by: Actor = ALICE, action: str = "created", **changes: object) -> IssueCommentEvent:
    """A new comment."""
    said = Comment(id=5, body=body, user=by, author_association="OWNER", created_at=THEN, updated_at=THEN)
    event = IssueCommentEvent(
        action=action, sender=by, repository=SHOP, comment=said, issue=IssueMention(number=3, title="Cart")
    )
    return event.model_copy(update=changes)


def pull(
    action: str = "opened", *, by: Actor = ALICE, author: Actor = ALICE, head: Repository = SHOP
) -> PullRequestEvent:
    """A pull request at a new head."""
    mention = mentioned(author, head)
    return PullRequestEvent(
        action=action,
        sender=by,
        repository=SHOP,
        number=4,
        pull_request=mention,
        before=OLD if action == "synchronize" else None,
        after=NEW if action == "synchronize" else None,
    )


def mentioned(author: Actor = ALICE, head: Repository = SHOP) -> PullRequestMention:
    """A pull request as events tell of it."""
    return PullRequestMention(
        number=4, user=author, head=Side(ref="work", sha=NEW, repo=head), base=Side(ref="main", sha=OLD, repo=SHOP)
    )


def review(
    body: str = READ,
    *,
    by: Actor = ALICE,
    of: Actor | None = None,
    action: str = "submitted",
    number: int = 40,
    head: Repository = SHOP,
) -> PullRequestReviewEvent:
    """A review; of somebody else than who caused the event where `of` says so."""
    said = Review(id=number, body=body, user=of or by, state="commented", submitted_at=THEN)
    return PullRequestReviewEvent(
        action=action, sender=by, repository=SHOP, review=said, pull_request=mentioned(head=head)
    )


def on_line(body: str = READ, *, by: Actor = ALICE, review: int | None = 40) -> PullRequestReviewCommentEvent:
    """A comment on a line, as a part of a review."""
    said = ReviewComment(
        id=6, body=body, user=by, created_at=THEN, updated_at=THEN, commit_id=NEW, pull_request_review_id=review
    )
    return PullRequestReviewCommentEvent(
        action="created", sender=by, repository=SHOP, comment=said, pull_request=mentioned()
    )


def push(*paths: str, ref: str = "refs/heads/main", by: Actor = ALICE) -> PushEvent:
    """New commits on a branch."""
    return PushEvent(sender=by, repository=SHOP, ref=ref, before=OLD, after=NEW, paths=paths)


def config(**asked: object) -> RepositoryConfig:
    """A repository's file, with a task that reads."""
    read = {"goal": "ReadFile", "input": {"repository": "$repository", "path": "README.md", "ref": "$sha"}}
    return RepositoryConfig.model_validate({"version": 1, "tasks": {"read": read}, **asked})
