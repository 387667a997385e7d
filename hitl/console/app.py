"""The console as an ASGI application. It keeps nothing: any number of copies answer alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hitl.console.access.headers import SafeHeaders
from hitl.console.access.key_pages import KeyPages
from hitl.console.access.key_uses import KeyUses
from hitl.console.access.loopback import LoopbackOnly
from hitl.console.access.same_origin import SameOrigin
from hitl.console.access.short_queries import ShortQueries
from hitl.console.access.sign_in import SignInPages, to_sign_in
from hitl.console.access.visitors import Refused, SignInFirst, Visitor, Visitors
from hitl.console.audit.pages import AuditPages
from hitl.console.goals.pages import GoalPages
from hitl.console.goals.starting import StartingPages
from hitl.console.goals.waiting import Waiting
from hitl.console.health.pages import HealthPages
from hitl.console.inbox.confirming import Confirming
from hitl.console.inbox.deciding import DecidingPages
from hitl.console.installations.pages import InstallationPages
from hitl.console.leases.pages import LeasePages
from hitl.console.limits.pages import LimitPages
from hitl.console.live import Live
from hitl.console.live_pages import LivePages
from hitl.console.pages import Pages
from hitl.console.policy.pages import PolicyPages
from hitl.console.ports import (
    Approvals,
    Audit,
    Decide,
    Goals,
    Health,
    Installations,
    Leases,
    Marks,
    Opinions,
    Unavailable,
    UseOfLimits,
)
from hitl.console.settings import ConsoleSettings
from hitl.console.stacks.pages import StackPages
from hitl.console.stacks.plans import Artifacts, StackPlans
from hitl.gateway.decisions import PolicyInForce
from hitl.policy.file import PolicyError

_ENDED: Final = "Your session has ended. Nothing was done: sign in, look again, and decide then."
_BROKEN: Final = (
    "It is unknown whether anything was done: look at it again. An operator finds why in the gateway's log."
)
_Handler = Callable[[Request, Exception], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the console looks things up.

    Attributes:
        approvals: Approvals.
        goals: Goals; they are started there, too.
        opinions: What people think of them.
        leases: Leases.
        limits: How much is used of what is limited.
        installations: On what our GitHub App is installed.
        health: How repositories do.
        artifacts: The whole plans of stacks, and what goals leave to take.
        audit: The audit log.
        marks: Whether a page has changed.
    """

    approvals: Approvals
    goals: Goals
    opinions: Opinions
    leases: Leases
    limits: UseOfLimits
    installations: Installations
    health: Health
    artifacts: Artifacts
    audit: Audit
    marks: Marks


def create_console(  # noqa: PLR0913 - all that it is wired from
    settings: ConsoleSettings,
    sources: Sources,
    *,
    policy: PolicyInForce,
    decide: Decide,
    uses: KeyUses,
    live: Live | None = None,
) -> Starlette:
    """The console, to be served at `settings.origin`.

    Args:
        settings: Checked already: a console that anybody could enter is not made.
        sources: Where it looks things up.
        policy: Who people are, and the phase of the environment.
        decide: The one way on which decisions of every surface go.
        uses: Where the uses of people's keys are counted.
        live: What tells browsers that a page has changed; by default one of its own.
    """
    visitors = Visitors(settings, policy)
    pages = Pages(settings, visitors, policy=policy)
    approvals, artifacts = sources.approvals, sources.artifacts
    stacks = StackPages(approvals, StackPlans(artifacts), visitors=visitors, pages=pages)
    confirming, waiting = Confirming(settings, policy, uses), Waiting(approvals, policy)
    deciding = DecidingPages(
        approvals, decide, policy=policy, confirming=confirming, stacks=stacks, visitors=visitors, pages=pages
    )
    looking = GoalPages(sources.goals, sources.opinions, waiting, artifacts=artifacts, visitors=visitors, pages=pages)
    return Starlette(
        routes=[
            *deciding.routes(),
            *stacks.routes(),
            *looking.routes(),
            *StartingPages(sources.goals, visitors=visitors, pages=pages).routes(),
            *LeasePages(sources.leases, visitors=visitors, pages=pages).routes(),
            *AuditPages(sources.audit, visitors=visitors, pages=pages).routes(),
            *LimitPages(sources.limits, policy, visitors=visitors, pages=pages).routes(),
            *InstallationPages(sources.installations, visitors=visitors, pages=pages).routes(),
            *HealthPages(sources.health, visitors=visitors, pages=pages).routes(),
            *PolicyPages(settings, policy, visitors=visitors, pages=pages).routes(),
            *SignInPages(settings, visitors=visitors, pages=pages).routes(),
            *KeyPages(settings, policy, visitors=visitors, pages=pages).routes(),
            *LivePages(sources.marks, live or Live(), visitors=visitors).routes(),
            Route("/static/{name}", pages.static),
            Route("/healthz", _health),
        ],
        middleware=_middleware(settings),
        exception_handlers=_handlers(pages, visitors),
    )


def _middleware(settings: ConsoleSettings) -> list[Middleware]:
    """What every request passes, the outermost first."""
    return [
        Middleware(SafeHeaders, origin=settings.origin),
        Middleware(ShortQueries),
        *([Middleware(LoopbackOnly)] if not settings.vouched else []),
        Middleware(TrustedHostMiddleware, allowed_hosts=[settings.host], www_redirect=False),
        Middleware(SameOrigin, origin=settings.origin),
    ]


def _handlers(pages: Pages, visitors: Visitors) -> dict[type[Exception] | int, _Handler]:
    """A page for whatever is not answered as asked."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101 - registered for it
        return pages.message(error.title, error.text, status=error.status, visitor=_known(visitors, request))

    async def sign_in_first(request: Request, error: Exception) -> Response:
        assert isinstance(error, SignInFirst)  # noqa: S101 - registered for it
        if request.method != "GET":
            return pages.message("Nothing was done", _ENDED, status=HTTPStatus.UNAUTHORIZED)
        return to_sign_in(error.back)

    async def unavailable(_: Request, error: Exception) -> Response:
        return pages.message("Not just now", str(error), status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def broken(_: Request, __: Exception) -> Response:
        return pages.message("Something went wrong", _BROKEN, status=HTTPStatus.INTERNAL_SERVER_ERROR)

    async def other(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        return pages.message("Not here", error.detail, status=error.status_code, visitor=_known(visitors, request))

    return {
        Refused: refused,
        SignInFirst: sign_in_first,
        Unavailable: unavailable,
        PolicyError: unavailable,
        HTTPException: other,
        Exception: broken,
    }


def _known(visitors: Visitors, request: Request) -> Visitor | None:
    """Who asks, for the head of a page that says no."""
    try:
        return visitors.visitor(request)
    except (SignInFirst, Refused, PolicyError):
        return None


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok")
