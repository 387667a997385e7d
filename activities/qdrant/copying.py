"""The steps that copy what stands at Qdrant: the account's clusters, and what one database is made of."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from activities.copies.contracts import CopyStateRequest, StateCopied
from activities.copies.keeping import keep_copy
from activities.qdrant.clusters import account_of
from activities.qdrant.contracts import COPY_DATABASE, COPY_STATE
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.http import Api
from connectors.provider import Secret
from connectors.qdrant import manifest
from connectors.qdrant.client import dialect
from connectors.qdrant.copy import DATABASE, copied_database, copy_account

if TYPE_CHECKING:
    from connectors.qdrant.database import Database

_MOST_COLLECTIONS = 100


class QdrantCopying:
    """The steps.

    Args:
        vault: Makes the tokens that read the keys.
        artifacts: Keeps the copy.
        base_url: Where Qdrant Cloud's management API is.
    """

    def __init__(self, vault: StepTokens, *, artifacts: ArtifactStore, base_url: str) -> None:
        self._vault, self._artifacts = vault, artifacts
        self._api = Api(dialect(manifest.READING_KEY), base_url=base_url)

    @implements(COPY_STATE)
    async def copy_state(self, request: CopyStateRequest) -> StateCopied:
        """Copy the account's clusters, and the price of the package that is named.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with (
            secret_for_step(self._vault, manifest.READ) as fields,
            account_of(self._api, fields, manifest.READING_KEY) as account,
        ):
            copied = await copy_account(account, request.part)
        return await keep_copy(self._artifacts, copied)

    @implements(COPY_DATABASE)
    async def copy_database(self, request: CopyStateRequest) -> StateCopied:
        """Copy what one database is made of, with the key that only reads it.

        Raises:
            InvalidRequest: It has too many collections.
            ConnectorError: As the tree says.
        """
        cluster = request.part.removeprefix(DATABASE)
        # Loaded where it is needed first: the official client takes a second, and memory that many can spare.
        opened = await asyncio.to_thread(_client)
        async with (
            secret_for_step(self._vault, manifest.SEARCH, cluster) as fields,
            opened(fields, manifest.READERS) as database,
        ):
            names = await database.collections()
            if len(names) > _MOST_COLLECTIONS:
                raise InvalidRequest(f"{cluster!r} has {len(names)} collections, and {_MOST_COLLECTIONS} are copied")
            collections = tuple([await database.described(one) for one in names])
            aliases = await database.aliases()
        return await keep_copy(self._artifacts, copied_database(cluster, collections, aliases))


def _client() -> Callable[[Mapping[str, SecretStr], Secret], AbstractAsyncContextManager["Database"]]:
    from connectors.qdrant.database import opened  # noqa: PLC0415 - see above

    return opened
