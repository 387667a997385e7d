"""The page of installations: what each covers, and what it lacks of what this release needs. Nothing is done on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.github.manifest import APP
from connectors.github.permissions import missing, of_app
from hitl.console.access.visitors import Visitors
from hitl.console.pages import Pages
from hitl.console.ports import Installations
from hitl.github.events import LISTENED_TO
from workflows.github.installation_contracts import InstallationState

_SHOWN: Final = 50


@dataclass(frozen=True)
class Lacks:
    """What an installation lacks of what this release needs.

    Attributes:
        permissions: By GitHub's name, with the level.
        events: That it does not send.
    """

    permissions: dict[str, str]
    events: Sequence[str]

    @classmethod
    def of(cls, state: InstallationState) -> "Lacks":
        """Of one that stands."""
        return cls(missing(state.permissions, of_app(APP)), sorted(LISTENED_TO - set(state.events)))


class InstallationPages:
    """The route."""

    def __init__(self, installations: Installations, *, visitors: Visitors, pages: Pages) -> None:
        self._installations = installations
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route("/installations", self._list)]

    async def _list(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        page, gone = request.query_params.get("page"), request.query_params.get("gone") == "1"
        found = await self._installations.found(page, gone=gone)
        return self._pages.render(
            "installations.html", visitor, found=found, page=page, gone=gone, lacks=Lacks.of, most=_SHOWN
        )
