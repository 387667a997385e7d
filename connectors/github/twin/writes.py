"""What the twin lets an App write: git's objects and branches by git itself, pull requests and what hangs on them.

Branches and commits are on disk. So is the rest where the twin is told where; else it lives as long as the process.
"""

import base64
import binascii
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.github.bare import iso
from connectors.github.git import GitError, git
from connectors.github.twin.bodies import Json
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import NOT_FOUND, Problem
from connectors.github.twin.pulls import (
    Check,
    Comment,
    Mergeability,
    Pull,
    ReviewComment,
    pull_request,
)
from connectors.github.twin.trees import is_ancestor

_NOTHING: Final = "0" * 40
_BOT: Final = "banksman[bot] <banksman[bot]@users.noreply.github.com>"


class Body(BaseModel):
    """What is sent; unknown fields are let be."""

    model_config = ConfigDict(extra="ignore")


class _Blob(Body):
    content: str
    encoding: Literal["utf-8", "base64"] = "utf-8"


class _Entry(Body):
    path: str
    mode: Literal["100644", "100755", "120000"]
    type: Literal["blob"]
    sha: str | None


class _Tree(Body):
    tree: list[_Entry]
    base_tree: str


class _Commit(Body):
    message: str
    tree: str
    parents: list[str] = []


class _Ref(Body):
    ref: str = Field(pattern=r"^refs/(heads|tags)/.+")
    sha: str


class _Move(Body):
    sha: str
    force: bool = False


class _NewPull(Body):
    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


Given = TypeVar("Given", bound=Body)


class Permit(Protocol):
    """The repository of a request's path when the caller's token may do this to it; else it raises."""

    def __call__(self, request: Request, permission: str = "contents", level: str = "read") -> Place:
        """The repository, with its git."""
        ...


@dataclass(kw_only=True)
class KeptIssue:
    """An issue within one repository."""

    number: int
    title: str
    body: str | None
    at: str
    state: str = "open"
    writer: str = "somebody"
    labels: list[str] = field(default_factory=list[str])


@dataclass
class Kept:
    """What one repository has besides git."""

    pulls: list[Pull] = field(default_factory=list[Pull])
    comments: list[Comment] = field(default_factory=list[Comment])
    checks: list[Check] = field(default_factory=list[Check])
    checks_made: int = 0
    labels: list[str] = field(default_factory=list[str])
    reactions: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """Of our App: to what, which, and its number."""
    issues: list[KeptIssue] = field(default_factory=list[KeptIssue])
    review_comments: list[ReviewComment] = field(default_factory=list[ReviewComment])

    def next_number(self) -> int:
        """Issues and pull requests share theirs."""
        return max((one.number for one in (*self.pulls, *self.issues)), default=0) + 1


_KEPT: Final = TypeAdapter(Kept)


def kept_besides_git(file: Path | None) -> Kept:
    """What was written down of a repository; nothing where nothing was."""
    return _KEPT.validate_json(file.read_bytes()) if file is not None and file.exists() else Kept()


def keep_besides_git(file: Path, kept: Kept) -> None:
    """Write it down, in one step."""
    draft = file.with_suffix(".new")
    draft.write_bytes(_KEPT.dump_json(kept))
    draft.replace(file)


class Writes:
    """The paths that write, and those that look for what was written.

    Args:
        permit: Who may do what.
        clock: Seconds since the epoch.
        beside: A folder for what git does not keep; None where the process keeps it.
    """

    def __init__(
        self,
        permit: Permit,
        clock: Callable[[], float],
        *,
        beside: Path | None = None,
    ) -> None:
        self._permit = permit
        self._clock = clock
        self._beside = beside
        self._repositories: dict[Path, Kept] = {}

    def routes(self) -> list[Route]:
        """The paths."""
        root = "/repos/{owner}/{name}"
        return [
            Route(f"{root}/git/blobs", self.blob, methods=["POST"]),
            Route(f"{root}/git/trees", self.tree, methods=["POST"]),
            Route(f"{root}/git/commits", self.commit, methods=["POST"]),
            Route(f"{root}/git/commits/{{sha}}", self.read_commit),
            Route(f"{root}/git/refs", self.ref, methods=["POST"]),
            Route(f"{root}/git/ref/{{ref:path}}", self.read_ref),
            Route(f"{root}/git/refs/{{ref:path}}", self.move_ref, methods=["PATCH"]),
            Route(f"{root}/pulls", self.open, methods=["POST"]),
            Route(f"{root}/pulls", self.pulls),
        ]

    # Git.

    async def blob(self, request: Request) -> Response:
        """Keep a file's bytes."""
        place = self._permit(request, "contents", "write")
        given = await given_body(request, _Blob)
        try:
            content = given.content.encode() if given.encoding == "utf-8" else base64.b64decode(given.content)
        except binascii.Error:
            raise Problem(422, "content is not valid Base64") from None
        sha = (await git("hash-object", "-w", "--stdin", at=place.git.path, stdin=content)).decode().strip()
        return JSONResponse({"sha": sha, "url": f"{place.page.url}/git/blobs/{sha}"}, status_code=201)

    async def tree(self, request: Request) -> Response:
        """Keep a tree: another one, with these entries changed."""
        place = self._permit(request, "contents", "write")
        given = await given_body(request, _Tree)
        lines = [f"{one.mode if one.sha else 0} {one.sha or _NOTHING}\t{one.path}\0" for one in given.tree]
        with tempfile.TemporaryDirectory() as folder:
            index, at = Path(folder) / "index", place.git.path
            try:
                there = {item.path for item in await place.git.tree(given.base_tree, recursive=True)}
                if any(one.sha is None and one.path not in there for one in given.tree):
                    raise Problem(422, "GitRPC::BadObjectState")
                await git("read-tree", given.base_tree, at=at, index=index)
                await git("update-index", "-z", "--index-info", at=at, index=index, stdin="".join(lines).encode())
                sha = (await git("write-tree", at=at, index=index)).decode().strip()
            except GitError:
                raise Problem(422, "tree.sha is not a valid object, or a path is malformed") from None
        items = await place.git.tree(sha, recursive=False)
        return JSONResponse(place.page.tree(sha, items, truncated=False), status_code=201)

    async def commit(self, request: Request) -> Response:
        """Keep a commit."""
        place = self._permit(request, "contents", "write")
        given = await given_body(request, _Commit)
        who = f"{_BOT} {int(self._clock())} +0000"
        parents = "".join(f"parent {one}\n" for one in given.parents)
        text = f"tree {given.tree}\n{parents}author {who}\ncommitter {who}\n\n{given.message}"
        try:
            for one, kind in [(given.tree, "tree"), *((parent, "commit") for parent in given.parents)]:
                await git("cat-file", kind, one, at=place.git.path)
            out = await git("hash-object", "-t", "commit", "-w", "--stdin", at=place.git.path, stdin=text.encode())
        except GitError:
            raise Problem(422, "Tree SHA or parent SHA does not exist") from None
        return JSONResponse(await _commit_body(place, out.decode().strip()), status_code=201)

    async def read_commit(self, request: Request) -> Response:
        """A commit as git has it."""
        place = self._permit(request)
        try:
            return JSONResponse(await _commit_body(place, str(request.path_params["sha"])))
        except GitError:
            raise Problem(404, NOT_FOUND) from None

    async def ref(self, request: Request) -> Response:
        """Make a branch or a tag that is not there yet."""
        place = self._permit(request, "contents", "write")
        given = await given_body(request, _Ref)
        if await place.git.resolve(given.sha) is None:
            raise Problem(422, "Object does not exist")
        try:
            await git("update-ref", given.ref, given.sha, _NOTHING, at=place.git.path)
        except GitError:
            there = await place.git.resolve(given.ref)
            raise Problem(422, "Reference already exists" if there else "Reference name is not valid") from None
        return JSONResponse(_ref_body(place, given.ref, given.sha), status_code=201)

    async def read_ref(self, request: Request) -> Response:
        """Where a branch or a tag stands."""
        place = self._permit(request)
        name = f"refs/{request.path_params['ref']}"
        try:
            out = await git("rev-parse", "--verify", "--quiet", "--end-of-options", name, at=place.git.path)
        except GitError:
            raise Problem(404, NOT_FOUND) from None
        return JSONResponse(_ref_body(place, name, out.decode().strip()))

    async def move_ref(self, request: Request) -> Response:
        """Move a branch to a commit that follows on the one at which it stands; elsewhere only by force."""
        place = self._permit(request, "contents", "write")
        given, name = await given_body(request, _Move), f"refs/{request.path_params['ref']}"
        there = await place.git.resolve(name)
        if there is None:
            raise Problem(422, "Reference does not exist")
        if await place.git.resolve(given.sha) is None:
            raise Problem(422, "Object does not exist")
        if not given.force and not await is_ancestor(place.git, there, given.sha):
            raise Problem(422, "Update is not a fast forward")
        try:
            await git("update-ref", name, given.sha, there, at=place.git.path)
        except GitError:
            raise Problem(409, "Reference cannot be updated") from None
        return JSONResponse(_ref_body(place, name, given.sha))

    # Pull requests, and what hangs on them.

    async def open(self, request: Request) -> Response:
        """Open a pull request; one at most for each pair of branches."""
        place = self._permit(request, "pull_requests", "write")
        given, kept = await given_body(request, _NewPull), self.kept(place)
        head = given.head.rpartition(":")[2]
        shas = [await place.git.resolve(f"refs/heads/{one}") for one in (head, given.base)]
        if None in shas or shas[0] == shas[1]:
            raise Problem(422, "Validation Failed")
        if any((one.head, one.base, one.state) == (head, given.base, "open") for one in kept.pulls):
            raise Problem(422, f"A pull request already exists for {place.page.owner}:{head}.")
        pull = Pull(
            number=kept.next_number(),
            title=given.title,
            body=given.body,
            head=head,
            base=given.base,
            draft=given.draft,
            at=iso(self._clock()),
        )
        kept.pulls.append(pull)
        self.keep(place)
        pull.looked_at = shas[0] or "", shas[1] or ""  # GitHub begins to work it out when a pull request is opened
        return JSONResponse(await pull_request(place, pull, whole=Mergeability()), status_code=201)

    async def pulls(self, request: Request) -> Response:
        """The pull requests that match."""
        place = self._permit(request, "pull_requests")
        await self.close_abandoned(place)
        query = request.query_params
        head, base, state = query.get("head"), query.get("base"), query.get("state", "open")
        found = [
            one
            for one in self.kept(place).pulls
            if head in {None, f"{place.page.owner}:{one.head}"}
            and base in {None, one.base}
            and state in {"all", one.state}
        ]
        listed = found if query.get("direction") == "asc" else found[::-1]
        return JSONResponse([await pull_request(place, one) for one in page_of(request, listed)])

    async def close_abandoned(self, place: Place) -> None:
        """Close what is open of a branch that is gone, as GitHub does as soon as somebody deletes it."""
        for one in self.kept(place).pulls:
            if one.state == "open" and await place.git.resolve(f"refs/heads/{one.head}") is None:
                one.state, one.ended_at = "closed", iso(self._clock())
                one.head_then = one.looked_at[0] if one.looked_at else None
                self.keep(place)

    def kept(self, place: Place) -> Kept:
        """What a repository has besides git."""
        if place.git.path not in self._repositories:
            self._repositories[place.git.path] = kept_besides_git(self._file(place))
        return self._repositories[place.git.path]

    def rekeep(self, before: Place, now: Place) -> None:
        """Have it go on where the repository is now."""
        kept, old = self.kept(before), self._file(before)
        self._repositories.pop(before.git.path, None)
        self._repositories[now.git.path] = kept
        if old is not None:
            old.unlink(missing_ok=True)
        self.keep(now)

    def keep(self, place: Place) -> None:
        """Write it down, so that it outlives the process."""
        if file := self._file(place):
            keep_besides_git(file, self.kept(place))

    def _file(self, place: Place) -> Path | None:
        return self._beside / f"{place.page.owner}.{place.page.name}.json" if self._beside else None

    def pull(self, request: Request, place: Place) -> Pull:
        """The pull request of the path.

        Raises:
            Problem: There is none.
        """
        wanted = int(request.path_params["number"])
        found = next((one for one in self.kept(place).pulls if one.number == wanted), None)
        if found is None:
            raise Problem(404, NOT_FOUND)
        return found

    def thread(self, request: Request, place: Place) -> Pull | KeptIssue:
        """The pull request or the issue of the path: what people talk about below either is kept alike.

        Raises:
            Problem: There is none.
        """
        wanted = int(request.path_params["number"])
        issue = next((one for one in self.kept(place).issues if one.number == wanted), None)
        return issue or self.pull(request, place)


Listed = TypeVar("Listed")


def page_of(request: Request, all_of_them: list[Listed]) -> list[Listed]:
    """Those that `per_page` and `page` ask for."""
    size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
    return all_of_them[(page - 1) * size : page * size]


async def given_body(request: Request, model: type[Given]) -> Given:
    """The body of a request.

    Raises:
        Problem: It is no such thing.
    """
    try:
        return model.model_validate_json(await request.body())
    except ValidationError:
        raise Problem(422, "Invalid request.") from None


async def _commit_body(place: Place, sha: str) -> Json:
    info = await place.git.commit_object(sha)
    whole = place.page.commit(info)
    unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    parts = {name: getattr(info, name) for name in ("author", "committer")}
    people = {name: {"name": one.name, "email": one.email, "date": one.date} for name, one in parts.items()}
    kept = {name: whole[name] for name in ("sha", "node_id", "html_url", "parents")}
    tree = {"sha": info.tree, "url": f"{place.page.url}/git/trees/{info.tree}"}
    url = f"{place.page.url}/git/commits/{sha}"
    return {**kept, **people, "url": url, "tree": tree, "message": info.message, "verification": unsigned}


def _ref_body(place: Place, ref: str, sha: str) -> Json:
    target = {"type": "commit", "sha": sha, "url": f"{place.page.url}/git/commits/{sha}"}
    return {"ref": ref, "node_id": f"REF_{ref}", "url": f"{place.page.url}/git/{ref}", "object": target}
