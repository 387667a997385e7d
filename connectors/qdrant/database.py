"""One Qdrant database by the official client: collections, indexes, aliases, points and snapshots.

The client's own retries are none, its time limits are ours, and its errors become those of the one tree by the same
reading of refusals as everywhere. Qdrant Cloud's strict mode refuses filters on fields without an index.
"""

import contextlib
import json
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import httpx
from pydantic import JsonValue, SecretStr, ValidationError
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from connectors.authorities import authorities
from connectors.errors import AuthDenied, ConnectorError, Locked
from connectors.http import Call, Dialect, HeaderAuth, Problem, member
from connectors.http.observed import observed
from connectors.provider import Secret
from connectors.qdrant import database_operations as asked
from connectors.qdrant.collection import Copied, FieldKind, Layout, PointId, Probed
from connectors.qdrant.copy import CopiedCollection
from connectors.qdrant.manifest import QDRANT

_SECONDS: Final = 20
_SERVICE_UNAVAILABLE: Final = 503
_NEIGHBOURS: Final = 10
_STORAGE_FULL: Final = 507
_TELLING: Final = frozenset({"retry-after", "date"})


def _problem(body: JsonValue) -> Problem:
    """`{"status": {"error": …}}`."""
    return Problem(message=str(member(member(body, "status"), "error") or ""))


def _dialect(secret: Secret) -> Dialect:
    # A shard that moves answers 503, and so does nothing; a full disk is no fault that waiting mends at once.
    return Dialect(provider=QDRANT, secret=secret, problem=_problem, meanings={_STORAGE_FULL: Locked})


@asynccontextmanager
async def opened(fields: Mapping[str, SecretStr], secret: Secret) -> AsyncGenerator["Database"]:
    """A database, as Vault keeps its address and key, until the block ends.

    Raises:
        AuthDenied: A field is missing there.
    """
    if missing := sorted({"url", "api_key"} - fields.keys()):
        raise AuthDenied(f"Vault's secret {secret.path!r} lacks {', '.join(missing)} of this database: provision it")
    # Not as the client's own argument: it warns of a key on a connection that is not encrypted, as a twin's is not.
    auth = HeaderAuth({"api-key": fields["api_key"].get_secret_value()})
    client = AsyncQdrantClient(
        url=fields["url"].get_secret_value(),
        timeout=_SECONDS,
        check_compatibility=False,
        auth=auth,
        verify=authorities(),
    )
    try:
        yield Database(client, _dialect(secret))
    finally:
        await client.close()


class Database:
    """One database, for as long as `opened` lasts."""

    def __init__(self, client: AsyncQdrantClient, dialect: Dialect) -> None:
        self._client, self._dialect = client, dialect

    async def collections(self) -> list[str]:
        """The names of all collections.

        Raises:
            ConnectorError: By the tree, as every method does.
        """
        with self._asking(Call(asked.LIST_COLLECTIONS, "the collections")):
            return [one.name for one in (await self._client.get_collections()).collections]

    async def exists(self, collection: str) -> bool:
        """Whether there is such a collection; an alias is none, and answers for the one behind it."""
        return collection in await self.collections()

    async def behind(self, alias: str) -> str | None:
        """The collection that an alias stands for; None where there is no such alias."""
        with self._asking(Call(asked.LIST_ALIASES, f"the alias {alias!r}")):
            found = (await self._client.get_aliases()).aliases
        return next((one.collection_name for one in found if one.alias_name == alias), None)

    async def count(self, collection: str) -> int:
        """How many points it has, counted one by one."""
        with self._asking(_of(asked.COUNT, f"the points of {collection!r}", collection)):
            return (await self._client.count(collection, exact=True)).count

    async def aliases(self) -> dict[str, str]:
        """The collection behind each alias."""
        with self._asking(Call(asked.LIST_ALIASES, "the aliases")):
            found = (await self._client.get_aliases()).aliases
        return {one.alias_name: one.collection_name for one in found}

    async def described(self, collection: str) -> CopiedCollection:
        """What a collection is made of, without a point of it."""
        with self._asking(_of(asked.GET_COLLECTION, f"the collection {collection!r}", collection)):
            found = await self._client.get_collection(collection)
        params = json.loads(found.config.params.model_dump_json(exclude_none=True))
        return CopiedCollection(
            name=collection,
            vectors=params.get("vectors"),
            sparse_vectors=params.get("sparse_vectors"),
            indexes={field: str(one.data_type.value) for field, one in found.payload_schema.items()},
            points=await self.count(collection),
            snapshots=tuple(await self.snapshots(collection)),
        )

    async def create_like(self, source: str, target: str, layout: Layout) -> None:
        """Make a collection like another, but for what its layout says. Its indexes are made by `index`.

        Raises:
            Conflict: There is one of that name.
        """
        with self._asking(_of(asked.GET_COLLECTION, f"the collection {source!r}", source)):
            params = (await self._client.get_collection(source)).config.params
        scalar = models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8))
        with self._asking(_of(asked.CREATE_COLLECTION, f"a collection {target!r}", target)):
            await self._client.create_collection(
                target,
                vectors_config=_vectors(params.vectors, layout),
                sparse_vectors_config=params.sparse_vectors,
                shard_number=params.shard_number,
                replication_factor=params.replication_factor,
                quantization_config=scalar if layout.quantized else None,
            )

    async def index(self, collection: str, field: str, kind: FieldKind) -> None:
        """Have a field of the payload searched by; twice is harmless."""
        with self._asking(_of(asked.CREATE_INDEX, f"an index on {field!r} of {collection!r}", collection)):
            await self._client.create_payload_index(
                collection, field, field_schema=models.PayloadSchemaType(kind), wait=True
            )

    async def copy(self, source: str, target: str, *, start: PointId | None, most: int) -> Copied:
        """Copy points, with vectors and payloads, in the order of their ids; to copy one twice is harmless.

        Args:
            source: From here.
            target: To here.
            start: The point to begin with; None for the first one.
            most: How many at most.
        """
        with self._asking(_of(asked.SCROLL, f"points of {source!r}", source)):
            found, following = await self._client.scroll(
                source, limit=most, offset=start, with_payload=True, with_vectors=True
            )
        if found:
            with self._asking(_of(asked.UPSERT, f"points of {target!r}", target)):
                await self._client.upsert(
                    target,
                    points=[
                        models.PointStruct(
                            id=one.id, vector=cast("models.VectorStruct", one.vector), payload=one.payload
                        )
                        for one in found
                    ],
                    wait=True,
                )
        return Copied(points=len(found), following=_point_id(following))

    async def probe(self, collection: str, *, sample: int) -> Probed:
        """Search for a few points by their own vectors: what serves finds each among its nearest.

        Args:
            collection: Where.
            sample: For how many points.
        """
        with self._asking(_of(asked.SCROLL, f"points of {collection!r}", collection)):
            sampled, _ = await self._client.scroll(collection, limit=sample, with_payload=False, with_vectors=True)
        nearest = [await self._nearest(collection, one) for one in sampled]
        found = sum(one.id in near for one, near in zip(sampled, nearest, strict=True))
        return Probed(tried=len(sampled), found=found)

    async def _nearest(self, collection: str, point: models.Record) -> Sequence[object]:
        vector, using = point.vector, None
        if isinstance(vector, dict):
            using, vector = next(iter(vector.items()))
        with self._asking(_of(asked.QUERY, f"a search of {collection!r}", collection)):
            answer = await self._client.query_points(
                collection,
                query=cast("list[float]", vector),
                using=using,
                limit=_NEIGHBOURS,
                with_payload=False,
            )
        return [one.id for one in answer.points]

    async def point_alias(self, alias: str, collection: str, *, instead_of: str | None) -> None:
        """Have an alias stand for a collection, in one change that no reader sees the middle of.

        Args:
            alias: Which one.
            collection: What it stands for then.
            instead_of: What it stands for now; None where there is no such alias yet.
        """
        create = models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=collection, alias_name=alias)
        )
        delete = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
        changes: list[models.AliasOperations] = [create] if instead_of is None else [delete, create]
        with self._asking(Call(asked.CHANGE_ALIASES, f"the alias {alias!r}")):
            await self._client.update_collection_aliases(change_aliases_operations=changes)

    async def snapshots(self, collection: str) -> list[str]:
        """The names of the snapshots that are kept of a collection."""
        with self._asking(_of(asked.LIST_SNAPSHOTS, f"the snapshots of {collection!r}", collection)):
            return [one.name for one in await self._client.list_snapshots(collection)]

    async def snapshot(self, collection: str) -> str:
        """Make a snapshot; its name.

        Raises:
            OutcomeUnknown: It may have been made, or be in the making.
        """
        call = _of(asked.CREATE_SNAPSHOT, f"a snapshot of {collection!r}", collection)
        with self._asking(call):
            made = await self._client.create_snapshot(collection, wait=True)
        if made is None:
            raise self._dialect.malformed(call, 1)
        return made.name

    @contextlib.contextmanager
    def _asking(self, call: Call[asked.Envelope]) -> Generator[None]:
        """A span and the metrics of one call, and its errors in our words."""
        with observed(self._dialect.provider.name, call.operation), _translated(self._dialect, call):
            yield


@contextlib.contextmanager
def _translated(dialect: Dialect, call: Call[asked.Envelope]) -> Generator[None]:
    problem: ConnectorError
    try:
        yield
    except UnexpectedResponse as error:
        status = error.status_code or _SERVICE_UNAVAILABLE
        # Not all its headers: the content is what came out of them, and would be decoded again.
        told = {name: value for name, value in error.headers.items() if name.lower() in _TELLING}
        problem = dialect.refused(call, httpx.Response(status, content=error.content, headers=told))
    except ResourceExhaustedResponse as error:
        headers = {"Retry-After": str(error.retry_after_s)}
        problem = dialect.refused(call, httpx.Response(httpx.codes.TOO_MANY_REQUESTS, headers=headers))
    except ResponseHandlingException as error:
        problem = _unanswered(dialect, call, error.source)
    except (ValueError, AssertionError) as error:  # it does not look whether an answer is JSON, or has a result
        problem = _unanswered(dialect, call, error)
    else:
        return
    # After the block: an error within one keeps the client's, which quotes what was answered.
    raise problem


def _unanswered(dialect: Dialect, call: Call[asked.Envelope], source: Exception) -> ConnectorError:
    if isinstance(source, httpx.HTTPError):
        return dialect.silent(call, source)
    return dialect.malformed(call, source.error_count() if isinstance(source, ValidationError) else 1)


def _of(operation: asked.Operation[asked.Envelope], what: str, collection: str) -> Call[asked.Envelope]:
    missing = f"there is no collection {collection!r}"
    return Call(operation, what, path={"collection": collection}, missing=missing)


def _vectors(
    found: models.VectorParams | dict[str, models.VectorParams] | None, layout: Layout
) -> models.VectorParams | dict[str, models.VectorParams]:
    if isinstance(found, models.VectorParams):
        return _changed(found, layout)
    return {name: _changed(one, layout) for name, one in (found or {}).items()}


def _changed(one: models.VectorParams, layout: Layout) -> models.VectorParams:
    distance = models.Distance(layout.distance) if layout.distance else one.distance
    on_disk = one.on_disk if layout.on_disk is None else layout.on_disk
    return one.model_copy(update={"distance": distance, "on_disk": on_disk})


def _point_id(found: object) -> PointId | None:
    """The client's type for it also knows those of gRPC, which is not spoken here."""
    return found if isinstance(found, int | str) else None if found is None else str(found)
