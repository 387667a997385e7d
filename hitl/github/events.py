"""What GitHub tells of, as far as goals need it: small models of the eleven events that are listened to.

GitHub's own libraries hold whole payloads, and refuse a third of the published examples for a field that came later.
These take what is needed and let the rest go. What identifies something is refused where it is longer than it can be;
what people wrote is cut. So an event fits into a workflow's input, whatever the payload was: a payload of 25 MB, too.

A name here is what GitHub calls it. All of it is a stranger's word, but for ids and times: escape it where it is shown.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

WEBHOOKS: Final = "/github/webhooks"
"""The path of the one address that GitHub is given."""

MAX_TITLE: Final = 256
MAX_BODY: Final = 8_000
"""Characters of what a person wrote that are kept. GitHub takes 65,536; a command stands on the first line."""

MAX_HUNK: Final = 2_000
MAX_PATHS: Final = 300
MAX_LABELS: Final = 100
MAX_REPOSITORIES: Final = 500


def _cut(length: int) -> BeforeValidator:
    return BeforeValidator(lambda said: said[:length] if isinstance(said, str) else said or "")


def _first(count: int) -> BeforeValidator:
    return BeforeValidator(lambda those: tuple(cast("Iterable[object]", those or ()))[:count])


Title = Annotated[str, _cut(MAX_TITLE)]
Text = Annotated[str, _cut(MAX_BODY)]
Hunk = Annotated[str, _cut(MAX_HUNK)]
Name = Annotated[str, StringConstraints(max_length=255)]
Ref = Annotated[str, StringConstraints(max_length=1024)]
Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
RepositoryName = Annotated[str, StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9._-]+$")]
Number = Annotated[int, Field(ge=0)]


class Told(BaseModel):
    """What all of these are: values, of which later fields of GitHub's are no concern."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Actor(Told):
    """An account of GitHub's. Its login can be changed, and taken by another; its id cannot."""

    login: Name
    id: Number
    type: Name = Field(default="User", description="`User`, `Bot` or `Organization`.")

    @property
    def is_bot(self) -> bool:
        """Whether it is no person."""
        return self.type != "User" or self.login.endswith("[bot]")


NOBODY: Final = Actor(login="", id=0, type="Nobody")
"""Whose doing it is where GitHub does not say; it is nobody's, so it has nobody's rights."""


class Repository(Told):
    """A repository, as it is when the event is sent."""

    full_name: RepositoryName
    id: Number
    default_branch: Ref = ""
    private: bool = True
    fork: bool = False
    archived: bool = False


class RepositoryMention(Told):
    """A repository, where little is told of it."""

    full_name: RepositoryName
    id: Number
    private: bool = True


class OfInstallation(Told):
    """By which installation of the App the event came."""

    id: Number


class Label(Told):
    """A label."""

    name: Name


Labels = Annotated[tuple[Label, ...], _first(MAX_LABELS)]


class IssueMention(Told):
    """An issue, or a pull request as an issue."""

    number: Number
    title: Title = ""
    body: Text = ""
    state: Name = "open"
    user: Actor | None = None
    author_association: Name = "NONE"
    labels: Labels = ()
    locked: bool = False
    is_pull: bool = Field(default=False, description="Whether it is a pull request.")

    @model_validator(mode="before")
    @classmethod
    def _whether_pull(cls, said: object) -> object:
        # GitHub tells it by a field that only pull requests have; of its content nothing is needed.
        found = _fields(said)
        return {"is_pull": found.get("pull_request") is not None, **found} if found else said


class AppMention(Told):
    """The App that something was written by."""

    id: Number
    slug: Name = ""


class Comment(Told):
    """A comment of an issue or a pull request."""

    id: Number
    body: Text = ""
    user: Actor | None = Field(default=None, description="None where the account is deleted.")
    author_association: Name = "NONE"
    created_at: datetime
    updated_at: datetime
    by_app: bool = Field(default=False, description="Whether an App wrote it, in whosoever's name.")
    app: AppMention | None = Field(default=None, description="Which one.")

    @model_validator(mode="before")
    @classmethod
    def _whether_app(cls, said: object) -> object:
        found = _fields(said)
        by = found.get("performed_via_github_app")
        return {"by_app": by is not None, "app": by, **found} if found else said


class ReviewComment(Comment):
    """A comment on a line of a pull request."""

    path: Annotated[str, StringConstraints(max_length=4096)] = ""
    line: Number | None = None
    commit_id: Sha
    diff_hunk: Hunk = ""
    in_reply_to_id: Number | None = None
    pull_request_review_id: Number | None = Field(default=None, description="The review that it is part of.")


class Review(Told):
    """What somebody said of a pull request as a whole; what they said of its lines comes apart from it."""

    id: Number
    body: Text = ""
    user: Actor | None = Field(default=None, description="None where the account is deleted.")
    state: Name = Field(default="", description="`commented`, `approved`, `changes_requested` or `dismissed`.")
    submitted_at: datetime | None = None


class Side(Told):
    """One side of a pull request."""

    ref: Ref
    sha: Sha
    repo: Repository | None = Field(default=None, description="None where the fork is deleted.")


class PullRequestMention(Told):
    """A pull request."""

    number: Number
    title: Title = ""
    body: Text = ""
    state: Name = "open"
    draft: bool = False
    merged: bool = False
    merge_commit_sha: Sha | None = None
    user: Actor | None = None
    author_association: Name = "NONE"
    head: Side
    base: Side
    labels: Labels = ()

    @property
    def from_fork(self) -> bool:
        """Whether what it brings lies in another repository, or nobody knows where."""
        there, here = self.head.repo, self.base.repo
        return there is None or here is None or there.id != here.id


class CheckRunMention(Told):
    """A check run."""

    id: Number
    name: Title = ""
    head_sha: Sha
    external_id: Annotated[str, StringConstraints(max_length=2000)] = ""
    status: Name = ""
    conclusion: Name | None = None
    app: AppMention | None = None


class RequestedAction(Told):
    """The button of a check run that was pressed."""

    identifier: Name


class InstallationMention(OfInstallation):
    """An installation, whole."""

    account: Actor
    app_id: Number = 0
    repository_selection: Name = "selected"
    permissions: dict[Name, Name] = Field(default_factory=dict, max_length=200)
    events: Annotated[tuple[Name, ...], _first(200)] = ()
    suspended_at: datetime | None = None
    updated_at: datetime | None = None


Repositories = Annotated[tuple[RepositoryMention, ...], _first(MAX_REPOSITORIES)]


class Happened(Told):
    """What every event has, besides its name."""

    action: Name = Field(default="", description="What happened, in one word; empty where that is its name already.")
    sender: Annotated[Actor, BeforeValidator(lambda said: said or NOBODY)] = Field(
        default=NOBODY, description="Who caused it, as GitHub authenticated them."
    )


class OfRepository(Happened):
    """What happened in a repository."""

    repository: Repository
    installation: OfInstallation | None = None


class IssueCommentEvent(OfRepository):
    """`issue_comment`: created, edited, deleted; of pull requests, too."""

    event: Literal["issue_comment"] = "issue_comment"
    comment: Comment
    issue: IssueMention


class IssuesEvent(OfRepository):
    """`issues`."""

    event: Literal["issues"] = "issues"
    issue: IssueMention
    label: Label | None = Field(default=None, description="The one that was put on or taken off.")


class PullRequestEvent(OfRepository):
    """`pull_request`."""

    event: Literal["pull_request"] = "pull_request"
    number: Number
    pull_request: PullRequestMention
    label: Label | None = None
    before: Sha | None = Field(default=None, description="Of `synchronize`: its head until then.")
    after: Sha | None = None


class PullRequestReviewCommentEvent(OfRepository):
    """`pull_request_review_comment`."""

    event: Literal["pull_request_review_comment"] = "pull_request_review_comment"
    comment: ReviewComment
    pull_request: PullRequestMention


class PullRequestReviewEvent(OfRepository):
    """`pull_request_review`: submitted, edited, dismissed."""

    event: Literal["pull_request_review"] = "pull_request_review"
    review: Review
    pull_request: PullRequestMention


class PushEvent(OfRepository):
    """`push`: of a branch or a tag, new and deleted ones included."""

    event: Literal["push"] = "push"
    ref: Ref
    before: Sha
    after: Sha
    created: bool = False
    deleted: bool = False
    forced: bool = False
    paths: tuple[Annotated[str, _cut(1024)], ...] = Field(default=(), description="Of files, as its commits tell.")
    paths_complete: bool = Field(default=True, description="Whether these are all; GitHub tells of 2,048 commits.")

    @model_validator(mode="before")
    @classmethod
    def _touched(cls, said: object) -> object:
        found = _fields(said)
        if not found or "paths" in found:
            return said
        # Each path once, in order.
        touched = dict.fromkeys(path for one in _each(found.get("commits")) for path in _paths_of(one))
        return {**found, "paths": tuple(touched)[:MAX_PATHS], "paths_complete": len(touched) <= MAX_PATHS}


class CheckRunEvent(OfRepository):
    """`check_run`: created, completed, `rerequested`, `requested_action`."""

    event: Literal["check_run"] = "check_run"
    check_run: CheckRunMention
    requested_action: RequestedAction | None = None


class InstallationEvent(Happened):
    """`installation`: created, deleted, suspend, unsuspend, `new_permissions_accepted`."""

    event: Literal["installation"] = "installation"
    installation: InstallationMention
    repositories: Repositories = ()


class InstallationRepositoriesEvent(Happened):
    """`installation_repositories`: added, removed."""

    event: Literal["installation_repositories"] = "installation_repositories"
    installation: InstallationMention
    repository_selection: Name = "selected"
    repositories_added: Repositories = ()
    repositories_removed: Repositories = ()


class RepositoryEvent(OfRepository):
    """`repository`: renamed, transferred, archived, deleted and the like."""

    event: Literal["repository"] = "repository"
    formerly: Name | None = Field(default=None, description="Its name, or its owner's, before it was changed.")

    @model_validator(mode="before")
    @classmethod
    def _before_it(cls, said: object) -> object:
        found = _fields(said)
        return {"formerly": _formerly(_fields(found.get("changes"))), **found} if found else said


class PingEvent(Happened):
    """`ping`: GitHub tries the address."""

    event: Literal["ping"] = "ping"
    zen: Title = ""
    hook_id: Number
    repository: Repository | None = Field(default=None, description="Where the webhook is a repository's.")


AnyEvent = Annotated[
    IssueCommentEvent
    | IssuesEvent
    | PullRequestEvent
    | PullRequestReviewCommentEvent
    | PullRequestReviewEvent
    | PushEvent
    | CheckRunEvent
    | InstallationEvent
    | InstallationRepositoriesEvent
    | RepositoryEvent
    | PingEvent,
    Field(discriminator="event"),
]
"""Any of them; told apart by `event`."""

EVENTS: Final[Mapping[str, type[Happened]]] = {
    model.model_fields["event"].default: model
    for model in (
        IssueCommentEvent,
        IssuesEvent,
        PullRequestEvent,
        PullRequestReviewCommentEvent,
        PullRequestReviewEvent,
        PushEvent,
        CheckRunEvent,
        InstallationEvent,
        InstallationRepositoriesEvent,
        RepositoryEvent,
        PingEvent,
    )
}
"""By the name that `X-GitHub-Event` has."""

LISTENED_TO: Final = frozenset(EVENTS) - {"ping", "installation", "installation_repositories"}
"""What an App has to be told to listen to; of the others every App is told."""

_ANY: Final[TypeAdapter[AnyEvent]] = TypeAdapter(AnyEvent)
_OBJECT: Final = TypeAdapter(dict[str, object])


def read_event(name: str, body: bytes) -> AnyEvent | None:
    """The event of a delivery; None where nobody listens to events of this name.

    Args:
        name: As `X-GitHub-Event` says.
        body: JSON, as GitHub sent it; its signature is verified already.

    Raises:
        ValueError: It is no such event.
    """
    if name not in EVENTS:
        return None
    return _ANY.validate_python({**_OBJECT.validate_json(body), "event": name})


def _fields(said: object) -> dict[str, object]:
    return cast("dict[str, object]", said) if isinstance(said, dict) else {}


def _each(said: object) -> Iterable[dict[str, object]]:
    return (_fields(one) for one in cast("Iterable[object]", said if isinstance(said, list) else ()))


def _paths_of(commit: Mapping[str, object]) -> Iterable[str]:
    for kind in ("added", "modified", "removed"):
        those = commit.get(kind)
        yield from (
            one for one in cast("Iterable[object]", those if isinstance(those, list) else ()) if isinstance(one, str)
        )


def _formerly(changes: Mapping[str, object]) -> str | None:
    """`changes.repository.name.from` of a renamed one; `changes.owner.from.user.login` of one that went elsewhere."""
    name = _fields(_fields(changes.get("repository")).get("name")).get("from")
    owner = _fields(_fields(changes.get("owner")).get("from"))
    login = _fields(owner.get("user") or owner.get("organization")).get("login")
    found = name or login
    return found if isinstance(found, str) else None
