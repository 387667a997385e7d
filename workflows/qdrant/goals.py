"""What people ask for at Qdrant, and how it ended."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from connectors.qdrant.collection import Distance, FieldKind
from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalInput, GoalResult
from workflows.goal_type import GoalType

ClusterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
CloudPlace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
CollectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\[\]-]{0,127}$")]


class ProvisionQdrantInput(DestructiveGoalInput):
    """Provide a Qdrant cluster and its keys in Vault; where the policy lets no goal buy it by itself, ask people."""

    name: ClusterName = Field(description="The cluster's name. Its keys are found in Vault by it.")
    provider: CloudPlace = Field(description="The cloud, as Qdrant names it: aws, gcp or azure.")
    region: CloudPlace = Field(description="As Qdrant names it, such as eu-central-1.")
    package: PackageName = Field(description="The size of a node: the name or the id of a package of that region.")
    nodes: int = Field(default=1, ge=1, le=50, description="How many nodes.")
    most_usd: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="US dollars that it may cost in a month; with 0 only a free one is made.",
    )
    backup_days: int | None = Field(
        default=None, ge=1, le=365, description="Have a backup made every night, and kept for so many days."
    )

    def business_key(self) -> str:
        """`provision-qdrant/NAME`; in an emergency one of its own, beside what may wait for days."""
        kind = "provision-qdrant-break-glass" if self.break_glass else "provision-qdrant"
        return f"{kind}/{self.name}"

    def reaches(self) -> Mapping[str, str]:
        """The account, and what the package costs."""
        return {"qdrant": f"{self.provider}/{self.region}/{self.package}"}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Provide the Qdrant cluster {self.name} in {self.provider} {self.region}"


class ProvisionQdrantResult(GoalResult):
    """The cluster, and where its keys are; never a key."""

    name: str = Field(description="As it was asked for.")
    cluster: str | None = Field(default=None, description="Qdrant's id of it.")
    url: str | None = Field(default=None, description="Where its database is.")
    version: str | None = Field(default=None, description="Of Qdrant.")
    existed: bool | None = Field(default=None, description="Whether it was there before; None where nobody knows.")
    usd_a_month: int | None = Field(default=None, description="Whole US dollars that it costs at most in a month.")
    reader: str | None = Field(default=None, description="Where Vault keeps address and key for reading.")
    writer: str | None = Field(default=None, description="Where Vault keeps address and key for everything.")


class SwitchCollectionInput(GoalInput):
    """Have an alias of a Qdrant database stand for another collection, which is built beside where it is not there."""

    cluster: ClusterName = Field(description="The cluster's name, as ProvisionQdrant was given it.")
    alias: CollectionName = Field(description="The name that is searched by.")
    collection: CollectionName = Field(
        description="What it is to stand for. Where there is no such collection, it is made like the one behind the "
        "alias, and filled with its points."
    )
    distance: Distance | None = Field(default=None, description="How near two vectors are, where that is to change.")
    on_disk: bool | None = Field(default=None, description="Whether vectors lie on disk, where that is to change.")
    quantized: bool = Field(default=False, description="Whether vectors are also kept as bytes, for less memory.")
    indexes: dict[FieldName, FieldKind] = Field(
        default_factory=dict[str, FieldKind], max_length=100, description="Fields to search by, with their kinds."
    )
    snapshot: bool = Field(default=False, description="Whether a snapshot of the old collection is made first.")
    fewest_points: int | None = Field(
        default=None, ge=0, description="How many points it must have; as many as the old one when left out."
    )

    @model_validator(mode="after")
    def _two_names(self) -> Self:
        if self.alias == self.collection:
            msg = f"{self.alias!r} cannot be an alias of itself; give the collection a name of its own"
            raise ValueError(msg)
        return self

    def business_key(self) -> str:
        """`switch-collection/CLUSTER/ALIAS`: an alias is switched by one goal at a time."""
        return f"switch-collection/{self.cluster}/{self.alias}"

    def reaches(self) -> Mapping[str, str]:
        """The database."""
        return {"qdrant": f"@{self.cluster}"}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Switch {self.alias} of {self.cluster} to {self.collection}"


class SwitchCollectionResult(GoalResult):
    """What the alias stands for now."""

    cluster: str = Field(description="As it was asked for.")
    alias: str = Field(description="As it was asked for.")
    collection: str = Field(description="As it was asked for.")
    previous: str | None = Field(
        default=None, description="What it stood for before. It is kept: ask for it to go back."
    )
    built: bool = Field(default=False, description="Whether the collection was made and filled.")
    points: int | None = Field(default=None, description="How many points it has.")
    probed: int | None = Field(default=None, description="For how many of its points it was searched.")
    found: int | None = Field(default=None, description="How many of them were found.")
    snapshot: str | None = Field(default=None, description="The snapshot that was made of the old one.")


class RemoveQdrantInput(DestructiveGoalInput):
    """Delete a Qdrant cluster with all that is in it, once people approved exactly that; its backups stay."""

    cluster: ClusterName = Field(description="Its name, or its id where several have that name.")

    def business_key(self) -> str:
        """`remove-qdrant/CLUSTER`; in an emergency one of its own, beside what may wait for days."""
        kind = "remove-qdrant-break-glass" if self.break_glass else "remove-qdrant"
        return f"{kind}/{self.cluster}"

    def reaches(self) -> Mapping[str, str]:
        """The account."""
        return {"qdrant": ""}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{'BREAK GLASS: ' if self.break_glass else ''}Remove the Qdrant cluster {self.cluster}"


class RemoveQdrantResult(GoalResult):
    """What became of it."""

    cluster: str = Field(description="As it was asked for.")
    id: str | None = Field(default=None, description="Qdrant's id of it.")
    name: str | None = Field(default=None, description="Its name.")
    already_gone: bool = Field(default=False, description="Whether somebody had deleted it before.")
    forgotten: tuple[str, ...] = Field(default=(), description="Where Vault has nothing any more that opened it.")
    backups: tuple[str, ...] = Field(default=(), description="The newest of those that stay at Qdrant Cloud.")


_QDRANT: Final = frozenset({"qdrant"})

PROVISION_QDRANT: Final = GoalType(
    name="ProvisionQdrant",
    input=ProvisionQdrantInput,
    result=ProvisionQdrantResult,
    rehearses=_QDRANT,
    effect=Effect.DESTRUCTIVE,
    example=ProvisionQdrantInput(name="shop-trial", provider="aws", region="eu-central-1", package="free2"),
)
SWITCH_COLLECTION: Final = GoalType(
    name="SwitchCollection",
    input=SwitchCollectionInput,
    result=SwitchCollectionResult,
    rehearses=_QDRANT,
    effect=Effect.WRITE,
    example=SwitchCollectionInput(
        cluster="shop-search",
        alias="products",
        collection="products-v2",
        on_disk=True,
        indexes={"category": "keyword"},
    ),
)
REMOVE_QDRANT: Final = GoalType(
    name="RemoveQdrant",
    input=RemoveQdrantInput,
    result=RemoveQdrantResult,
    rehearses=_QDRANT,
    effect=Effect.DESTRUCTIVE,
    example=RemoveQdrantInput(cluster="shop-old"),
)
