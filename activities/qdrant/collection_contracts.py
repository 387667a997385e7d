"""Steps on the collections of a Qdrant database, as goals ask for them. Points are never in a request or an answer."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.qdrant import manifest
from connectors.qdrant.collection import Distance, FieldKind, PointId
from hitl.protocol import Effect, PolicyContext


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: str = Field(description="The cluster's name, by which Vault keeps its keys.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.cluster)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LookAtAliasRequest(_Request):
    """Which alias, and which collection is to stand behind it."""

    alias: str
    collection: str


class AliasSeen(_Answer):
    """What there is."""

    behind: str | None = Field(description="The collection behind the alias; None where there is no such alias.")
    exists: bool = Field(description="Whether the collection is there.")
    shadowed: bool = Field(default=False, description="Whether a collection has the alias's name.")
    snapshots: tuple[str, ...] = Field(default=(), description="Of the collection behind the alias.")


class SnapshotRequest(_Request):
    """Of which collection."""

    collection: str
    known: tuple[str, ...] = Field(default=(), description="Those that were there before.")

    def recognised_by(self) -> tuple[str, ...]:
        """Of what."""
        return (f"collection {self.collection}",)


class SnapshotMade(_Answer):
    """The snapshot."""

    name: str


class CreateCollectionRequest(_Request):
    """What to make beside what is there."""

    collection: str
    like: str = Field(description="The collection whose vectors it takes.")
    distance: Distance | None = None
    on_disk: bool | None = None
    quantized: bool = False
    indexes: dict[str, FieldKind] = Field(default_factory=dict[str, FieldKind])

    def recognised_by(self) -> tuple[str, ...]:
        """What is made, and like what."""
        return (f"collection {self.collection}", f"like {self.like}")


class CollectionMade(_Answer):
    """That it is there, with its indexes."""

    adopted: bool = Field(default=False, description="Whether an earlier try had made it.")


class CopyPointsRequest(_Request):
    """Which part of the points to copy."""

    source: str
    target: str
    start: PointId | None = None

    def recognised_by(self) -> tuple[str, ...]:
        """From where to where; the parts are one effect."""
        return (f"from {self.source}", f"to {self.target}")


class PointsCopied(_Answer):
    """How far it is."""

    points: int
    following: PointId | None = Field(default=None, description="Where to go on; None after the last one.")


class VerifyCollectionRequest(_Request):
    """What to hold against what."""

    collection: str
    against: str | None = None


class CollectionVerified(_Answer):
    """What was counted and found."""

    points: int
    against: int | None = Field(default=None, description="Points of the one that it is held against.")
    probed: int = Field(default=0, description="Points that were searched for by their own vectors.")
    found: int = Field(default=0, description="How many of them were among the nearest.")


class SwitchAliasRequest(_Request):
    """Which change, from exactly what."""

    alias: str
    collection: str
    expected: str | None = Field(description="What must stand behind it until now.")

    def recognised_by(self) -> tuple[str, ...]:
        """What stands for what, and for what until then."""
        return (f"alias {self.alias}", f"collection {self.collection}", f"instead of {self.expected or 'nothing'}")


class AliasSwitched(_Answer):
    """That it stands for the collection."""

    already: bool = Field(default=False, description="Whether it did before.")


LOOK_AT_ALIAS: Final = Step(
    name="qdrant.look_at_alias",
    request=LookAtAliasRequest,
    response=AliasSeen,
    effect=Effect.READ,
    credential=manifest.SEARCH,
)
SNAPSHOT_COLLECTION: Final = Step(
    name="qdrant.snapshot_collection",
    request=SnapshotRequest,
    response=SnapshotMade,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
CREATE_COLLECTION: Final = Step(
    name="qdrant.create_collection",
    request=CreateCollectionRequest,
    response=CollectionMade,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
COPY_POINTS: Final = Step(
    name="qdrant.copy_points",
    request=CopyPointsRequest,
    response=PointsCopied,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
VERIFY_COLLECTION: Final = Step(
    name="qdrant.verify_collection",
    request=VerifyCollectionRequest,
    response=CollectionVerified,
    effect=Effect.READ,
    credential=manifest.SEARCH,
)
SWITCH_ALIAS: Final = Step(
    name="qdrant.switch_alias",
    request=SwitchAliasRequest,
    response=AliasSwitched,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
