"""What the twin says of pull requests, comments, labels and check runs, in the shape of GitHub's description."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.trees import changed_files

BOT: Final = "banksman[bot]"
_LABEL_COLOR: Final = "ededed"
_LINKS: Final = {
    "comments": "/issues/{n}/comments",
    "commits": "/pulls/{n}/commits",
    "issue": "/issues/{n}",
    "review_comment": "/pulls/comments{{/number}}",
    "review_comments": "/pulls/{n}/comments",
    "self": "/pulls/{n}",
}


@dataclass(kw_only=True)
class Pull:
    """A pull request within one repository."""

    number: int
    title: str
    body: str | None
    head: str
    base: str
    draft: bool
    at: str
    state: str = "open"
    labels: list[str] = field(default_factory=list[str])
    reviews: list["Review"] = field(default_factory=list["Review"])
    ended_at: str | None = None
    head_then: str | None = None
    """Where it stood when it was merged or closed; a push after that changes nothing of it."""
    merge_commit: str | None = None
    looked_at: tuple[str, str] | None = None
    """Head and base of which GitHub has worked out whether they can be merged: it begins when it is asked."""

    @property
    def stands(self) -> str:
        """How it stands, as a page shows it."""
        if self.merge_commit is not None:
            return "merged"
        return "draft" if self.draft and self.state == "open" else self.state


@dataclass(kw_only=True)
class Review:
    """What somebody said of a pull request as a whole."""

    id: int
    person: str
    state: str
    commit: str
    body: str
    at: str


@dataclass(frozen=True)
class Mergeability:
    """Whether it can be merged, as far as that is worked out by now."""

    can: bool | None = None
    state: str = "unknown"


@dataclass(kw_only=True)
class Comment:
    """What was said on an issue or a pull request.

    Attributes:
        person: Who said it; our App where it is empty.
        changed: When it was changed last.
        gone: Somebody deleted it.
    """

    id: int
    on: int
    body: str
    at: str = ""
    person: str = ""
    changed: str = ""
    gone: bool = False


@dataclass(kw_only=True)
class ReviewComment:
    """What was said on a line of a pull request, or in reply to that.

    Attributes:
        on: The number of the pull request.
        person: Who said it; our App where it is empty.
        reply_to: The first comment of the thread; None for that itself.
        review: The review that it came with.
        hunk: Of the diff that the line stands in, as far as the line.
    """

    id: int
    on: int
    path: str
    line: int
    commit: str
    body: str
    at: str
    person: str = ""
    reply_to: int | None = None
    review: int | None = None
    hunk: str = ""


@dataclass(kw_only=True)
class Check:
    """A check run."""

    id: int
    name: str
    head_sha: str
    external_id: str | None
    status: str
    conclusion: str | None
    title: str | None
    summary: str | None
    at: str
    text: str | None = None
    details_url: str | None = None
    annotations: list[Json] = field(default_factory=list[Json])
    actions: list[Json] = field(default_factory=list[Json])
    ended_at: str | None = None


async def pull_request(place: Place, pull: Pull, *, whole: Mergeability | None = None) -> Json:
    """A pull request: as a list tells it, or whole, which says whether it can be merged."""
    url, page = place.page.url, f"{place.page.html_url}/pull/{pull.number}"
    changed = datetime.fromtimestamp(place.git.path.stat().st_mtime, UTC)
    repository = place.page.repository(place.git.default_branch(), changed=changed)
    links = {name: url + form.format(n=pull.number) for name, form in _LINKS.items()}
    head = pull.head_then or await place.git.resolve(f"refs/heads/{pull.head}") or "0" * 40
    base = await place.git.resolve(f"refs/heads/{pull.base}") or "0" * 40
    user = bot(place)
    body: Json = {
        "id": number(url, "pull", str(pull.number)),
        "node_id": f"PR_{pull.number}",
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "body": pull.body,
        "draft": pull.draft,
        "user": user,
        "labels": [label(place, one) for one in pull.labels],
        "url": links["self"],
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": links["issue"],
        "commits_url": links["commits"],
        "comments_url": links["comments"],
        "review_comment_url": links["review_comment"],
        "review_comments_url": links["review_comments"],
        "statuses_url": f"{url}/statuses/{head}",
        "created_at": pull.at,
        "updated_at": pull.at,
        "author_association": "NONE",
        "head": _side(place, pull.head, head, user=user, repository=repository),
        "base": _side(place, pull.base, base, user=user, repository=repository),
        "_links": {name: {"href": one} for name, one in links.items()}
        | {"html": {"href": page}, "statuses": {"href": f"{url}/statuses/{head}"}},
        "closed_at": pull.ended_at,
        "merged_at": pull.ended_at if pull.merge_commit else None,
        "merge_commit_sha": pull.merge_commit,
        **dict.fromkeys(("milestone", "assignee", "auto_merge")),
    }
    if whole is None:
        return body
    return body | _counted(pull, whole, user) | {"changed_files": await changed_files(place.git, base, head)}


def _counted(pull: Pull, mergeability: Mergeability, user: Json) -> Json:
    zeros = ("additions", "deletions", "comments", "commits", "review_comments")
    merged = pull.merge_commit is not None
    flags = {"merged": merged, "maintainer_can_modify": False, "merged_by": user if merged else None}
    told = {"mergeable": mergeability.can, "mergeable_state": mergeability.state}
    return {**dict.fromkeys(zeros, 0), **flags, **told}


def review(place: Place, pull: Pull, one: Review) -> Json:
    """A review."""
    url, page = f"{place.page.url}/pulls/{pull.number}", f"{place.page.html_url}/pull/{pull.number}"
    shown = f"{page}#pullrequestreview-{one.id}"
    return {
        "id": one.id,
        "node_id": f"PRR_{one.id}",
        "user": person(place, one.person),
        "body": one.body,
        "state": one.state,
        "html_url": shown,
        "pull_request_url": url,
        "_links": {"html": {"href": shown}, "pull_request": {"href": url}},
        "submitted_at": one.at,
        "commit_id": one.commit,
        "author_association": "NONE",
    }


def _side(place: Place, branch: str, sha: str, *, user: Json, repository: Json) -> Json:
    return {"label": f"{place.page.owner}:{branch}", "ref": branch, "sha": sha, "user": user, "repo": repository}


def issue_comment(place: Place, comment: Comment, app: Json) -> Json:
    """A comment; with the App where an App wrote it."""
    url = f"{place.page.url}/issues/comments/{comment.id}"
    return {
        "id": comment.id,
        "node_id": f"IC_{comment.id}",
        "url": url,
        "html_url": f"{place.page.html_url}/pull/{comment.on}#issuecomment-{comment.id}",
        "issue_url": f"{place.page.url}/issues/{comment.on}",
        "body": comment.body,
        "user": person(place, comment.person) if comment.person else bot(place),
        "author_association": "NONE",
        "created_at": comment.at,
        "updated_at": comment.changed or comment.at,
        "performed_via_github_app": None if comment.person else app,
    }


def label(place: Place, name: str) -> Json:
    """A label."""
    return {
        "id": number(place.page.url, "label", name),
        "node_id": f"LA_{name}",
        "url": f"{place.page.url}/labels/{name}",
        "name": name,
        "description": None,
        "color": _LABEL_COLOR,
        "default": False,
    }


def check_run(place: Place, check: Check, app: Json) -> Json:
    """A check run."""
    url, page = f"{place.page.url}/check-runs/{check.id}", f"{place.page.html_url}/runs/{check.id}"
    notes = {"text": check.text, "annotations_count": len(check.annotations), "annotations_url": f"{url}/annotations"}
    return {
        "id": check.id,
        "node_id": f"CR_{check.id}",
        "head_sha": check.head_sha,
        "name": check.name,
        "external_id": check.external_id,
        "url": url,
        "html_url": page,
        "details_url": check.details_url or page,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": check.at,
        "completed_at": (check.ended_at or check.at) if check.conclusion else None,
        "check_suite": {"id": number(place.page.url, check.head_sha)},
        "output": {"title": check.title, "summary": check.summary, **notes},
        "app": app,
        "pull_requests": [],
    }


def person(place: Place, login: str) -> Json:
    """An account of somebody; an App's ends in `[bot]`."""
    return place.page.site.account(login) | {"type": "Bot" if login.endswith("[bot]") else "User", "id": number(login)}


def bot(place: Place) -> Json:
    """Our App, as an account."""
    return person(place, BOT)
