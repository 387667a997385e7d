"""Pages for people: a repository with its branches, files and pull requests; commits and pull requests with diffs.

Read-only, without scripts and without anything from elsewhere. They ask for no token, as the twin is for one machine
and listens on loopback; requests under another host name are refused: no web page reads them by DNS rebinding.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connectors.github.git import GitError
from connectors.github.twin.contents import Place
from connectors.github.twin.history import Diff, branches, commits, diff_between, diff_of
from connectors.github.twin.problems import NOT_FOUND, Problem
from connectors.github.twin.pulls import Check, Comment, Pull, ReviewComment
from connectors.github.twin.writes import Kept

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
_POLICY: Final = "base-uri 'none'; frame-ancestors 'none'"
_HIDDEN: Final = re.compile(r"<!-- banksman: [^\n]*? -->")
_DEEPEST: Final = 12
"""Parts of a branch's name; each costs a process to look for."""
_MOST_SHOWN: Final = 256 * 1024
_GONE: Final = "Branches and commits stay; pull requests and checks are kept as long as the twin's process lives."

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_MARKDOWN: Final = MarkdownIt("js-default", {"html": False}).disable("image")
"""As GitHub reads it: of a stranger's HTML nothing, and of their links none that runs something."""


def _rendered(body: str | None) -> Markup:
    """What somebody wrote, without the hidden lines of ours."""
    return Markup(_MARKDOWN.render(_HIDDEN.sub("", body or "")))  # noqa: S704 - HTML of theirs is escaped


_TEMPLATES.filters["markdown"] = _rendered
_Handler = Callable[[Request, Place], Awaitable[Response]]


class Pages:
    """The routes of the pages.

    Args:
        places: Every repository, for a request.
        kept: What a repository has besides git.
    """

    def __init__(self, places: Callable[[Request], list[Place]], kept: Callable[[Place], Kept]) -> None:
        self._places = places
        self._kept = kept

    def routes(self) -> list[Route]:
        """The paths; they come last, as an owner may have any name."""
        root = "/{owner}/{name}"
        of_one: list[tuple[str, _Handler]] = [
            (root, self._repository),
            (f"{root}/tree/{{rest:file}}", self._tree),
            (f"{root}/blob/{{rest:file}}", self._blob),
            (f"{root}/commit/{{sha}}", self._commit),
            (f"{root}/pull/{{number:int}}", self._pull),
            (f"{root}/issues/{{number:int}}", self._issue),
        ]
        return [Route("/", self._index), *(Route(path, self._of_one(handler)) for path, handler in of_one)]

    def _of_one(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            require_loopback(request)
            owner, name = (str(request.path_params[part]).lower() for part in ("owner", "name"))
            named = {(one.page.owner.lower(), one.page.name.lower()): one for one in self._places(request)}
            place = named.get((owner, name))
            if place is None:
                return _missing(request, "There is no such repository here.")
            try:
                return await handler(request, place)
            except GitError:
                return _missing(request, "There is no such branch, commit or file here.")

        return answer

    async def _index(self, request: Request) -> Response:
        require_loopback(request)
        return page("index.html", places=self._places(request))

    async def _repository(self, request: Request, place: Place) -> Response:
        del request
        return await self._folder(place, place.git.default_branch(), "")

    async def _tree(self, request: Request, place: Place) -> Response:
        ref, path = await _split(place, str(request.path_params["rest"]))
        return await self._folder(place, ref, path)

    async def _folder(self, place: Place, ref: str, path: str) -> Response:
        sha = await place.git.resolve(ref)
        items = await place.git.folder(sha, path) if sha else []
        whole = not path
        return page(
            "repository.html",
            place=place,
            ref=ref,
            path=path,
            crumbs=_crumbs(path),
            items=sorted(items, key=lambda item: (item.type == "blob", item.path)),
            branches=await branches(place.git.path) if whole else [],
            commits=await commits(place.git.path, sha) if sha and whole else [],
            pulls=self._kept(place).pulls[::-1] if whole else [],
            issues=self._kept(place).issues[::-1] if whole else [],
            default=place.git.default_branch(),
        )

    async def _blob(self, request: Request, place: Place) -> Response:
        ref, path = await _split(place, str(request.path_params["rest"]))
        sha = await place.git.resolve(ref)
        item = await place.git.item(sha, path) if sha else None
        content = await place.git.blob(item.sha) if item else None
        if item is None or content is None:
            return _missing(request, f"There is no file {path!r} at {ref!r}.")
        text = None if b"\0" in content[:8000] else content[:_MOST_SHOWN].decode(errors="replace")
        cut = len(content) > _MOST_SHOWN
        return page(
            "file.html", place=place, ref=ref, path=path, crumbs=_crumbs(path), size=len(content), text=text, cut=cut
        )

    async def _commit(self, request: Request, place: Place) -> Response:
        sha = await place.git.resolve(str(request.path_params["sha"]))
        if sha is None:
            return _missing(request, "There is no such commit here.")
        info = await place.git.commit_object(sha)
        diff = await diff_of(place.git.path, sha)
        return page("commit.html", place=place, info=info, diff=diff, checks=self._checks(place, sha))

    async def _pull(self, request: Request, place: Place) -> Response:
        wanted, kept = int(request.path_params["number"]), self._kept(place)
        pull = next((one for one in kept.pulls if one.number == wanted), None)
        if pull is None:
            return _missing(request, f"There is no pull request {wanted} here. {_GONE}")
        base, head = [await place.git.resolve(f"refs/heads/{one}") for one in (pull.base, pull.head)]
        if pull.merge_commit is not None:  # what it changed is told by what it became
            base, head = await place.git.resolve(pull.merge_commit), pull.head_then
        there = base is not None and head is not None
        return page(
            "pull.html",
            place=place,
            pull=pull,
            head=head,
            comments=_talk(kept, wanted),
            threads=_threads(kept, wanted),
            checks=self._checks(place, head) if head else [],
            commits=await commits(place.git.path, head, without=base) if base and head else [],
            diff=await _changes(place, pull, base, head) if base and head else None,
            gone=None if there else (pull.head if head is None else pull.base),
        )

    async def _issue(self, request: Request, place: Place) -> Response:
        wanted, kept = int(request.path_params["number"]), self._kept(place)
        issue = next((one for one in kept.issues if one.number == wanted), None)
        if issue is None:
            return _missing(request, f"There is no issue {wanted} here.")
        return page("issue.html", place=place, issue=issue, comments=_talk(kept, wanted))

    def _checks(self, place: Place, sha: str) -> list[Check]:
        return [one for one in self._kept(place).checks if one.head_sha == sha]


def _talk(kept: Kept, wanted: int) -> list[Comment]:
    return [one for one in kept.comments if one.on == wanted and not one.gone]


def _threads(kept: Kept, wanted: int) -> list[list[ReviewComment]]:
    """What was said on lines, each first comment with the replies to it."""
    there = [one for one in kept.review_comments if one.on == wanted]
    firsts = [one for one in there if one.reply_to is None]
    return [[first, *(one for one in there if one.reply_to == first.id)] for first in firsts]


def page(name: str, *, status: int = 200, forms: str = "'none'", **values: object) -> Response:
    """A page of the twin's.

    Args:
        name: Of its template.
        status: Of the answer.
        forms: Where its forms may lead, as a browser is told.
        values: What it shows.
    """
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; {_POLICY}; form-action {forms}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(_TEMPLATES.get_template(name).render(nonce=nonce, **values), status, headers)


def _missing(request: Request, message: str) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        raise Problem(404, NOT_FOUND)  # a program that lost its way, and reads JSON
    return page("missing.html", status=404, message=message)


async def _changes(place: Place, pull: Pull, base: str, head: str) -> Diff:
    if pull.merge_commit is not None:
        return await diff_of(place.git.path, pull.merge_commit)
    return await diff_between(place.git.path, base, head)


def require_loopback(request: Request) -> None:
    """Refuse a page under a host name that is not this machine's own."""
    if (request.url.hostname or "") not in _LOOPBACK:
        raise Problem(404, NOT_FOUND)


async def _split(place: Place, rest: str) -> tuple[str, str]:
    """A branch, whose name may have slashes, and a path behind it: the longest name that there is.

    Raises:
        GitError: There is none.
    """
    words = rest.strip("/").split("/")
    for length in range(min(len(words), _DEEPEST), 0, -1):
        ref = "/".join(words[:length])
        if await place.git.resolve(ref):
            return ref, "/".join(words[length:])
    raise GitError(f"{rest!r} names no branch, tag or commit")


def _crumbs(path: str) -> list[tuple[str, str]]:
    """Each folder on the way, with its path."""
    words = path.split("/") if path else []
    return [(word, "/".join(words[: n + 1])) for n, word in enumerate(words)]
