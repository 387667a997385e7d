"""Whether a service is healthy, as its manifest says: looks by steps, time by the workflow's own timers."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.verify.contracts import CHECK_PAGE, QUERY_METRIC, CheckPageRequest, QueryMetricRequest
    from hitl.hidden import unhidden, visible
    from workflows.deploy_feature.streak import Streak
    from workflows.goal import Goal, StepDenied, StepWaits
    from workflows.manifest.verify import HttpProbe, MetricCheck, Verify, holds
    from workflows.manifest.words import seconds

Look = Callable[[], Awaitable[str]]
"""Why it is not well; empty where it is."""

_NAMED: Final = 200
_ONE_LOOK: Final = timedelta(minutes=1)
"""With all its tries. One that did not answer in this time is one that was not well."""


@dataclass(frozen=True)
class _Watched:
    """One thing that is looked at again and again."""

    name: str
    look: Look
    lasts: timedelta
    every: timedelta
    tolerate: int = 0


class Verifying:
    """Looks for one goal.

    Args:
        goal: Takes the steps.
        stops: Whether nobody wants to know any more.
    """

    def __init__(self, goal: Goal, *, stops: Callable[[], bool]) -> None:
        self._goal: Goal = goal
        self._stops = stops

    async def verify(self, verify: Verify, environment: str, outputs: Mapping[str, str]) -> str:
        """Look until all is well for as long as it must be, or cannot be any more.

        Args:
            verify: What the manifest says.
            environment: Where.
            outputs: Of its stack.

        Returns:
            Why it is not healthy; empty where it is.
        """
        address = verify.addresses.get(environment) or (outputs.get(verify.output) if verify.output else None)
        if address is None and any(one.path is not None for one in verify.http):
            where = f"the output {verify.output!r}" if verify.output else f"verify.addresses of {environment!r}"
            return f"nobody says where it is: {where} is not there"
        until = workflow.now() + _time(verify.within)
        looks = [self._page(one, address) for one in verify.http] + [self._number(one) for one in verify.metrics]
        found = await asyncio.gather(*(self._watch(one, until) for one in looks))
        return "; ".join(one for one in found if one)

    def _page(self, probe: HttpProbe, address: str | None) -> _Watched:
        url = probe.url or f"{str(address).rstrip('/')}{probe.path}"
        request = CheckPageRequest(url=url, status=probe.status, contains=probe.contains)

        async def look() -> str:
            checked = await self._goal.attempt(
                CHECK_PAGE, request, summary=f"Check {url}", preset=CHECK_PAGE.preset.within(_ONE_LOOK)
            )
            return "" if checked.healthy else checked.why or "it is not as it must be"

        return _Watched(url, look, _time(probe.lasts), _time(probe.every), probe.tolerate)

    def _number(self, check: MetricCheck) -> _Watched:
        request = QueryMetricRequest(expression=check.expression)
        name = check.name or check.expression

        async def look() -> str:
            seen = await self._goal.attempt(
                QUERY_METRIC, request, summary=f"Query {name[:80]}", preset=QUERY_METRIC.preset.within(_ONE_LOOK)
            )
            if seen.played:
                return ""
            if seen.value is None:
                return seen.why or "there is no number"
            return "" if holds(check.holds, seen.value) else f"it is {seen.value:g}, and must be {check.holds}"

        return _Watched(name, look, _time(check.lasts), _time(check.every))

    async def _watch(self, watched: _Watched, until: datetime) -> str:
        """Until it has been well for long enough, or cannot be any more: why not."""
        name, every = visible(watched.name)[:_NAMED], watched.every
        streak = Streak(watched.lasts, tolerate=watched.tolerate)
        while not self._stops():
            asked = workflow.now()
            why = await self._look(watched.look)
            if streak.look(asked, well=not why):
                return ""
            if not streak.can_last(until, next_look=workflow.now() + every):
                return f"{name} was not well for {watched.lasts} in time" + (f": {unhidden(why)}" if why else "")
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(self._stops, timeout=every)
        return f"{name} was not looked at to the end"

    async def _look(self, look: Look) -> str:
        """One that cannot be taken shows nothing well."""
        try:
            return await look()
        except StepDenied as denied:
            return f"nobody may look: {denied}"
        except (StepWaits, ApplicationError) as error:
            return f"nobody could look: {error}"


def _time(duration: str) -> timedelta:
    return timedelta(seconds=seconds(duration))
