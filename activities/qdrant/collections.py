"""Steps on the collections of a Qdrant database, each with a key that Vault keeps; for the connectors worker."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from temporalio import activity

from activities.qdrant.collection_contracts import (
    COPY_POINTS,
    CREATE_COLLECTION,
    LOOK_AT_ALIAS,
    SNAPSHOT_COLLECTION,
    SWITCH_ALIAS,
    VERIFY_COLLECTION,
    AliasSeen,
    AliasSwitched,
    CollectionMade,
    CollectionVerified,
    CopyPointsRequest,
    CreateCollectionRequest,
    LookAtAliasRequest,
    PointsCopied,
    SnapshotMade,
    SnapshotRequest,
    SwitchAliasRequest,
    VerifyCollectionRequest,
)
from activities.qdrant.contracts import CHECK_DATABASE, DatabaseAnswers, DatabaseRequest
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.errors import Conflict, OutcomeUnknown, Unavailable
from connectors.provider import Credential, Secret
from connectors.qdrant import manifest
from connectors.qdrant.collection import Layout

if TYPE_CHECKING:
    from connectors.qdrant.database import Database

BATCH: Final = 256
"""Points that are copied with one request."""
BATCHES: Final = 40
"""Requests of one step: it ends long before its time, and the goal asks for the next part."""
SAMPLE: Final = 5
"""Points that are searched for to see whether a collection serves."""

_Open = Callable[[Mapping[str, SecretStr], Secret], AbstractAsyncContextManager["Database"]]


class CollectionActivities:
    """The steps.

    Args:
        vault: Makes the tokens that read a database's address and keys.
    """

    def __init__(self, vault: StepTokens) -> None:
        self._vault = vault

    @implements(CHECK_DATABASE)
    async def check_database(self, request: DatabaseRequest) -> DatabaseAnswers:
        """See that a database answers to the keys that Vault keeps of it.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._opened(manifest.SEARCH, request.cluster) as database:
            return DatabaseAnswers(collections=len(await database.collections()))

    @implements(LOOK_AT_ALIAS)
    async def look_at_alias(self, request: LookAtAliasRequest) -> AliasSeen:
        """Tell what stands behind an alias, and whether a collection is there.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._opened(manifest.SEARCH, request.cluster) as database:
            there = await database.collections()
            behind = await database.behind(request.alias)
            snapshots = await database.snapshots(behind) if behind is not None else []
        return AliasSeen(
            behind=behind,
            exists=request.collection in there,
            shadowed=request.alias in there,
            snapshots=tuple(snapshots),
        )

    @implements(SNAPSHOT_COLLECTION)
    async def snapshot_collection(self, request: SnapshotRequest) -> SnapshotMade:
        """Make a snapshot; one that an earlier attempt made is taken for it.

        Raises:
            ConnectorError: As the tree says; never `OutcomeUnknown`.
        """
        async with self._opened(manifest.CHANGE, request.cluster) as database:
            if activity.info().attempt > 1:
                made = [one for one in await database.snapshots(request.collection) if one not in request.known]
                if made:
                    return SnapshotMade(name=made[0])
            try:
                return SnapshotMade(name=await database.snapshot(request.collection))
            except OutcomeUnknown as error:
                # One snapshot too many costs some disk, and the next attempt looks first.
                raise Unavailable(str(error)) from error

    @implements(CREATE_COLLECTION)
    async def create_collection(self, request: CreateCollectionRequest) -> CollectionMade:
        """Make a collection beside another, and its indexes before there are points.

        Raises:
            Conflict: Somebody else has made one of that name meanwhile.
            ConnectorError: As the tree says.
        """
        layout = Layout(
            distance=request.distance, on_disk=request.on_disk, quantized=request.quantized, indexes=request.indexes
        )
        async with self._opened(manifest.CHANGE, request.cluster) as database:
            # Only the goal's first attempt knows that whatever is there now is somebody else's.
            ours = activity.info().attempt > 1 and await database.exists(request.collection)
            if not ours:
                await database.create_like(request.like, request.collection, layout)
            for field, kind in layout.indexes.items():
                await database.index(request.collection, field, kind)
        return CollectionMade(adopted=ours)

    @implements(COPY_POINTS)
    async def copy_points(self, request: CopyPointsRequest) -> PointsCopied:
        """Copy the next points, as they are; those that an earlier attempt copied are copied over themselves.

        Raises:
            ConnectorError: As the tree says.
        """
        points, start = 0, request.start
        async with self._opened(manifest.CHANGE, request.cluster) as database:
            for _ in range(BATCHES):
                copied = await database.copy(request.source, request.target, start=start, most=BATCH)
                points, start = points + copied.points, copied.following
                if start is None:
                    break
        return PointsCopied(points=points, following=start)

    @implements(VERIFY_COLLECTION)
    async def verify_collection(self, request: VerifyCollectionRequest) -> CollectionVerified:
        """Count a collection, and another to hold it against, and search it for some of its own points.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._opened(manifest.SEARCH, request.cluster) as database:
            points = await database.count(request.collection)
            against = await database.count(request.against) if request.against is not None else None
            probed = await database.probe(request.collection, sample=SAMPLE)
        return CollectionVerified(points=points, against=against, probed=probed.tried, found=probed.found)

    @implements(SWITCH_ALIAS)
    async def switch_alias(self, request: SwitchAliasRequest) -> AliasSwitched:
        """Have an alias stand for another collection, if it still stands for the one that it is to be taken from.

        Raises:
            Conflict: It stands for a third one: somebody was quicker.
            ConnectorError: As the tree says.
        """
        async with self._opened(manifest.CHANGE, request.cluster) as database:
            behind = await database.behind(request.alias)
            if behind == request.collection:
                return AliasSwitched(already=True)
            if behind != request.expected:
                raise Conflict(
                    f"the alias {request.alias!r} stands for {behind!r}, and not for {request.expected!r} any more: "
                    "somebody has switched it meanwhile, and it stays so"
                )
            await database.point_alias(request.alias, request.collection, instead_of=behind)
        return AliasSwitched()

    @contextlib.asynccontextmanager
    async def _opened(self, credential: Credential, cluster: str) -> AsyncGenerator["Database"]:
        opened = await asyncio.to_thread(_client)
        async with (
            secret_for_step(self._vault, credential, cluster) as fields,
            opened(fields, credential.secret) as database,
        ):
            yield database


def _client() -> _Open:
    """The official client, loaded where it is needed first: it takes a second, and memory that many can spare."""
    from connectors.qdrant.database import opened  # noqa: PLC0415 - see above

    return opened
