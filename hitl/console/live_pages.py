"""The stream that a page listens to while somebody looks at it. A page is whole without it."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from hitl.console.access.visitors import Refused, SignInFirst, Visitors
from hitl.console.goals.filter import GoalFilter
from hitl.console.live import Live, Look
from hitl.console.ports import Marks

LIVE: Final = "/live"
_LONGEST: Final = 2000
_HEADERS: Final = {"X-Accel-Buffering": "no"}


class LivePages:
    """The route."""

    def __init__(self, marks: Marks, live: Live, *, visitors: Visitors) -> None:
        self._marks = marks
        self._live = live
        self._visitors = visitors

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route(LIVE, self._follow)]

    async def _follow(self, request: Request) -> Response:
        try:
            person = self._visitors.visitor(request).person
        except SignInFirst:  # a stream that is sent to the sign-in would ask for ever
            return PlainTextResponse("Sign in.\n", status_code=HTTPStatus.NO_CONTENT)
        thing, look = self._thing(request)
        if not self._live.has_room(thing, person):
            return PlainTextResponse("Reload the page instead.\n", status_code=HTTPStatus.NO_CONTENT)
        stream = self._live.follow(thing, look, person=person)
        return StreamingResponse(stream, media_type="text/event-stream; charset=utf-8", headers=_HEADERS)

    def _thing(self, request: Request) -> tuple[str, Look]:
        """What the page shows, by its own address.

        Raises:
            Refused: No page of that address changes.
        """
        said, path = request.query_params, request.query_params.get("page_path", "")
        one = said.get("id", "")
        if len(str(request.url.query)) > _LONGEST:
            raise Refused(HTTPStatus.BAD_REQUEST, "Too long", "No page has such an address.")
        match path:
            case "/":
                return path, self._marks.waiting
            case "/decided":
                return path, self._marks.decided
            case "/leases":
                return path, self._marks.leases
            case "/goals" | "/jobs":
                wanted = GoalFilter.read(said, self._visitors.people, jobs=path == "/jobs")
                return f"{path}?{wanted.query_address()}", lambda: self._marks.goals(wanted)
            case "/goal" if one:
                run = said.get("run") or None
                return f"{path}?{one}\0{run}", lambda: self._marks.goal(one, run)
            case "/approval" if one:
                return f"{path}?{one}", lambda: self._marks.approval(one)
            case _:
                raise Refused(HTTPStatus.NOT_FOUND, "Not here", "That page does not change by itself.")
