"""Repositories that were renamed, given to another owner, or archived. A repository keeps its id wherever it goes.

Like GitHub the twin redirects its former addresses to the address of its id, until another repository has the name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.github.twin.bodies import number
from connectors.github.twin.contents import Place
from connectors.github.twin.problems import NOT_FOUND, refusal

_BY_NAME: Final = re.compile(r"/repos/(?P<name>[^/]+/[^/]+)(?P<rest>/.*)?")
_BY_ID: Final = re.compile(r"/repositories/(?P<id>[0-9]{1,12})(?P<rest>/.*)?")
_PUSH: Final = re.compile(r"/(?P<name>[^/]+/[^/]+)\.git/git-receive-pack")
_READS: Final = frozenset({"GET", "HEAD"})
_ARCHIVED: Final = "Repository was archived so is read-only."


class _Book(BaseModel):
    ids: dict[str, int] = Field(default_factory=dict[str, int])
    former: dict[str, int] = Field(default_factory=dict[str, int])
    archived: set[int] = Field(default_factory=set[int])


class Moves:
    """What is known of repositories beside their folders.

    Args:
        file: Where it is kept; None: as long as the process lives.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        there = file is not None and file.exists()
        self._book = _Book.model_validate_json(file.read_bytes()) if file is not None and there else _Book()

    def number(self, owner: str, name: str) -> int:
        """A repository's id: made of its first name."""
        return self._book.ids.get(f"{owner}/{name}".lower(), number(owner, name))

    def formerly(self, name: str) -> int | None:
        """The id of what was once called so."""
        return self._book.former.get(name.lower())

    def is_archived(self, one: int) -> bool:
        """Whether it is only read."""
        return one in self._book.archived

    def archive(self, one: int) -> None:
        """From now on it is."""
        self._book.archived.add(one)
        self._keep()

    def move(self, place: Place, *, owner: str, name: str) -> None:
        """Give a repository another name, its folder too.

        Raises:
            FileExistsError: There is one of that name.
        """
        old, folder = f"{place.page.owner}/{place.page.name}".lower(), place.git.path
        there = folder.parent.parent / owner / f"{name}.git"
        if there.exists():
            raise FileExistsError(f"{owner}/{name}")
        there.parent.mkdir(exist_ok=True)
        one = place.page.number
        folder.rename(there)
        self._book.ids.pop(old, None)
        self._book.ids[f"{owner}/{name}".lower()] = self._book.former[old] = one
        self._book.former.pop(f"{owner}/{name}".lower(), None)
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            self._file.write_text(self._book.model_dump_json())


@dataclass
class Elsewhere:
    """ASGI middleware: redirects from former names, finds by id, and lets nothing be written in what is archived."""

    app: ASGIApp
    moves: Moves
    places: Callable[[Request], list[Place]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let it through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        there = {f"{one.page.owner}/{one.page.name}".lower(): one for one in self.places(request)}
        if (by_id := _BY_ID.fullmatch(request.url.path)) is not None:
            found = next((one for one in there.values() if one.page.number == int(by_id["id"])), None)
            if found is None:
                await refusal(404, NOT_FOUND)(scope, receive, send)
                return
            path = f"/repos/{found.page.owner}/{found.page.name}{by_id['rest'] or ''}"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        answer = self._answer(Request(scope), there)
        await (answer or self.app)(scope, receive, send)

    def _answer(self, request: Request, there: dict[str, Place]) -> Response | None:
        path = request.url.path
        named = _BY_NAME.fullmatch(path) or _PUSH.fullmatch(path)
        if named is None:
            return None
        name, reads = named["name"].lower(), request.method in _READS
        if (place := there.get(name)) is not None:
            return refusal(403, _ARCHIVED) if not reads and self.moves.is_archived(place.page.number) else None
        one, rest = self.moves.formerly(name), (named.groupdict().get("rest") or "")
        return None if one is None else _redirect(request.url.replace(path=f"/repositories/{one}{rest}"), reads=reads)


def _redirect(to: URL, *, reads: bool) -> Response:
    said = {"message": "Moved Permanently", "url": str(to), "documentation_url": "https://docs.github.com/rest"}
    return JSONResponse(said, status_code=301 if reads else 307, headers={"Location": str(to)})
