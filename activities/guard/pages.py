"""Pages of a book, each changed by check-and-set: in this process by one writer at a time, while others write it, too.

A writer takes with it all changes that have come meanwhile, so that there are as many writes at once as processes.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from activities.guard.ledger import LedgerError, Page
from connectors.errors import Unavailable

PageT = TypeVar("PageT", bound=Page)
Outcome = TypeVar("Outcome")


class BookRecords(Protocol):
    """Keeps one text per path, changed by check-and-set. A worker's standing in Vault is one."""

    async def change(self, path: str, change: Callable[[str | None], str]) -> None:
        """Write what `change` makes of the text that stands there; what it raises is passed on.

        Raises:
            ConnectorError: It cannot be told; the step is tried again.
        """
        ...


class Unchanged(Exception):
    """Nothing is to be written."""


@dataclass(frozen=True)
class _Wish(Generic[PageT]):
    change: Callable[[PageT], tuple[PageT, Any]]
    said: "asyncio.Future[Any]"


class Pages(Generic[PageT]):
    """All pages of one kind.

    Args:
        records: Where they lie.
        kind: How one is read.
    """

    def __init__(self, records: BookRecords, kind: type[PageT]) -> None:
        self._records, self._kind = records, kind
        self._waiting: dict[str, list[_Wish[PageT]]] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}

    async def apply(self, path: str, change: Callable[[PageT], tuple[PageT, Outcome]]) -> Outcome:
        """Change a page, and say what `change` said of the page that was written.

        Raises:
            Unavailable: It cannot be read or written now.
        """
        said: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        wish = _Wish(change=change, said=said)
        self._waiting.setdefault(path, []).append(wish)
        if path not in self._writers:
            self._writers[path] = asyncio.create_task(self._write(path))
        return await said

    async def _write(self, path: str) -> None:
        try:
            while wishes := self._waiting.pop(path, []):
                await self._write_all(path, wishes)
        finally:
            del self._writers[path]

    async def _write_all(self, path: str, wishes: list[_Wish[PageT]]) -> None:
        outcomes: list[object] = []

        def changed(text: str | None) -> str:
            outcomes.clear()
            before = page = self._kind.read(text)
            for wish in wishes:
                page, outcome = wish.change(page)
                outcomes.append(outcome)
            if page is before:
                raise Unchanged
            return page.text()

        try:
            with contextlib.suppress(Unchanged):
                await self._records.change(path, changed)
        except LedgerError as error:
            _fail(wishes, Unavailable(f"the budget's book cannot be used: {error}"))
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it, and the writer goes on
            _fail(wishes, error)
        else:
            for wish, outcome in zip(wishes, outcomes, strict=True):
                if not wish.said.done():
                    wish.said.set_result(outcome)


def _fail(wishes: list[_Wish[PageT]], error: Exception) -> None:
    for wish in wishes:
        if not wish.said.done():
            wish.said.set_exception(error)
