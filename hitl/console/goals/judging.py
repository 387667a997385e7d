"""Saying what one thinks of a goal, on its page: as who is signed in, and by a form that we made for them."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl.approval.decision import Surface
from hitl.console.access.tokens import Form
from hitl.console.access.visitors import Refused, Visitor, Visitors
from hitl.console.pages import Pages
from hitl.console.ports import GoalRow, Opinions
from hitl.gateway.decisions import Kind
from workflows.opinions.contracts import MAX_WORDS

SAY: Final = "/goal/opinion"
_STATUS: Final = {Kind.REFUSED: HTTPStatus.CONFLICT, Kind.UNCONFIRMED: HTTPStatus.SERVICE_UNAVAILABLE}
_TITLES: Final = {Kind.REFUSED: "Refused", Kind.UNCONFIRMED: "Not sure yet"}


class JudgingPages:
    """The route, and the form for it."""

    def __init__(self, opinions: Opinions, *, visitors: Visitors, pages: Pages) -> None:
        self._opinions = opinions
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """It takes a POST alone: nothing is said by opening a link."""
        return [Route(SAY, self._said, methods=["POST"])]

    def form(self, visitor: Visitor, row: GoalRow) -> str:
        """The token of a form on this run, for this visitor."""
        form = Form(session=visitor.session, path=SAY, about=row.id, run=row.run_id, at=datetime.now(UTC))
        return self._visitors.sealed(form)

    async def _said(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        filled = await self._visitors.filled(request, visitor)
        verdict, words = filled.fields.get("verdict", ""), filled.fields.get("words", "")
        if verdict not in {"useful", "wrong"}:
            text = f"{verdict!r} is nothing that one can say of a goal."
            raise Refused(HTTPStatus.BAD_REQUEST, "No such verdict", text)
        if len(words) > MAX_WORDS:
            text = f"Write at most {MAX_WORDS} characters; these are {len(words)}. Nothing was said."
            raise Refused(HTTPStatus.BAD_REQUEST, "Too long", text)
        told = await self._opinions.give(
            identity=visitor.identity,
            surface=Surface.CONSOLE.value,
            goal=filled.form.about,
            goal_run=filled.form.run,
            verdict="useful" if verdict == "useful" else "wrong",
            words=words,
        )
        if told.kind is not Kind.COUNTED:
            return self._pages.message(_TITLES[told.kind], told.words, status=_STATUS[told.kind], visitor=visitor)
        page = urlencode({"id": filled.form.about, "run": filled.form.run})
        return RedirectResponse(f"/goal?{page}", status_code=HTTPStatus.SEE_OTHER)
