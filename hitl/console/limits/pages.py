"""The page of limits: the policy's rates and how much of them is used, what models cost, GitHub's, other providers'."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.github.pace import HOUR, MINUTE
from connectors.limits import Rate
from connectors.provider import providers
from hitl.console.access.visitors import Visitors
from hitl.console.pages import Pages
from hitl.console.ports import BegunLately, Unavailable, UseOfLimits
from hitl.gateway.decisions import PolicyInForce
from hitl.github.spending import dollars
from hitl.policy.rules import Policy

_MINUTE_S: Final = 60
_GITHUB: Final = "github:"
_Told = TypeVar("_Told")


@dataclass(frozen=True, kw_only=True)
class Used:
    """So many of so many.

    Attributes:
        who: A person, or an owner of repositories.
        identity: By which they are counted; empty for an owner.
    """

    who: str
    identity: str
    used: int
    most: int


@dataclass(frozen=True, kw_only=True)
class ProviderRate:
    """How fast this release asks a provider for something."""

    title: str
    of: str
    told: str


class LimitPages:
    """The route."""

    def __init__(self, limits: UseOfLimits, policy: PolicyInForce, *, visitors: Visitors, pages: Pages) -> None:
        self._limits = limits
        self._policy = policy
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route("/limits", self._show, methods=["GET"])]

    async def _show(self, request: Request) -> Response:
        visitor, policy = self._visitors.visitor(request), self._policy.current()
        (begun, not_begun), (github, not_github), (spent, not_spent) = await asyncio.gather(
            _or_why(self._limits.begun), _or_why(self._limits.github), _or_why(self._limits.spending)
        )
        return self._pages.render(
            "limits.html",
            visitor,
            people=_people(policy, begun) if begun else (),
            owners=_owners(policy, begun) if begun else (),
            begun=begun,
            not_begun=not_begun,
            github=github,
            not_github=not_github,
            spent=spent,
            not_spent=not_spent,
            dollars=dollars,
            rates=policy.github.rates,
            content={"minute": MINUTE, "hour": HOUR},
            providers=_providers(),
        )


async def _or_why(ask: Callable[[], Awaitable[_Told]]) -> tuple[_Told | None, str]:
    """What was said, or why nobody can say now: one that is silent keeps nothing of the page from people."""
    try:
        return await ask(), ""
    except Unavailable as error:
        return None, str(error)


def _people(policy: Policy, begun: BegunLately) -> list[Used]:
    """Who may have something begun from GitHub, and whoever has; the most first."""
    known = {identity: person for identity, person in policy.people.identities.items() if identity.startswith(_GITHUB)}
    most = policy.github.rates.person
    told = [
        Used(who=known.get(one, one), identity=one, used=begun.by_person.get(one, 0), most=most)
        for one in {**known, **begun.by_person}
    ]
    return sorted(told, key=lambda one: (-one.used, one.who))


def _owners(policy: Policy, begun: BegunLately) -> list[Used]:
    most = policy.github.rates.installation
    told = [Used(who=owner, identity="", used=used, most=most) for owner, used in begun.by_owner.items()]
    return sorted(told, key=lambda one: (-one.used, one.who))


def _providers() -> list[ProviderRate]:
    return [
        ProviderRate(title=one.title, of=rate.of, told=_fast(rate.rate))
        for one in providers().values()
        for rate in one.rates
    ]


def _fast(rate: Rate) -> str:
    """As people say it: 10 a second, 54 a minute, one in 13 seconds."""
    minute = rate.per_second * _MINUTE_S
    if rate.per_second >= 1 and rate.per_second == int(rate.per_second):
        told = f"{int(rate.per_second)} a second"
    else:
        told = f"{minute:.0f} a minute" if minute >= 10 else f"one in {1 / rate.per_second:.0f} seconds"  # noqa: PLR2004 - below, a minute is a coarse measure
    return f"{told}, {rate.burst} at once" if rate.burst > 1 else told
