"""What is paid by the hour: which payments are for which thing, and what is over when it ends sooner. Pure.

One page for each mark, in the budget's book. It goes by the guard's own clock and by what steps read at the provider:
a goal that says that something has ended gives nothing back.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from activities.guard.ledger import Page
from hitl.protocol import Ended, Hired

SHOWS_WITHIN: Final = timedelta(minutes=10)
"""So long after it was paid for a provider's list may not show a thing yet: then only its end as such counts."""
_MINUTE: Final = timedelta(minutes=1)
_HOUR_OF_MINUTES: Final = 60


class Payment(BaseModel):
    """What one step paid.

    Attributes:
        goal: The page of its goal's run.
        day: The page of its day.
        cents: What it paid: no more is ever given back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str
    day: str
    cents: int


class Hire(BaseModel):
    """One thing that is paid by the hour.

    Attributes:
        cents_per_hour: Its price.
        since: From before it was there.
        ended: When it was seen to be ended; None while it may run.
        payments: By the key of the step that paid, the first one first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cents_per_hour: int
    since: AwareDatetime
    ended: AwareDatetime | None = None
    payments: dict[str, Payment]

    def used(self) -> int:
        """What its time cost, each minute that has begun; all that was paid while it has not ended."""
        if self.ended is None:
            return sum(one.cents for one in self.payments.values())
        minutes = -(-max(self.ended - self.since, timedelta()) // _MINUTE)
        return -(-minutes * self.cents_per_hour // _HOUR_OF_MINUTES)

    def settlements(self) -> Iterator[tuple[str, Payment, int]]:
        """What of each payment was used: the first ones first, and the rest is over."""
        left = self.used()
        for key, payment in self.payments.items():
            cents = min(payment.cents, left)
            left -= cents
            yield key, payment, cents


class Hires(Page):
    """A page of things that are paid by the hour."""

    things: dict[str, Hire] = Field(default_factory=dict[str, Hire])

    @classmethod
    def what(cls) -> str:
        """What an error calls such a page."""
        return "a page of hours"

    def paid(self, hired: Hired, key: str, payment: Payment, since: datetime) -> Self:
        """The page with a payment. One for longer counts only with the first: else nobody knows since when it runs."""
        there = self.things.get(hired.thing)
        if there is None:
            if hired.longer:
                return self
            there = Hire(cents_per_hour=hired.cents_per_hour, since=since, payments={})
        changed = there.model_copy(
            update={
                "cents_per_hour": max(there.cents_per_hour, hired.cents_per_hour),
                "since": min(there.since, since),
                "payments": {**there.payments, key: payment},
            }
        )
        return self._with({**self.things, hired.thing: changed})

    def ended(self, ended: Ended, now: datetime) -> Self:
        """The page where what was seen to be ended, or is surely no longer there, has an end; a first end stays."""
        over = {
            name: one.model_copy(update={"ended": now})
            for name, one in self.things.items()
            if one.ended is None and (name in ended.things or now - one.since >= SHOWS_WITHIN)
        }
        return self._with({**self.things, **over}) if over else self

    def over(self, ended: Ended) -> dict[str, Hire]:
        """What has ended and is no longer shown: until then its end may still fail."""
        return {name: one for name, one in self.things.items() if one.ended is not None and name not in ended.things}

    def without(self, things: Collection[str]) -> Self:
        """The page without what is settled."""
        return self._with({name: one for name, one in self.things.items() if name not in things})

    def _with(self, things: dict[str, Hire]) -> Self:
        return type(self)(things=things)
