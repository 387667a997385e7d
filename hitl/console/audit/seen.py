"""The console's port `Audit`: what the gateway, whose process this is, collected. It is read, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from connectors.errors import ConnectorError
from hitl.console.audit.book import AuditPage, NoSuchPage, read_book
from hitl.console.audit.check import AuditCheck, check_book
from hitl.console.audit.filter import AuditFilter
from hitl.console.ports import Unavailable

_HOLDS: Final = timedelta(seconds=5)
Published = Callable[[], Awaitable[Mapping[int, bytes]]]
"""The raw public halves of the key `audit`, by version. Raises `ConnectorError`."""


class CollectedAudit:
    """Reads it, one request at a time: people's clicks are served by the same process.

    Args:
        folder: The collector's.
        published: By what signatures are checked.
    """

    def __init__(self, folder: Path, published: Published) -> None:
        self._folder, self._published = folder, published
        self._reading, self._checking = asyncio.Lock(), asyncio.Lock()
        self._checked: AuditCheck | None = None

    async def found(self, wanted: AuditFilter, page: str | None = None, *, most: int) -> AuditPage:
        """So many events that are looked for, the newest first.

        Raises:
            Unavailable: The files cannot be read now, or there is no such page.
        """
        try:
            async with self._reading:
                return await asyncio.to_thread(read_book, self._folder, wanted, page, most=most)
        except NoSuchPage as error:
            raise Unavailable(str(error)) from error
        except OSError as error:
            raise _unreadable(error) from error

    async def check(self) -> AuditCheck:
        """Whether all of it is whole; who asks again at once is told the same.

        Raises:
            Unavailable: The files, or Vault's public key, cannot be read now.
        """
        try:
            async with self._checking:
                if self._checked is None or datetime.now(UTC) - self._checked.at > _HOLDS:
                    keys = await self._published()
                    self._checked = await asyncio.to_thread(check_book, self._folder, keys)
                return self._checked
        except ConnectorError as error:
            raise Unavailable("Vault does not publish its key now, and nothing was checked; try again.") from error
        except OSError as error:
            raise _unreadable(error) from error


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(f"What was collected of the audit log cannot be read now ({error.strerror}).")
