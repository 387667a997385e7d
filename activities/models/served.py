"""Which machine serves which backend now: a page for each in Vault, read by the models worker and by the relay.

A page names a goal, and is that goal's alone until its time: nobody else can take the name, or take it away. What the
machine is known by stands there as digests. Two ends stand on it: its machine's, and how long its last good answer
counts, so that a backend whose goal died is out of its tier within a minute and a half by itself.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from activities.guard.ledger import Page
from activities.guard.pages import BookRecords, Pages

ANSWERS_FOR: Final = timedelta(seconds=90)
"""How long a good answer counts. It is asked for anew three times in that."""

Clock = Callable[[], datetime]


class ServedPage(Page):
    """Of one backend.

    Attributes:
        goal: The workflow whose machine serves it; empty where none does.
        until: When that machine's lease ends.
        ticket: The digest of what it was booted with; empty until it is launched.
        secret: The digest of what it is known by; empty until it first dialled in.
        caller: The digest of the key that may ask it.
        answers_until: Until when it counts as one that answers.
    """

    goal: str = ""
    until: datetime | None = None
    ticket: str = ""
    secret: str = ""
    caller: str = ""
    answers_until: datetime | None = None

    @classmethod
    def what(cls) -> str:
        """What an error calls it."""
        return "the page of a served model"

    def holds(self, now: datetime) -> bool:
        """Whether it is somebody's."""
        return bool(self.goal) and self.until is not None and now < self.until

    def claimed(self, wanted: "ServedPage", now: datetime) -> Self | None:
        """The page for this goal; None where it is another's. A machine that is in already stays, by its ticket."""
        if self.holds(now) and self.goal != wanted.goal:
            return None
        same = self.holds(now) and self.ticket == wanted.ticket
        kept = {"secret": self.secret, "answers_until": self.answers_until} if same else {}
        return type(self).model_validate({**wanted.model_dump(), **kept})

    def admitted(self, ticket: str, secret: str, now: datetime) -> Self | None:
        """The page with this machine on it; None where it has no business here."""
        if not self.holds(now):
            return None
        if self.secret:
            return self if hmac.compare_digest(self.secret, secret) else None
        if not self.ticket or not hmac.compare_digest(self.ticket, ticket):
            return None
        return self.model_copy(update={"secret": secret})

    def answering(self, goal: str, until: datetime | None) -> Self | None:
        """The page with how long its machine counts as one that answers; None where it is another goal's."""
        return self.model_copy(update={"answers_until": until}) if self.goal == goal else None


class ServedModels:
    """All of them; one of `connectors.served.relay.Admissions`.

    Args:
        records: Where the pages lie.
        environment: Of this deployment.
        clock: Tells what time it is.
    """

    def __init__(self, records: BookRecords, *, environment: str, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._pages, self._folder, self._now = Pages(records, ServedPage), f"served/{environment}", clock

    async def claim(self, name: str, wanted: ServedPage) -> bool:
        """Whether the name is this goal's from now on.

        Raises:
            Unavailable: It cannot be read or written now.
        """
        return await self._change(name, lambda page: page.claimed(wanted, self._now()))

    async def admit(self, name: str, *, ticket: str, secret: str) -> bool:
        """See `Admissions`."""
        return await self._change(name, lambda page: page.admitted(ticket, secret, self._now()))

    async def caller(self, name: str) -> str:
        """See `Admissions`."""
        page = await self._read(name)
        return page.caller if page.holds(self._now()) else ""

    async def tell(self, name: str, goal: str, *, answers: bool) -> bool:
        """Write down whether its machine answers; not where the name is another goal's by now."""
        until = self._now() + ANSWERS_FOR if answers else None
        return await self._change(name, lambda page: page.answering(goal, until))

    async def withdraw(self, name: str, goal: str) -> None:
        """Nobody serves it any more; what is another goal's stays."""
        await self._change(name, lambda page: ServedPage() if page.goal == goal else None)

    async def answers(self, name: str) -> bool:
        """Whether it may be asked now."""
        page, now = await self._read(name), self._now()
        return page.holds(now) and page.answers_until is not None and now < page.answers_until

    async def _read(self, name: str) -> ServedPage:
        return await self._pages.apply(self._at(name), lambda page: (page, page))

    async def _change(self, name: str, change: Callable[[ServedPage], ServedPage | None]) -> bool:
        def changed(page: ServedPage) -> tuple[ServedPage, bool]:
            after = change(page)
            return (page, False) if after is None else (page if after == page else after, True)

        return await self._pages.apply(self._at(name), changed)

    def _at(self, name: str) -> str:
        return f"{self._folder}/{name}"
