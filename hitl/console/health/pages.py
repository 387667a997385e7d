"""The pages of repositories' health: which were reported on, and each with its figures over time."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Refused, Visitors
from hitl.console.health.shown import HEIGHT, WIDTH, shown
from hitl.console.pages import Pages
from hitl.console.ports import Health
from hitl.hidden import visible

_LONGEST: Final = 140


class HealthPages:
    """The routes."""

    def __init__(self, health: Health, *, visitors: Visitors, pages: Pages) -> None:
        self._health, self._visitors, self._pages = health, visitors, pages

    def routes(self) -> list[Route]:
        """Both of them."""
        return [Route("/health", self._list), Route("/health/repository", self._show)]

    async def _list(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page = request.query_params.get("page")
        found = await self._health.found(page)
        rows = [one for one in map(shown, found.rows) if one is not None]
        return self._pages.render("health.html", visitor, found=found, rows=rows, page=page)

    async def _show(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        name = request.query_params.get("name", "")[:_LONGEST]
        state = await self._health.show(name) if name else None
        health = shown(state) if state is not None else None
        if health is None:
            text = f"Nobody reported on {visible(name) or 'it'} yet: start the goal ReportHealth."
            raise Refused(HTTPStatus.NOT_FOUND, "No report", text)
        return self._pages.render("repository_health.html", visitor, health=health, width=WIDTH, height=HEIGHT)
