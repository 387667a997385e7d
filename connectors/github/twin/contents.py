"""What the twin tells of a repository's contents: commits, trees, files and blobs, read by git."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from connectors.github.bare import OBJECT_ID, BareRepository, TreeItem
from connectors.github.git import GitError
from connectors.github.twin.bodies import LINK_MODE, RepositoryPage
from connectors.github.twin.limits import Limits
from connectors.github.twin.problems import NOT_FOUND, Problem

_INLINE_LIMIT: Final = 1024 * 1024
_FOLDER_LIMIT: Final = 1000
_Told = TypeVar("_Told")
_SHA_ONLY: Final = "application/vnd.github.sha"
_RAW: Final = "application/vnd.github.raw"


class _FilePath(Convertor[str]):
    """The rest of a path, with line breaks: a file may have one in its name, and Starlette's `path` takes none."""

    regex = r"[\s\S]*"

    @override
    def convert(self, value: str) -> str:
        return value

    @override
    def to_string(self, value: str) -> str:
        return value


register_url_convertor("file", _FilePath())


class Place(NamedTuple):
    """A repository: what is said of it, and its git."""

    page: RepositoryPage
    git: BareRepository


def page_of(request: Request, all_of: Sequence[_Told]) -> list[_Told]:
    """Those of a list that `per_page` and `page` ask for, as GitHub counts them."""
    query = request.query_params
    size = min(int(query.get("per_page", "30")), 100)
    begin = (int(query.get("page", "1")) - 1) * size
    return list(all_of[begin : begin + size])


class Contents:
    """The paths that read a repository.

    Args:
        readable: The repository of a request's path when the caller may read its contents; else it raises.
        limits: How large an answer may be.
    """

    def __init__(self, readable: Callable[[Request], Place], limits: Limits) -> None:
        self._readable = readable
        self._limits = limits

    def routes(self) -> list[Route]:
        """The paths."""
        repository = "/repos/{owner}/{name}"
        return [
            Route(f"{repository}/contents", self.contents),
            Route(f"{repository}/contents/{{path:file}}", self.contents),
            Route(f"{repository}/branches", self.branches),
            Route(f"{repository}/commits/{{ref:path}}", self.commit),
            Route(f"{repository}/git/trees/{{ref:path}}", self.tree),
            Route(f"{repository}/git/blobs/{{sha}}", self.blob),
        ]

    async def commit(self, request: Request) -> Response:
        """A commit, or only its id for those who accept that."""
        place = self._readable(request)
        ref = str(request.path_params["ref"])
        sha = await place.git.resolve(ref)
        if sha is None:
            await _refuse_empty(place)
            raise Problem(422, f"No commit found for SHA: {ref}")
        if request.headers.get("accept") == _SHA_ONLY:
            return Response(sha, media_type=f"{_SHA_ONLY}; charset=utf-8")
        return JSONResponse(place.page.commit(await place.git.commit_object(sha)))

    async def branches(self, request: Request) -> Response:
        """Its branches, by pages."""
        place = self._readable(request)
        told = [place.page.branch(name, sha) for name, sha in await place.git.branches()]
        return JSONResponse(page_of(request, told))

    async def tree(self, request: Request) -> Response:
        """A tree, by its id or by what names a commit."""
        place = self._readable(request)
        tree = await place.git.resolve(str(request.path_params["ref"]), kind="tree")
        if tree is None:
            await _refuse_empty(place)
            raise Problem(404, NOT_FOUND)
        items = await place.git.tree(tree, recursive="recursive" in request.query_params)
        most = self._limits.tree_entries
        return JSONResponse(place.page.tree(tree, items[:most], truncated=len(items) > most))

    async def blob(self, request: Request) -> Response:
        """A blob, by its id."""
        place = self._readable(request)
        sha = str(request.path_params["sha"])
        content = await place.git.blob(sha)
        if content is None:
            await _refuse_empty(place)
            raise Problem(404, NOT_FOUND)
        self._refuse_large(len(content))
        if _wants_raw(request):
            return Response(content, media_type=f"{_RAW}; charset=utf-8")
        return JSONResponse(place.page.blob(sha, content))

    async def contents(self, request: Request) -> Response:
        """A file, a link, a submodule, or what lies in a folder."""
        place = self._readable(request)
        path = str(request.path_params.get("path", "")).strip("/")
        ref = request.query_params.get("ref") or "HEAD"
        # A whole id is not looked up first: reading at it tells whether there is such a commit.
        commit = ref if OBJECT_ID.fullmatch(ref) else await place.git.resolve(ref)
        try:
            if commit is not None:
                return await self._at(request, place, commit, path)
        except GitError:
            if await place.git.resolve(ref) is not None:
                raise
        if await place.git.resolve("HEAD") is None:
            raise Problem(404, "This repository is empty.")
        raise Problem(404, f"No commit found for the ref {ref}")

    async def _at(self, request: Request, place: Place, commit: str, path: str) -> Response:
        if not path:
            return await self._listing(place, commit, path)
        if "\0" in path or any(part in {"", ".", ".."} for part in path.split("/")):
            raise Problem(404, NOT_FOUND)
        item = await place.git.item(commit, path)
        if item is not None and item.mode == LINK_MODE:
            item = await _link_target(place, commit, item) or item
        if item is None:
            raise Problem(404, NOT_FOUND)
        if item.type == "tree":
            return await self._listing(place, commit, path)
        return await self._file(request, place, item, commit=commit)

    async def _file(self, request: Request, place: Place, item: TreeItem, *, commit: str) -> Response:
        entry = place.page.content(item, ref=commit)
        if entry["type"] == "submodule":
            return JSONResponse(entry | {"submodule_git_url": await place.git.submodule_url(commit, item.path)})
        self._refuse_large(item.size or 0)
        content = await place.git.blob(item.sha) or b""
        if _wants_raw(request):
            return Response(content, media_type=f"{_RAW}; charset=utf-8")
        if entry["type"] == "symlink":
            return JSONResponse(entry | {"target": content.decode(errors="replace")})
        inline = len(content) <= _INLINE_LIMIT
        text = base64.encodebytes(content).decode() if inline else ""
        return JSONResponse(entry | {"encoding": "base64" if inline else "none", "content": text})

    async def _listing(self, place: Place, commit: str, path: str) -> Response:
        inside = await place.git.folder(commit, path)
        items = [replace(item, path=f"{path}/{item.path}") if path else item for item in inside[:_FOLDER_LIMIT]]
        entries = [place.page.content(item, ref=commit) for item in items]
        # In a listing GitHub calls a submodule a file, for the sake of old clients.
        return JSONResponse(
            [entry | {"type": "file" if entry["type"] == "submodule" else entry["type"]} for entry in entries]
        )

    def _refuse_large(self, size: int) -> None:
        if size > self._limits.blob_bytes:
            message = "This API returns blobs up to 100 MB in size. The requested blob is too large to fetch."
            raise Problem(403, message, code="too_large")


def _wants_raw(request: Request) -> bool:
    return request.headers.get("accept", "").startswith(_RAW)


async def _link_target(place: Place, commit: str, link: TreeItem) -> TreeItem | None:
    """The file of this repository that a symbolic link leads to; None when it leads elsewhere."""
    target = (await place.git.blob(link.sha) or b"").decode(errors="replace")
    path: list[str] = []
    for part in [*link.path.split("/")[:-1], *target.split("/")]:
        if part == ".." and not path:
            return None
        if part == "..":
            path.pop()
        elif part not in {"", "."}:
            path.append(part)
    found = await place.git.item(commit, "/".join(path)) if path and not target.startswith("/") else None
    return found if found is not None and found.type == "blob" and found.mode != LINK_MODE else None


async def _refuse_empty(place: Place) -> None:
    if await place.git.resolve("HEAD") is None:
        raise Problem(409, "Git Repository is empty.")
