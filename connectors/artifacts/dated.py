"""What is kept until a day and no longer: a folder for each last day, so that it needs no list of what is due."""

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from connectors.errors import NotFound, Unavailable

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class DatedStore:
    """Puts bytes by their digest and their last day, and gives them back. It does not look at the clock by itself.

    Args:
        location: As of `ArtifactStore`, in which it may lie.
        folder: Its own part of that.
    """

    def __init__(self, location: str, folder: str) -> None:
        self.location, self._folder = f"{location.rstrip('/')}/{folder}", folder
        if "://" in location:
            self._store = from_url(location)
        else:
            self._store = LocalStore(Path(location), mkdir=True, automatic_cleanup=True)

    async def put(self, content: bytes, until: date) -> str:
        """Keep these bytes to the end of that day.

        Returns:
            Their digest, SHA-256 in hexadecimal.

        Raises:
            Unavailable: The store cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        try:
            await self._store.put_async(self._key(until, digest), content)
        except (BaseError, OSError) as error:
            raise self._unavailable("written", error) from error
        return digest

    async def get(self, digest: str, until: date) -> bytes:
        """The bytes with that digest.

        Raises:
            NotFound: The store does not have them under that day, or other bytes in their place.
            Unavailable: The store cannot be read.
        """
        try:
            found = await self._store.get_async(self._key(until, digest))
            content = bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise NotFound(f"the store {self.location!r} holds no {digest} until {until}") from error
        except (BaseError, OSError) as error:
            raise self._unavailable("read", error) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise NotFound(f"the store {self.location!r} holds other bytes under {digest}")
        return content

    async def holds(self, digest: str, until: date) -> bool:
        """Whether the store has something under that digest and that day.

        Raises:
            Unavailable: The store cannot be read.
        """
        try:
            await self._store.head_async(self._key(until, digest))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise self._unavailable("read", error) from error
        return True

    async def delete(self, digest: str, until: date) -> None:
        """Keep this no longer; that it is gone already is fine.

        Raises:
            Unavailable: The store cannot be written.
        """
        try:
            await self._store.delete_async(self._key(until, digest))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise self._unavailable("written", error) from error

    async def sweep(self, today: date) -> int:
        """Delete whatever was kept until a day before this one; what another process deletes meanwhile is fine.

        Returns:
            How much was there.

        Raises:
            Unavailable: The store cannot be read or written.
        """
        try:
            found = await self._store.list_with_delimiter_async(self._folder)
            days = {path: path.rpartition("/")[2] for path in found["common_prefixes"]}
            due = [path for path, day in days.items() if _DAY.fullmatch(day) and day < today.isoformat()]
            return sum([await self._delete(path) for path in due])
        except (BaseError, OSError) as error:
            raise self._unavailable("swept", error) from error

    async def _delete(self, folder: str) -> int:
        paths = [one["path"] for one in await self._store.list(folder).collect_async()]
        for path in paths:
            try:
                await self._store.delete_async(path)
            except FileNotFoundError:
                continue
        return len(paths)

    def _key(self, until: date, digest: str) -> str:
        return f"{self._folder}/{until.isoformat()}/{digest}"

    def _unavailable(self, what: str, error: Exception) -> Unavailable:
        return Unavailable(f"the store {self.location!r} cannot be {what}: {type(error).__name__}")
