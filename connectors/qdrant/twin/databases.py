"""The databases of the twin's clusters: the official client's local mode, spoken to as the server is.

Bodies and answers are the client's own models. The local mode has no snapshots and no indexes: both are noted here,
and shown as a server shows them, and nothing lies behind them.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError
from qdrant_client import QdrantClient, models

from connectors.qdrant.copy import CopiedCollection, CopiedDatabase
from connectors.qdrant.twin.problems import DatabaseProblem

Body = TypeVar("Body", bound=BaseModel)

_MOST_POINTS: Final = 1_000
_COMPLETED: Final[JsonValue] = {"operation_id": 0, "status": "completed"}


class TwinDatabase:
    """One cluster's.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._client = QdrantClient(":memory:")
        self._indexes: dict[str, dict[str, str]] = {}
        self._snapshots: dict[str, list[dict[str, JsonValue]]] = {}

    def fill(self, collection: str, alias: str, *, points: int) -> None:
        """Make a collection with points of four numbers each, and an alias for it."""
        vectors = models.VectorParams(size=4, distance=models.Distance.COSINE)
        self._client.create_collection(collection, vectors_config=vectors)
        self._indexes[collection], self._snapshots[collection] = {}, []
        made = [
            models.PointStruct(
                id=one, vector=[1.0, one / 2, one % 3, one % 5], payload={"product": one, "category": f"c{one % 3}"}
            )
            for one in range(1, points + 1)
        ]
        self._client.upsert(collection, points=made)
        named = models.CreateAlias(collection_name=collection, alias_name=alias)
        self._client.update_collection_aliases([models.CreateAliasOperation(create_alias=named)])

    def take(self, copied: CopiedDatabase) -> None:
        """Make what was copied of another database, with points of its own."""
        for one in copied.collections:
            body = {"vectors": one.vectors or {}, "sparse_vectors": one.sparse_vectors}
            self.create_collection(one.name, json.dumps(body).encode())
            self._indexes[one.name] = dict(one.indexes)
            self._snapshots[one.name] = [{"name": name, "size": 4096} for name in one.snapshots]
            if points := list(_made_up(one)):
                self._client.upsert(one.name, points=points)
        made = [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=of, alias_name=alias))
            for alias, of in copied.aliases.items()
        ]
        if made:
            self._client.update_collection_aliases(made)

    def collections(self) -> JsonValue:
        """All of them."""
        return {"collections": [{"name": name} for name in self._names()]}

    def collection(self, name: str) -> JsonValue:
        """One."""
        self._require(name)
        shown = _json(self._client.get_collection(name))
        points = self._client.count(self._aliases().get(name, name), exact=True).count
        indexes = self._indexes.get(self._aliases().get(name, name), {})
        shown["payload_schema"] = {field: {"data_type": kind, "points": points} for field, kind in indexes.items()}
        return shown

    def create_collection(self, name: str, body: bytes) -> JsonValue:
        """Make one."""
        if name in self._names() or name in self._aliases():
            raise DatabaseProblem(409, f"Wrong input: Collection `{name}` already exists!")
        wanted = _read(models.CreateCollection, body)
        with _refusing():
            self._client.create_collection(
                name, vectors_config=wanted.vectors, sparse_vectors_config=wanted.sparse_vectors
            )
        self._indexes[name], self._snapshots[name] = {}, []
        return True

    def create_index(self, name: str, body: bytes) -> JsonValue:
        """Note an index."""
        wanted = _read(models.CreateFieldIndex, body)
        kind = wanted.field_schema
        if not isinstance(kind, models.PayloadSchemaType):
            raise DatabaseProblem(400, "this twin knows the short form of a field's schema only")
        self._indexes[self._require(name)][wanted.field_name] = kind.value
        return _COMPLETED

    def aliases(self) -> JsonValue:
        """All of them."""
        return {"aliases": [{"alias_name": one, "collection_name": of} for one, of in self._aliases().items()]}

    def change_aliases(self, body: bytes) -> JsonValue:
        """All the changes, or none of them."""
        wanted, after = _read(models.ChangeAliasesOperation, body), self._aliases()
        for one in wanted.actions:
            match one:
                case models.CreateAliasOperation(create_alias=made):
                    if made.collection_name not in self._names():
                        raise _missing(made.collection_name)
                    after[made.alias_name] = made.collection_name
                case models.DeleteAliasOperation(delete_alias=gone):
                    after.pop(gone.alias_name, None)
                case _:
                    raise DatabaseProblem(400, "this twin does not rename aliases")
        with _refusing():
            self._client.update_collection_aliases(change_aliases_operations=wanted.actions)
        return True

    def upsert(self, name: str, body: bytes) -> JsonValue:
        """Put points in."""
        wanted = _read(models.PointsList, body)
        with _refusing():
            self._client.upsert(self._require(name), points=cast("Any", wanted.points))
        return _COMPLETED

    def scroll(self, name: str, body: bytes) -> JsonValue:
        """Points by their ids."""
        wanted = _read(models.ScrollRequest, body)
        with _refusing():
            found, following = self._client.scroll(
                self._require(name),
                scroll_filter=wanted.filter,
                limit=wanted.limit or 10,
                offset=wanted.offset,
                with_payload=cast("Any", True if wanted.with_payload is None else wanted.with_payload),
                with_vectors=cast("Any", wanted.with_vector or False),
            )
        shown: dict[str, JsonValue] = {"points": [_json(one) for one in found]}
        return shown | ({"next_page_offset": cast("JsonValue", following)} if following is not None else {})

    def count(self, name: str, body: bytes) -> JsonValue:
        """How many points there are."""
        wanted = _read(models.CountRequest, body)
        with _refusing():
            return _json(self._client.count(self._require(name), count_filter=wanted.filter, exact=True))

    def query(self, name: str, body: bytes) -> JsonValue:
        """The nearest points."""
        wanted = _read(models.QueryRequest, body)
        with _refusing():
            found = self._client.query_points(
                self._require(name),
                query=cast("Any", wanted.query),
                using=wanted.using,
                query_filter=wanted.filter,
                limit=wanted.limit or 10,
                with_payload=cast("Any", wanted.with_payload or False),
                with_vectors=cast("Any", wanted.with_vector or False),
            )
        return {"points": [_json(one) for one in found.points]}

    def snapshots(self, name: str) -> JsonValue:
        """Those noted."""
        return cast("JsonValue", list(self._snapshots[self._require(name)]))

    def create_snapshot(self, name: str) -> JsonValue:
        """Note one."""
        of, moment = self._require(name), datetime.fromtimestamp(self._now(), UTC)
        made: dict[str, JsonValue] = {
            "name": f"{of}-{uuid.uuid4().int % 10**16}-{moment:%Y-%m-%d-%H-%M-%S}.snapshot",
            "creation_time": f"{moment:%Y-%m-%dT%H:%M:%S}",
            "size": 4096,
        }
        self._snapshots[of].append(made)
        return cast("JsonValue", made)

    def _names(self) -> list[str]:
        return [one.name for one in self._client.get_collections().collections]

    def _aliases(self) -> dict[str, str]:
        return {one.alias_name: one.collection_name for one in self._client.get_aliases().aliases}

    def _require(self, name: str) -> str:
        """The collection of this name, or behind this alias."""
        found = self._aliases().get(name, name)
        if found not in self._names():
            raise _missing(name)
        return found


def _made_up(copied: CopiedCollection) -> Iterator[models.PointStruct]:
    """Points by the thousand at most: none is another's, and each finds itself."""
    wanted = models.CreateCollection.model_validate({"vectors": copied.vectors or {}}).vectors
    numbers = random.Random(copied.name)  # noqa: S311 - nothing is secret about them
    for number in range(1, min(copied.points, _MOST_POINTS) + 1):
        if isinstance(wanted, models.VectorParams):
            yield models.PointStruct(id=number, vector=_vector(wanted, numbers), payload={})
        else:
            named = {name: _vector(one, numbers) for name, one in (wanted or {}).items()}
            yield models.PointStruct(id=number, vector=cast("Any", named), payload={})


def _vector(params: models.VectorParams, numbers: random.Random) -> Any:
    one = [numbers.uniform(-1, 1) for _ in range(params.size)]
    return one if params.multivector_config is None else [one]


class _refusing:  # noqa: N801 - used as a block
    """The local mode says by several errors, assertions of its own among them, that it was asked for the impossible."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Refuse instead."""
        if isinstance(error, ValueError | TypeError | KeyError | IndexError | AssertionError | NotImplementedError):
            raise DatabaseProblem(400, f"Wrong input: {error}") from error


def _missing(name: str) -> DatabaseProblem:
    return DatabaseProblem(404, f"Not found: Collection `{name}` doesn't exist!")


def _read(model: type[Body], body: bytes) -> Body:
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise DatabaseProblem(400, f"Format error in JSON body: {error.error_count()} problems") from error


def _json(model: BaseModel) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = json.loads(model.model_dump_json(exclude_none=True))
    return shown
