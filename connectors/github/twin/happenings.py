"""What happened at the twin, found by comparing a repository before and after a request: whoever changed it, and how.

So every path that changes something tells of it, also one that is added later; and a push by git does as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from connectors.github.git import git
from connectors.github.twin.bodies import Json, zulu
from connectors.github.twin.contents import Place
from connectors.github.twin.hooks import Told
from connectors.github.twin.issues import issue_body
from connectors.github.twin.pulls import Mergeability, Pull, check_run, issue_comment, label, pull_request, review
from connectors.github.twin.review_comments import review_comment
from connectors.github.twin.writes import Kept, KeptIssue

_NOTHING: Final = "0" * 40
_MOST_COMMITS: Final = 2048
_KINDS: Final[Mapping[str, str]] = {"A": "added", "D": "removed"}
_ENDS: Final = frozenset({"closed", "merged"})


@dataclass(frozen=True)
class _PullSeen:
    stands: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _IssueSeen:
    state: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    refs: Mapping[str, str]
    pulls: Mapping[int, _PullSeen]
    issues: Mapping[int, _IssueSeen]
    comments: Mapping[int, tuple[str, bool]]
    checks: Mapping[int, tuple[str, str | None]]
    lines: frozenset[int]
    reviews: Mapping[int, int]


@dataclass
class Happenings:
    """Looks at repositories, and tells what is different since the last look.

    Args:
        kept: What a repository has besides git.
        app: What is said of the App that writes, for an address of the twin's.
    """

    kept: Callable[[Place], Kept]
    app: Callable[[Place], Json]
    _seen: dict[Path, _Seen] = field(default_factory=dict[Path, _Seen])

    async def look(self, place: Place) -> None:
        """Have it known as it is now, where it is not known yet."""
        if place.git.path not in self._seen:
            self._seen[place.git.path] = await self._now(place)

    async def since(self, place: Place, sender: Json) -> list[Told]:
        """What is different since the last look, in an order in which it can have happened."""
        now = await self._now(place)
        before, self._seen[place.git.path] = self._seen.get(place.git.path, now), now
        found = [
            *await _pushes(place, before, now, sender),
            *self._issues(place, before),
            *await self._pulls(place, before, now),
            *await self._reviews(place, before),
            *await self._lines(place, before),
            *await self._comments(place, before, now),
            *self._checks(place, before, now),
        ]
        common: Json = {"repository": self.repository(place), "sender": sender}
        return [
            Told(event=event, payload={**payload, **common}, owner=place.page.owner, repository=place.page.number)
            for event, payload in found
        ]

    @staticmethod
    def repository(place: Place) -> Json:
        """What every event says of it."""
        changed = datetime.fromtimestamp(place.git.path.stat().st_mtime, UTC)
        told = place.page.repository(place.git.default_branch(), changed=changed)
        topics: list[str] = []
        return {**told, "topics": topics}

    async def _now(self, place: Place) -> _Seen:
        kept = self.kept(place)
        listed = await git("for-each-ref", "--format=%(objectname) %(refname)", at=place.git.path)
        lines = [line.split(" ", 1) for line in listed.decode(errors="replace").splitlines()]
        return _Seen(
            refs={name: sha for sha, name in lines if name.startswith(("refs/heads/", "refs/tags/"))},
            pulls={one.number: _PullSeen(one.stands, tuple(one.labels)) for one in kept.pulls},
            issues={one.number: _IssueSeen(one.state, tuple(one.labels)) for one in kept.issues},
            comments={one.id: (one.body, one.gone) for one in kept.comments},
            checks={one.id: (one.status, one.conclusion) for one in kept.checks},
            lines=frozenset(one.id for one in kept.review_comments),
            reviews={one.number: len(one.reviews) for one in kept.pulls},
        )

    async def _pulls(self, place: Place, before: _Seen, now: _Seen) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        for one in self.kept(place).pulls:
            told: Json = {"number": one.number, "pull_request": await _whole(place, one)}
            was = before.pulls.get(one.number)
            actions: list[Json] = [{"action": "opened"}] if was is None else _pull_changes(one, was)
            head = f"refs/heads/{one.head}"
            old, new = before.refs.get(head), now.refs.get(head)
            if was is not None and one.state == "open" and old and new and old != new:
                actions.append({"action": "synchronize", "before": old, "after": new})
            actions += _labels(place, was.labels if was else (), one.labels)
            found += [("pull_request", {**action, **told}) for action in actions]
        return found

    def _issues(self, place: Place, before: _Seen) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        for one in self.kept(place).issues:
            was, told = before.issues.get(one.number), _issue(place, one)
            actions: list[Json] = [{"action": "opened"}] if was is None else []
            if was is not None and was.state != one.state:
                actions = [{"action": "closed" if one.state == "closed" else "reopened"}]
            actions += _labels(place, was.labels if was else (), one.labels)
            found += [("issues", {**action, "issue": told}) for action in actions]
        return found

    async def _reviews(self, place: Place, before: _Seen) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        for pull in self.kept(place).pulls:
            for one in pull.reviews[before.reviews.get(pull.number, 0) :]:
                told = review(place, pull, one)
                told |= {"state": one.state.lower(), "body": one.body or None, "updated_at": one.at}
                mention = await _whole(place, pull)
                found.append(("pull_request_review", {"action": "submitted", "review": told, "pull_request": mention}))
        return found

    async def _lines(self, place: Place, before: _Seen) -> list[tuple[str, Json]]:
        kept, found = self.kept(place), list[tuple[str, Json]]()
        for one in kept.review_comments:
            pull = next((pull for pull in kept.pulls if pull.number == one.on), None)
            if one.id in before.lines or pull is None:
                continue
            told = review_comment(place, one)
            told |= {"position": 1, "original_position": 1, "side": "RIGHT"}
            told["reactions"] = _reactions(str(told["url"]))
            mention = await _whole(place, pull)
            found.append(
                ("pull_request_review_comment", {"action": "created", "comment": told, "pull_request": mention})
            )
        return found

    async def _comments(self, place: Place, before: _Seen, now: _Seen) -> list[tuple[str, Json]]:
        kept, found = self.kept(place), list[tuple[str, Json]]()
        there: dict[int, Pull | KeptIssue] = {one.number: one for one in (*kept.pulls, *kept.issues)}
        for one in kept.comments:
            was, is_now = before.comments.get(one.id), now.comments[one.id]
            on = there.get(one.on)
            if was == is_now or on is None:
                continue
            action = "created" if was is None else "deleted" if one.gone else "edited"
            comment = issue_comment(place, one, self.app(place))
            comment["reactions"] = _reactions(str(comment["url"]))
            told = {
                "comment": comment,
                "issue": await _as_issue(place, on) if isinstance(on, Pull) else _issue(place, on),
            }
            changed = {"changes": {"body": {"from": was[0]}}} if was is not None and action == "edited" else {}
            found.append(("issue_comment", {"action": action, **told, **changed}))
        return found

    def _checks(self, place: Place, before: _Seen, now: _Seen) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        for one in self.kept(place).checks:
            was, is_now = before.checks.get(one.id), now.checks[one.id]
            ended = is_now[0] == "completed" and was != is_now
            actions = ["created"] * (was is None) + ["completed"] * ended
            for action in actions:
                told: Json = {"action": action, "check_run": check_run(place, one, self.app(place))}
                found.append(("check_run", told))
        return found


def _labels(place: Place, before: Iterable[str], now: Iterable[str]) -> list[Json]:
    had, has = list(before), list(now)
    put = [("labeled", name) for name in has if name not in had]
    taken = [("unlabeled", name) for name in had if name not in has]
    return [{"action": action, "label": label(place, name)} for action, name in (*put, *taken)]


def _pull_changes(pull: Pull, was: _PullSeen) -> list[Json]:
    if pull.stands in _ENDS and was.stands not in _ENDS:
        return [{"action": "closed"}]
    if pull.stands not in _ENDS and was.stands in _ENDS:
        return [{"action": "reopened"}]
    if (was.stands, pull.stands) == ("draft", "open"):
        return [{"action": "ready_for_review"}]
    return []


async def _whole(place: Place, pull: Pull) -> Json:
    """As an event tells of it: with more than a list, and than a look at it."""
    told = await pull_request(place, pull, whole=Mergeability())
    repository = Happenings.repository(place)
    for side in ("head", "base"):
        told[side] = {**cast("Json", told[side]), "repo": repository}
    empty: Json = {"active_lock_reason": None, "assignees": [], "requested_reviewers": [], "requested_teams": []}
    return {**told, **empty}


def _reactions(url: str) -> Json:
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes", "total_count")
    return {"url": f"{url}/reactions", **dict.fromkeys(kinds, 0)}


def _issue(place: Place, issue: KeptIssue) -> Json:
    """An issue as an event tells of it."""
    told = issue_body(place, issue)
    return {**told, "assignees": [], "active_lock_reason": None, "reactions": _reactions(str(told["url"]))}


async def _as_issue(place: Place, pull: Pull) -> Json:
    """A pull request as an issue: as `issue_comment` tells of it."""
    whole = await pull_request(place, pull)
    url = f"{place.page.url}/issues/{pull.number}"
    same = ("id", "node_id", "number", "title", "user", "state", "locked", "body", "created_at", "updated_at")
    more = ("closed_at", "author_association", "draft", "labels", "milestone", "assignee")
    pages = {"url": whole["url"], "html_url": whole["html_url"], "diff_url": whole["diff_url"]}
    links = {f"{name}_url": f"{url}/{name}" for name in ("comments", "events")} | {
        "labels_url": f"{url}/labels{{/name}}"
    }
    return {
        **{name: whole[name] for name in (*same, *more)},
        **links,
        "url": url,
        "repository_url": place.page.url,
        "html_url": whole["html_url"],
        "assignees": [],
        "comments": 1,
        "active_lock_reason": None,
        "reactions": _reactions(url),
        "pull_request": {**pages, "patch_url": whole["patch_url"], "merged_at": whole["merged_at"]},
    }


async def _pushes(place: Place, before: _Seen, now: _Seen, sender: Json) -> list[tuple[str, Json]]:
    names = sorted(set(before.refs) | set(now.refs))
    moved = [(one, before.refs.get(one, _NOTHING), now.refs.get(one, _NOTHING)) for one in names]
    return [("push", await _push(place, *one, sender)) for one in moved if one[1] != one[2]]


async def _push(place: Place, ref: str, before: str, after: str, sender: Json) -> Json:
    created, deleted = before == _NOTHING, after == _NOTHING
    commits: list[Json] = []
    forced = False
    if not deleted:
        base = f"refs/heads/{place.git.default_branch()}" if created else before
        commits = await _commits(place, f"{base}..{after}")
        forced = not created and bool(await git("rev-list", "-n1", f"{after}..{before}", at=place.git.path))
    login = str(sender["login"])
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": f"{place.page.html_url}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": login, "email": f"{login}@users.noreply.github.com"},
    }


async def _commits(place: Place, span: str) -> list[Json]:
    """The oldest first, each with the paths that it touched."""
    form = "--format=%x1e%H%x1f%T%x1f%an%x1f%ae%x1f%ct%x1f%B%x1f"
    limit = f"-n{_MOST_COMMITS}"
    said = await git("log", "--reverse", limit, "-z", "--name-status", "--no-renames", form, span, at=place.git.path)
    return [_commit(place, one) for one in said.decode(errors="replace").split("\x1e") if "\x1f" in one]


def _commit(place: Place, said: str) -> Json:
    sha, tree, name, email, seconds, message, rest = said.split("\x1f", 6)
    words = [one.strip("\n") for one in rest.split("\0") if one.strip("\n")]
    touched: dict[str, list[str]] = {"added": [], "modified": [], "removed": []}
    for kind, path in zip(words[::2], words[1::2], strict=False):
        touched[_KINDS.get(kind, "modified")].append(path)
    who = {"name": name, "email": email}
    return {
        "id": sha,
        "tree_id": tree,
        "distinct": True,
        "message": message.strip(),
        "timestamp": zulu(datetime.fromtimestamp(int(seconds), UTC)),
        "url": f"{place.page.html_url}/commit/{sha}",
        "author": who,
        "committer": who,
        **touched,
    }
