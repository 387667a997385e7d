"""What was billed, so that a test can count."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from connectors.models.twin.conversation import Usage, WireName

_CACHED_FOR: Final = 300.0


class Bill(BaseModel):
    """One request that costs something.

    Attributes:
        number: Counted from 1.
        wire: Over which.
        model: By its id.
        input: Tokens of the request, without those of the cache.
        output: Tokens of the answer.
        cache_read: Tokens from the cache.
        cache_write: Tokens into the cache.
        fault: What spoilt the answer; empty: nothing.
        answered: Whether the caller was told anything.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    wire: WireName
    model: str
    input: int
    output: int
    cache_read: int
    cache_write: int
    fault: str = ""
    answered: bool = True


class Statement(BaseModel):
    """All of them."""

    requests: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    bills: tuple[Bill, ...]


class Ledger:
    """The bills, and what is in the cache."""

    def __init__(self) -> None:
        self._bills: list[Bill] = []
        self._cached: dict[tuple[str, str], float] = {}
        self._numbered = 0

    def number(self) -> int:
        """Of the next bill."""
        return self._numbered + 1

    def bill(self, bill: Bill) -> None:
        """Write it down."""
        self._numbered = bill.number
        self._bills.append(bill)

    def cached(self, model: str, beginning: str, now: float) -> str:
        """As much of a beginning as is in a model's cache; from now on all of it is, for five minutes.

        Args:
            model: By its id.
            beginning: Of a request.
            now: Seconds since the epoch.
        """
        known = (text for (of, text), until in self._cached.items() if of == model and until > now)
        longest = max((text for text in known if beginning.startswith(text)), key=len, default="")
        self._cached[model, beginning] = now + _CACHED_FOR
        if longest:
            self._cached[model, longest] = now + _CACHED_FOR
        return longest

    def statement(self) -> Statement:
        """What there is."""
        total = Usage(
            input=sum(one.input for one in self._bills),
            output=sum(one.output for one in self._bills),
            cache_read=sum(one.cache_read for one in self._bills),
            cache_write=sum(one.cache_write for one in self._bills),
        )
        return Statement(
            requests=len(self._bills),
            input=total.input,
            output=total.output,
            cache_read=total.cache_read,
            cache_write=total.cache_write,
            bills=tuple(self._bills),
        )

    def forget(self) -> None:
        """All bills; numbers go on, and what is cached stays."""
        self._bills.clear()
