"""The page of leases. Nothing is done on it: `banksman leases` extends and ends."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.leases.kinds import command_for
from hitl.console.access.visitors import Visitors
from hitl.console.pages import Pages
from hitl.console.ports import Leases


class LeasePages:
    """The route."""

    def __init__(self, leases: Leases, *, visitors: Visitors, pages: Pages) -> None:
        self._leases = leases
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route("/leases", self._list)]

    async def _list(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page, ended = request.query_params.get("page"), request.query_params.get("ended") == "1"
        found = await self._leases.found(page, ended=ended)
        return self._pages.render("leases.html", visitor, found=found, page=page, ended=ended, command=command_for)
