"""What the twin has of issues, and what a pull request changes, file by file, by git itself."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.git import GitError, git
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import NOT_FOUND, Problem
from connectors.github.twin.pulls import label, person
from connectors.github.twin.writes import Body, KeptIssue, Permit, Writes, given_body

_STATUS: Final = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}


class _NewIssue(Body):
    title: str
    body: str | None = None


class Issues:
    """The paths.

    Args:
        permit: Who may do what.
        writes: Keeps the issues and the pull requests, which share their numbers.
        clock: Seconds since the epoch.
    """

    def __init__(self, permit: Permit, writes: Writes, clock: Callable[[], float]) -> None:
        self._permit, self._writes, self._clock = permit, writes, clock

    def routes(self) -> list[Route]:
        """The paths."""
        root = "/repos/{owner}/{name}"
        return [
            Route(f"{root}/issues", self.open, methods=["POST"]),
            Route(f"{root}/issues/{{number:int}}", self.issue),
            Route(f"{root}/pulls/{{number:int}}/files", self.files),
        ]

    async def open(self, request: Request) -> Response:
        """Open an issue."""
        place = self._permit(request, "issues", "write")
        given, kept = await given_body(request, _NewIssue), self._writes.kept(place)
        made = KeptIssue(number=kept.next_number(), title=given.title, body=given.body, at=iso(self._clock()))
        kept.issues.append(made)
        self._writes.keep(place)
        return JSONResponse(issue_body(place, made), status_code=201)

    async def issue(self, request: Request) -> Response:
        """An issue. Like GitHub's it tells a pull request as one, too."""
        place = self._permit(request, "issues")
        wanted, kept = int(request.path_params["number"]), self._writes.kept(place)
        if (found := next((one for one in kept.issues if one.number == wanted), None)) is not None:
            return JSONResponse(issue_body(place, found))
        pull = next((one for one in kept.pulls if one.number == wanted), None)
        if pull is None:
            raise Problem(404, NOT_FOUND)
        as_issue = KeptIssue(number=pull.number, title=pull.title, body=pull.body, at=pull.at, state=pull.state)
        url, page = f"{place.page.url}/pulls/{pull.number}", f"{place.page.html_url}/pull/{pull.number}"
        links = {"url": url, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
        return JSONResponse(issue_body(place, as_issue) | {"pull_request": links})

    async def files(self, request: Request) -> Response:
        """What a pull request changes, by path; a text with its hunks."""
        place = self._permit(request, "pull_requests")
        pull = self._writes.pull(request, place)
        head = pull.head_then or await place.git.resolve(f"refs/heads/{pull.head}")
        base = await place.git.resolve(f"refs/heads/{pull.base}")
        size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
        try:
            left = (await git("merge-base", base or "", head or "", at=place.git.path)).decode().strip()
            raw = await git("diff-tree", "-r", "-z", "--no-renames", left, head or "", at=place.git.path)
        except GitError:
            return JSONResponse([])
        parts = raw.decode(errors="replace").split("\0")
        changed = list(zip(parts[::2], parts[1::2], strict=False))[(page - 1) * size : page * size]
        told = [await _file(place, (left, head or ""), meta, path) for meta, path in changed]
        return JSONResponse(told)


def issue_body(place: Place, issue: KeptIssue) -> Json:
    """An issue, in the shape of GitHub's description."""
    url, page = f"{place.page.url}/issues/{issue.number}", f"{place.page.html_url}/issues/{issue.number}"
    return {
        "id": number(url, "issue"),
        "node_id": f"I_{issue.number}",
        "number": issue.number,
        "state": issue.state,
        "locked": False,
        "title": issue.title,
        "body": issue.body,
        "user": person(place, issue.writer),
        "labels": [label(place, one) for one in issue.labels],
        "comments": 0,
        "author_association": "NONE",
        "url": url,
        "html_url": page,
        "repository_url": place.page.url,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "created_at": issue.at,
        "updated_at": issue.at,
        **dict.fromkeys(("assignee", "closed_at", "milestone")),
    }


async def _file(place: Place, between: tuple[str, str], meta: str, path: str) -> Json:
    """`:OLDMODE NEWMODE OLD NEW STATUS`, with the hunks that GitHub tells after it."""
    _, _, old, new, status = meta.removeprefix(":").split(" ")
    patch = (await git("diff", "--no-renames", *between, "--", f":(literal){path}", at=place.git.path)).decode(
        errors="replace"
    )
    hunks = patch[patch.index("\n@@ ") + 1 :].rstrip("\n") if "\n@@ " in patch else None
    lines = (hunks or "").split("\n")
    added, removed = (sum(one.startswith(sign) for one in lines) for sign in ("+", "-"))
    sha = new if status != "D" else old
    told: Json = {
        "sha": sha,
        "filename": path,
        "status": _STATUS.get(status, "changed"),
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": f"{place.page.html_url}/blob/{between[1]}/{path}",
        "raw_url": f"{place.page.html_url}/raw/{between[1]}/{path}",
        "contents_url": f"{place.page.url}/contents/{path}?ref={between[1]}",
    }
    return told if hunks is None else told | {"patch": hunks}
