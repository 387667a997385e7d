"""One page of a budget's book: which steps reserved how much, and what they spent. Pure.

Amounts are whole US cents. A step is known by a key that all its attempts have and no other step: what an earlier
attempt reserved is found, and not reserved again. Nothing is ever taken out but what surely had no effect.
"""

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MOST_STEPS: Final = 8_000
"""On one page: about 600 kB as Vault keeps it, which takes a megabyte at most."""


class LedgerError(ValueError):
    """A page cannot be read, or has no more room. The message says what to do."""


class Entry(BaseModel):
    """What one step takes.

    Attributes:
        cents: What it reserved, and from its settlement on what it spent.
        day: On which day's page it is too, as in 2026-11-29.
        settled: Whether it has spent it.
        again: Whether a later attempt has found it: what the first one says no longer gives it back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cents: int = Field(ge=0)
    day: str = ""
    settled: bool = False
    again: bool = False


class Page(BaseModel):
    """One page, as it is read and changed and written again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, text: str | None) -> Self:
        """A page from its text; an empty one where there is none.

        Raises:
            LedgerError: It is not of this release.
        """
        try:
            return cls.model_validate_json(text) if text is not None else cls()
        except ValidationError as error:
            raise LedgerError(f"{cls.what()} is not of this release; an operator must look") from error

    @classmethod
    def what(cls) -> str:
        """What an error calls such a page."""
        return "a page of the budget's book"

    def text(self) -> str:
        """The same, to be written."""
        return self.model_dump_json(exclude_defaults=True)


class Ledger(Page):
    """A page of steps."""

    steps: dict[str, Entry] = {}

    @property
    def total(self) -> int:
        """All that is reserved or spent."""
        return sum(one.cents for one in self.steps.values())

    @property
    def spent(self) -> int:
        """Of that, what was settled."""
        return sum(one.cents for one in self.steps.values() if one.settled)

    def reserved(self, key: str, cents: int, *, day: str, cap: int | None) -> Self | None:
        """The page with what this step reserves, or has reserved before; None where that is over the cap.

        Args:
            key: The step's.
            cents: At most.
            day: On which it is reserved.
            cap: Of the whole page; None for none.

        Raises:
            LedgerError: There are too many steps on it.
        """
        if (found := self.steps.get(key)) is not None:
            return self if found.settled or found.again else self._with(key, found.model_copy(update={"again": True}))
        if cap is not None and self.total + cents > cap:
            return None
        if len(self.steps) >= MOST_STEPS:
            raise LedgerError(f"a page of the budget's book has {MOST_STEPS} steps and takes no more")
        return self._with(key, Entry(cents=cents, day=day))

    def settled(self, key: str, cents: int) -> Self:
        """The page with what this step really spent, in place of what it reserved."""
        found = self.steps.get(key)
        return self._with(key, Entry(cents=cents, day=found.day if found else "", settled=True))

    def given_back(self, key: str, cents: int) -> Self:
        """The page where this step has used no more than that of what it paid; never more than stands there."""
        found = self.steps.get(key)
        if found is None or found.cents <= cents:
            return self
        return self._with(key, Entry(cents=cents, day=found.day, settled=True))

    def released(self, key: str) -> Self:
        """The page without a reservation that came to nothing; one that another attempt goes on with stays."""
        found = self.steps.get(key)
        return self if found is None or found.again else self.without(key)

    def without(self, key: str) -> Self:
        """The page without a reservation; what was spent stays."""
        found = self.steps.get(key)
        if found is None or found.settled:
            return self
        return type(self)(steps={name: one for name, one in self.steps.items() if name != key})

    def moved(self, key: str, day: str) -> Self:
        """The page where that step counts on another day."""
        found = self.steps.get(key)
        return self if found is None else self._with(key, found.model_copy(update={"day": day}))

    def _with(self, key: str, entry: Entry) -> Self:
        return type(self)(steps={**self.steps, key: entry})
