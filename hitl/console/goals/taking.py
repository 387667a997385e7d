"""What a goal leaves to take: artifacts that its result declares, and its whole log.

Only what the result of that goal names is handed out, whatever digest a link has. The bytes are a stranger's: they are
saved under a name of ours and never opened by this origin, and as text they are shown escaped.
"""

import asyncio
import codecs
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.errors import ConnectorError, NotFound
from hitl.console.access.visitors import Refused, Visitors
from hitl.console.pages import Pages
from hitl.console.ports import Goals, Unavailable
from hitl.console.stacks.plans import Artifacts
from hitl.hidden import unhidden, unhidden_lines
from workflows.agent.history_contracts import StepTold
from workflows.kept import KeptArtifact

MOST_SHOWN: Final = 256 * 1024
"""Bytes of an artifact that a page shows; all of it can be taken."""
_PATIENCE_S: Final = 20.0
_AT_ONCE: Final = 2
"""Each is whole in memory while it is handed out."""
_INERT: Final = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}


class TakingPages:
    """The routes."""

    def __init__(self, goals: Goals, artifacts: Artifacts, *, visitors: Visitors, pages: Pages) -> None:
        self._goals = goals
        self._artifacts = artifacts
        self._visitors = visitors
        self._pages = pages
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/goal/artifact", self._take),
            Route("/goal/artifact/text", self._show),
            Route("/goal/log", self._log),
        ]

    async def _take(self, request: Request) -> Response:
        self._visitors.visitor(request)
        one = await self._named(request)
        return _attached(await self._content(one), one.file, media_type="application/octet-stream")

    async def _show(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        one = await self._named(request)
        content = await self._content(one)
        goal_id, run_id = _goal(request)
        return self._pages.render(
            "artifact.html",
            visitor,
            goal_id=goal_id,
            run_id=run_id or "",
            artifact=one,
            size=len(content),
            text=_text(content[:MOST_SHOWN]),
            cut=max(0, len(content) - MOST_SHOWN),
        )

    async def _log(self, request: Request) -> Response:
        self._visitors.visitor(request)
        goal_id, run_id = _goal(request)
        steps = await self._goals.log(goal_id, run_id) if goal_id else None
        if steps is None:
            raise no_such_goal(goal_id)
        content = "".join(f"{line}\n" for line in _lines(steps)).encode()
        return _attached(content, "log.txt", media_type="text/plain; charset=utf-8")

    async def _named(self, request: Request) -> KeptArtifact:
        """The artifact of a link, if that goal's own result names it."""
        goal_id, run_id = _goal(request)
        reference = request.query_params.get("of", "")
        kept = await self._goals.kept(goal_id, run_id) if goal_id else ()
        found = next((one for one in kept if one.reference == reference), None)
        if found is None:
            text = "The result of this goal leaves no such artifact. Open it from the goal's page."
            raise Refused(HTTPStatus.NOT_FOUND, "No such artifact", text)
        return found

    async def _content(self, one: KeptArtifact) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._at_once:
                return await self._artifacts.get(one.reference)
        except NotFound:
            text = "The artifact store no longer has it: it was kept for a time."
            raise Refused(HTTPStatus.GONE, "No longer kept", text) from None
        except TimeoutError:
            raise Unavailable("The artifact store does not answer in time; reload in a moment.") from None
        except ConnectorError as error:
            raise Unavailable(str(error)) from error


def no_such_goal(goal_id: str) -> Refused:
    """What people are told who ask for one that is not there."""
    text = f"There is no goal {goal_id[:1000]!r}; it may be too old to be kept."
    return Refused(HTTPStatus.NOT_FOUND, "No such goal", text)


def _goal(request: Request) -> tuple[str, str | None]:
    return request.query_params.get("id", ""), request.query_params.get("run") or None


def _attached(content: bytes, name: str, *, media_type: str) -> Response:
    """Bytes that are saved and not opened; the name is of safe characters alone."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **_INERT}
    return Response(content, media_type=media_type, headers=headers)


def _text(content: bytes) -> str | None:
    """A text with all that hides written out; None for what is no text. It may end in the middle of a character."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    return unhidden_lines(text.replace("\r\n", "\n").replace("\t", "    "))


def _lines(steps: Sequence[StepTold]) -> Iterator[str]:
    for one in steps:
        tries = f", attempt {one.attempts}" if one.attempts > 1 else ""
        yield unhidden(f"{one.at} {one.name}: {one.ended}{tries}" + (f": {one.why}" if one.why else ""))
