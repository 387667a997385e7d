"""What a rehearsal copies of Upstash: which databases there are, and nothing that opens them or is in them."""

from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from connectors.copies import CopiedState
from connectors.http import Call, Session
from connectors.upstash.manifest import UPSTASH
from connectors.upstash.models import Database
from connectors.upstash.operations import LIST_DATABASES


class CopiedDatabase(BaseModel):
    """One of them, as goals look at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    state: str
    modifying: str
    endpoint: str
    port: int | None
    tls: bool | None
    region: str
    read_regions: tuple[str, ...]
    plan: str
    budget: int | None
    eviction: bool | None


class CopiedAccount(CopiedState):
    """The account."""

    provider: ClassVar[str] = UPSTASH.name

    databases: tuple[CopiedDatabase, ...]

    def told(self) -> str:
        """How many there are."""
        return f"{UPSTASH.name}: {len(self.databases)} databases"


async def copy_account(session: Session) -> CopiedAccount:
    """Copy it.

    Raises:
        ConnectorError: By the tree.
    """
    # Its answer has every database's password, which the model does not read.
    listed = await session.ask(Call(LIST_DATABASES, "the databases"))
    return CopiedAccount(of=UPSTASH.name, databases=tuple(map(_copied, listed)))


def _copied(one: Database) -> CopiedDatabase:
    told = one.model_dump(exclude={*_OTHERWISE, "primary_region"})
    return CopiedDatabase(
        id=one.database_id,
        name=one.database_name,
        modifying=one.modifying_state,
        region=one.primary_region,
        **told,
    )


_OTHERWISE: Final = {"database_id", "database_name", "modifying_state"}
"""What is called otherwise here, as everywhere beyond the API."""
