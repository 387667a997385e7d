"""What a rehearsal copies of Qdrant: an account's clusters and one price; or what one database is made of, no point.

The two are read with different keys, so they are two copies: of the account, and of one database (`@NAME`).
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.copies import CopiedState
from connectors.errors import InvalidRequest
from connectors.qdrant.client import Account, Wanted
from connectors.qdrant.manifest import QDRANT
from connectors.qdrant.models import Cluster, Package

DATABASE: Final = "@"
"""Before a cluster's name: what its database is made of."""
_PARTS: Final = 3


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CopiedPackage(_Copied):
    """A size that can be had, and the price of a node."""

    package: Package
    millicents_per_hour: int


class CopiedCollection(_Copied):
    """A collection: how its vectors are, what is searched by, how many points there are."""

    name: str
    vectors: JsonValue = None
    sparse_vectors: JsonValue = None
    indexes: dict[str, str] = Field(default_factory=dict[str, str])
    points: int = 0
    snapshots: tuple[str, ...] = ()


class CopiedDatabase(_Copied):
    """What one database is made of."""

    cluster: str
    collections: tuple[CopiedCollection, ...]
    aliases: dict[str, str] = Field(description="The collection behind each.")


class CopiedQdrant(CopiedState):
    """Either the account or one database."""

    provider: ClassVar[str] = QDRANT.name

    clusters: tuple[Cluster, ...] = ()
    packages: tuple[CopiedPackage, ...] = ()
    database: CopiedDatabase | None = None

    def told(self) -> str:
        """How much there is."""
        if self.database is not None:
            collections, aliases = len(self.database.collections), len(self.database.aliases)
            return f"{QDRANT.name} {self.part}: {collections} collections, {aliases} aliases"
        return f"{QDRANT.name}: {len(self.clusters)} clusters"


async def copy_account(account: Account, part: str) -> CopiedQdrant:
    """Copy the clusters, and the price of one package where it is named.

    Args:
        account: Whose.
        part: `PROVIDER/REGION/PACKAGE`, or nothing.

    Raises:
        InvalidRequest: There is no such package, or no such part.
        ConnectorError: By the tree.
    """
    packages = (await _priced(account, part),) if part else ()
    return CopiedQdrant(of=QDRANT.name, part=part, clusters=tuple(await account.clusters()), packages=packages)


async def _priced(account: Account, part: str) -> CopiedPackage:
    named = part.split("/")
    if len(named) != _PARTS:
        raise InvalidRequest(f"{part!r} names no package of Qdrant Cloud: write PROVIDER/REGION/PACKAGE")
    provider, region, name = named
    package = await account.package(name, provider=provider, region=region)
    one_node = Wanted(name="a node", provider=provider, region=region, package_id=package.id, nodes=1)
    return CopiedPackage(package=package, millicents_per_hour=await account.price(one_node))


def copied_database(
    cluster: str, collections: tuple[CopiedCollection, ...], aliases: Mapping[str, str]
) -> CopiedQdrant:
    """The copy of one database."""
    database = CopiedDatabase(cluster=cluster, collections=collections, aliases=dict(aliases))
    return CopiedQdrant(of=QDRANT.name, part=f"{DATABASE}{cluster}", database=database)
