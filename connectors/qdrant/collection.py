"""What is said of collections, apart from the client that does it: that one takes a second to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Distance = Literal["Cosine", "Dot", "Euclid", "Manhattan"]
FieldKind = Literal["keyword", "integer", "float", "bool", "geo", "datetime", "text", "uuid"]
PointId = int | str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a new collection has otherwise than the one that it is made like.

    Attributes:
        distance: How near two vectors are.
        on_disk: Whether its vectors lie on disk.
        quantized: Whether they are also kept as bytes, for searches that take less memory.
        indexes: Kinds by the fields of the payload that are to be searched by.
    """

    distance: Distance | None = None
    on_disk: bool | None = None
    quantized: bool = False
    indexes: Mapping[str, FieldKind]


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A part of the points of a collection.

    Attributes:
        points: How many.
        following: The point to go on from; None after the last one.
    """

    points: int
    following: PointId | None


@dataclass(frozen=True, kw_only=True)
class Probed:
    """Points that were searched for by their own vectors.

    Attributes:
        tried: How many.
        found: How many of them were among the nearest.
    """

    tried: int
    found: int
