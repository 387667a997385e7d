"""What a rehearsal copies of Estuary: the specifications below a prefix. What is encrypted in them stays so."""

from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from connectors.copies import CopiedState
from connectors.errors import InvalidRequest
from connectors.estuary.client import Account
from connectors.estuary.manifest import ESTUARY
from connectors.estuary.models import SpecType

_MOST: Final = 2_000


class CopiedSpec(BaseModel):
    """A specification, and the publication that it is of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: SpecType
    publication: str
    model: JsonValue


class CopiedCatalog(CopiedState):
    """All below one prefix, which is `part`."""

    provider: ClassVar[str] = ESTUARY.name

    specs: tuple[CopiedSpec, ...]

    @model_validator(mode="after")
    def _below_the_prefix(self) -> Self:
        if not self.part.endswith("/") or any(not one.name.startswith(self.part) for one in self.specs):
            raise ValueError(f"has what is not below the prefix {self.part!r}")
        return self

    def told(self) -> str:
        """How much there is."""
        return f"{ESTUARY.name} {self.part}: {len(self.specs)} specifications"


async def copy_catalog(account: Account, prefix: str) -> CopiedCatalog:
    """Copy what is live below a prefix.

    Raises:
        InvalidRequest: That is no prefix, or there is too much below it.
        Forbidden: The account may not look at some of it.
        ConnectorError: By the tree.
    """
    if not prefix.endswith("/"):
        raise InvalidRequest(f"{prefix!r} is no prefix at Estuary: it ends with a slash, as in acme/shop/")
    found = await account.live_below(prefix)
    if len(found) > _MOST:
        raise InvalidRequest(f"there are {len(found)} specifications below {prefix!r}, and {_MOST} are copied")
    specs = [
        CopiedSpec.model_validate(
            {"name": name, "type": spec.catalog_type, "publication": spec.last_pub_id, "model": spec.model}
        )
        for name, one in found.items()
        if (spec := one.live_spec) is not None
    ]
    return CopiedCatalog(of=ESTUARY.name, part=prefix, specs=tuple(specs))
