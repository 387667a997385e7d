"""Slack's twin: its Web API and Socket Mode, and the workspace in the browser in which people act.

It answers like Slack where Banksman calls it, in Slack's words, with Slack's sizes and limits, and refuses by name what
it does not cover. Messages live in memory, or in a file when one is configured.
"""

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

from connectors.slack.twin.api import WebApi
from connectors.slack.twin.chat import Chat
from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.control import Control
from connectors.slack.twin.deliveries import Deliveries
from connectors.slack.twin.files import Files
from connectors.slack.twin.limits import Meter
from connectors.slack.twin.page import Page
from connectors.slack.twin.payloads import Payloads
from connectors.slack.twin.people import People
from connectors.slack.twin.sockets import Sockets
from connectors.slack.twin.tickets import Tickets
from connectors.slack.twin.views import Views
from connectors.slack.twin.workspace import Workspace
from connectors.twins.faults import FaultInjector

__all__ = ["TwinConfig", "create_twin"]


def create_twin(config: TwinConfig, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The twin as an application, its API behind its faults; page and controls never meet them.

    Args:
        config: Who and what is in the workspace.
        clock: Seconds since the epoch: of timestamps, limits and everything that expires.
    """
    workspace, views, tickets = Workspace(config, clock), Views(), Tickets(clock)
    meter, sockets = Meter(config.limits, clock), Sockets(config.app.id, tickets)
    chat = Chat(workspace, views, tickets)
    people = People(workspace, views, Payloads(workspace, tickets), Deliveries(config, sockets, meter, clock))
    files = Files(workspace, chat)
    api = Starlette(routes=_api(WebApi(config, chat, files, people, tickets, meter), files))
    return Starlette(
        routes=[
            Route("/healthz", _health),
            *Control(people).routes(),
            *Page(people).routes(),
            Route("/files/{file}", files.download),
            WebSocketRoute("/link/", sockets.serve),
            Mount("", app=FaultInjector(api)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(config.hosts))],
    )


def _api(web: WebApi, files: Files) -> list[Route]:
    return [
        Route("/api/{method}", web.answer, methods=["GET", "POST"]),
        Route("/actions/{team}/{action}/{secret}", web.respond, methods=["POST"]),
        Route("/upload/v1/{file}", files.upload, methods=["POST"]),
    ]


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok")
