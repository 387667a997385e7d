"""What the deployment's file lets goals use of language models: reserved before each request, settled after it.

The step does it, in the one process that has the keys, so that no workflow code can leave it out. The book lies in
Vault like that of the policy's budgets (decision 0025). What is reserved is the most that the request can cost; what
nobody answered keeps that.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.guard.pages import BookRecords, Pages
from activities.models.book import Asked, Caps, DayPage, Full, Limit, RunPage, Share
from activities.models.contracts import RequestModel
from connectors.errors import ConnectorError
from connectors.models.deployment import ModelRef, Models
from connectors.models.messages import Prompt, Tokens, words
from connectors.models.prices import MICROS, cost
from connectors.models.raw import Per
from hitl.protocol import Refusal, RefusalReason

_LOG: Final = logging.getLogger(__name__)
_DIGITS: Final = 24
_AT_ONCE: Final = 10
NONE: Final = "none"
"""On the pages of installations: what no delivery of GitHub's began. No number, so that it is no installation's."""
_AROUND: Final = 64
"""Tokens that a backend may put around each message, tool or schema of its own accord: more than any does."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What one attempt at a request may cost, reserved.

    Attributes:
        key: The attempt's.
        name: Of its goal's run, on the day's page.
        run: The page of that run.
        day: On which it counts, as in 2026-11-30.
        days: The pages of that day on which it counts.
    """

    key: str
    name: str
    run: str
    day: str
    days: tuple["DayOf", ...]


@dataclass(frozen=True, kw_only=True)
class DayOf:
    """A day, of all that ask or of some.

    Attributes:
        page: In the book.
        cap: Millionths of a US dollar; None for no limit.
        whose: For people.
    """

    page: str
    cap: int | None
    whose: str


class ModelBudget:
    """The book, as one process writes it.

    Args:
        records: Where its pages lie.
        models: The file with the limits.
        environment: Whose book.
        clock: What time it is, in UTC.
    """

    def __init__(
        self,
        records: BookRecords,
        models: Models,
        *,
        environment: str,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._models, self._limits = models, models.limits
        self._caps = Caps(
            micros=micros_of(models.limits.goal_usd),
            requests=models.limits.goal_requests,
            minutes=models.limits.goal_minutes,
        )
        self.environment, self._now = environment, clock
        self._book = f"model-limits/{environment}"
        self._runs, self._days = Pages(records, RunPage), Pages(records, DayPage)
        self.installation_day = micros_of(models.limits.installation_day_usd)

    async def hold(
        self, info: activity.Info, request: RequestModel, prompt: Prompt, *, installation: str | None = None
    ) -> Held | Refusal | None:
        """Reserve the most that this attempt can cost; None where nothing is limited, and no installation pays.

        Args:
            info: Of the step.
            request: What it was asked for.
            prompt: The whole of it, nothing by reference.
            installation: Whose job it is for, as `activities.guard.who_asked` tells it.

        Raises:
            Unavailable: The book cannot be written now, and nothing may be asked until it can.
        """
        if self._caps == Caps() and not self._limits.money and installation is None:
            return None
        ref = ModelRef(request.backend, request.model)
        asked = Asked(micros=most(self._models, ref, prompt), day=f"{self._now():%Y-%m-%d}")
        held = self._held(info, asked.day, self._days_of(asked.day, request, installation))
        found = await self._runs.apply(held.run, lambda page: self._reserve(page, held, asked))
        if isinstance(found, Full):
            return self._refusal(ref, asked, found, f"this run of its goal has {_used(found)} in use", "goal")
        for one in held.days:
            full = await self._share(held, found, one.page, cap=one.cap)
            if full is not None:
                await self.release(held)
                why = f"{one.whose} has {_used(full)} in use on {held.day} (UTC)"
                return self._refusal(ref, asked, full, why, "day")
        return held

    async def settle(self, held: Held, micros: int | None) -> None:
        """Write down what an answer has cost. Never raises: it was had, and what was reserved is enough."""
        if micros is None:
            return
        try:
            await self._change(held, lambda page: page.settled(held.key, micros))
        except ConnectorError:
            _LOG.exception("what a request to a language model has cost is not written down; what it reserved counts")

    async def release(self, held: Held) -> None:
        """Give back what surely came to nothing. Never raises: what cannot be given back counts."""
        try:
            await self._change(held, lambda page: page.without(held.key))
        except ConnectorError:
            _LOG.exception("what a refused request to a language model had reserved is not given back")

    async def spent(self, installations: Sequence[str | None], days: int) -> tuple[tuple[str, ...], list[list[int]]]:
        """The last days, today first, and what each installation's requests cost on each of them.

        What is under way counts with the most that it can cost.

        Raises:
            Unavailable: The book cannot be read now.
        """
        now, turns = self._now(), asyncio.Semaphore(_AT_ONCE)
        last = tuple(f"{now - timedelta(days=back):%Y-%m-%d}" for back in range(days))

        async def read(page: str) -> int:
            async with turns:
                return await self._days.apply(page, lambda found: (found, found.sum))

        pages = (read(self._page(day, one)) for one in installations for day in last)
        sums = await asyncio.gather(*pages)
        return last, [list(sums[at : at + days]) for at in range(0, len(sums), days)]

    def _held(self, info: activity.Info, day: str, days: tuple[DayOf, ...]) -> Held:
        name = _digest(info.workflow_id, info.workflow_run_id)
        # Drawn, and not by what Temporal calls the attempt: whoever plays Temporal would ask twice and pay once.
        return Held(key=secrets.token_hex(8), name=name, run=f"{self._book}/run-{name}", day=day, days=days)

    def _days_of(self, day: str, request: RequestModel, installation: str | None) -> tuple[DayOf, ...]:
        """Where a request counts: on the day that is limited, and on that of the installation whose job it is for."""
        limits = self._limits
        of_installation = DayOf(
            page=self._page(day, installation),
            cap=self.installation_day if installation is not None else None,
            whose=f"the GitHub App's installation {installation!r}",
        )
        if limits.day_usd is None:
            return (of_installation,)
        whose, page = "everybody", f"{self._book}/day-{day}"
        if limits.day_per is Per.REQUESTER:
            whose, page = repr(request.requester or "nobody"), f"{page}-{_digest(request.requester)}"
        return DayOf(page=page, cap=micros_of(limits.day_usd), whose=whose), of_installation

    def _page(self, day: str, installation: str | None) -> str:
        return f"{self._book}/installation-{day}-{installation or NONE}"

    def _reserve(self, page: RunPage, held: Held, asked: Asked) -> tuple[RunPage, Share | Full]:
        after = page.reserved(held.key, asked, now=self._now(), caps=self._caps)
        return (page, after) if isinstance(after, Full) else (after, _share(after, held.day))

    async def _change(self, held: Held, change: Callable[[RunPage], RunPage]) -> None:
        def changed(page: RunPage) -> tuple[RunPage, Share]:
            after = change(page)
            return after, _share(after, held.day)

        share = await self._runs.apply(held.run, changed)
        for one in held.days:
            await self._share(held, share, one.page, cap=None)

    async def _share(self, held: Held, share: Share, path: str, *, cap: int | None) -> Full | None:
        """Write a run's share of its day on a page."""

        def changed(page: DayPage) -> tuple[DayPage, Full | None]:
            after = page.shared(held.name, share, cap=cap)
            return (page, after) if isinstance(after, Full) else (after, None)

        return await self._days.apply(path, changed)

    def _refusal(self, ref: ModelRef, asked: Asked, full: Full, why: str, key: str) -> Refusal:
        may = f"A request to {str(ref)!r}"
        may += f" may cost {_dollars(asked.micros)}, and" if full.limit is Limit.MONEY else " is one too many:"
        way_out = f"an operator can raise `limits.{key}` in {self._models.source}"
        return Refusal(
            reason=RefusalReason.BUDGET, explanation=f"{may} {why}; ask for less, wait for tomorrow, or {way_out}."
        )


def most(models: Models, ref: ModelRef, prompt: Prompt) -> int:
    """Millionths of a US dollar that a request costs at most; 0 where nobody knows its price.

    No model makes more tokens of a text than it has bytes. Backends sell input that they put into a cache dearer.
    """
    shapes = [*prompt.tools, *([prompt.output] if prompt.output is not None else [])]
    said = words(prompt) + [one.model_dump_json() for one in shapes]
    count = sum(len(one.encode()) for one in said) + _AROUND * (1 + len(prompt.messages) + len(said))
    tokens = Tokens(input=count, output=prompt.max_tokens)
    cached = tokens.model_copy(update={"cache_written": count})
    return max(cost(models, ref, tokens) or 0, cost(models, ref, cached) or 0)


def _share(page: RunPage, day: str) -> Share:
    return Share(micros=page.sum(day), writes=page.writes)


def micros_of(dollars: float | None) -> int | None:
    """A limit in millionths of a US dollar."""
    return None if dollars is None else round(dollars * MICROS)


def _used(full: Full) -> str:
    match full.limit:
        case Limit.MONEY:
            return f"{_dollars(full.used)} of {_dollars(full.cap)}"
        case Limit.REQUESTS:
            return f"{full.used} of {full.cap} requests"
        case Limit.MINUTES:
            return f"{full.used} of {full.cap} minutes"


def _dollars(micros: int) -> str:
    return f"${micros / MICROS:,.4f}"


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:_DIGITS]
