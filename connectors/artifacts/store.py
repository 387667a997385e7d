"""A content-addressed store on `obstore`: the same bytes always have the same name, so a retry writes nothing new."""

import hashlib
import re
from datetime import datetime
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from connectors.errors import InvalidRequest, NotFound, Unavailable

_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})")


class ArtifactStore:
    """Puts bytes, answers with a reference, and gives them back.

    Args:
        location: A folder, or a URL such as `s3://bucket/prefix`, for which the environment of the process has the
            credentials that `obstore` documents.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._store = from_url(location) if "://" in location else LocalStore(Path(location), mkdir=True)

    async def put(self, content: bytes) -> str:
        """Keep these bytes.

        Returns:
            Their reference, `sha256:` and the digest in hexadecimal.

        Raises:
            Unavailable: The store cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        try:
            await self._store.put_async(_key(digest), content)
        except (BaseError, OSError) as error:
            raise Unavailable(
                f"the artifact store {self.location!r} cannot be written: {type(error).__name__}"
            ) from error
        return f"sha256:{digest}"

    async def get(self, reference: str) -> bytes:
        """The bytes behind a reference.

        Raises:
            InvalidRequest: That is no reference.
            NotFound: The store does not have it.
            Unavailable: The store cannot be read, or what it holds is not what the reference says.
        """
        digest = _digest(reference)
        try:
            found = await self._store.get_async(_key(digest))
            content = bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise NotFound(f"the artifact store {self.location!r} does not hold {reference!r}") from error
        except (BaseError, OSError) as error:
            raise Unavailable(f"the artifact store {self.location!r} cannot be read: {type(error).__name__}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise Unavailable(f"the artifact store {self.location!r} holds other bytes under {reference!r}: restore it")
        return content

    async def written_at(self, reference: str) -> datetime | None:
        """When these bytes were last put; None where the store does not hold them.

        Raises:
            InvalidRequest: That is no reference.
            Unavailable: The store cannot be read.
        """
        digest = _digest(reference)
        try:
            return (await self._store.head_async(_key(digest)))["last_modified"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise Unavailable(f"the artifact store {self.location!r} cannot be read: {type(error).__name__}") from error

    async def delete(self, reference: str) -> None:
        """Keep these bytes no longer, whoever else means them; that they are gone already is fine.

        Raises:
            InvalidRequest: That is no reference.
            Unavailable: The store cannot be written.
        """
        digest = _digest(reference)
        try:
            await self._store.delete_async(_key(digest))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise Unavailable(
                f"the artifact store {self.location!r} cannot be written: {type(error).__name__}"
            ) from error


def _digest(reference: str) -> str:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidRequest(f"{reference!r} is not an artifact; one looks like sha256:<64 hexadecimal digits>")
    return match[1]


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"
