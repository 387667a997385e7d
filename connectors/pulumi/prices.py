"""What a resource costs a month, where that is known: a small list in a file, to be replaced by a deployment's own.

    currency: usd
    prices:
      - types: ["aws:ec2/instance:Instance"]
        where: {instanceType: t4g.micro}
        monthly_cents: 613
        source: the list price in us-east-1 on demand, 730 hours
        as_of: 2026-11-01

An entry applies to a type whose properties have exactly the values of `where`; the first that applies counts. What no
entry applies to has no known price, which a plan says: nothing is guessed. Use (traffic, requests, storage) is in no
price, and an entry says so where it matters.
"""

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from connectors.pulumi.changes import ChangeKind, ResourceChange
from connectors.pulumi.events import Metadata, Part, Side
from connectors.pulumi.files import read_file
from connectors.pulumi.values import Properties, at_path

SHIPPED: Final = Path(__file__).parent / "prices.yaml"


class Price(BaseModel):
    """One entry.

    Attributes:
        where: Property by path and the value that it must have.
        source: Where the number is from, and what is not in it.
        as_of: When it was looked up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: Annotated[tuple[str, ...], Field(min_length=1)]
    where: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    monthly_cents: Annotated[int, Field(ge=0, le=10**10)]
    source: Annotated[str, StringConstraints(min_length=10, max_length=300)]
    as_of: date

    def applies(self, type_: str, properties: Properties) -> bool:
        """Whether this is the price of such a resource."""
        return any(fnmatchcase(type_.lower(), one.lower()) for one in self.types) and all(
            at_path(properties, path) == value for path, value in self.where.items()
        )


class Prices(BaseModel):
    """The list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Literal["usd"]
    prices: tuple[Price, ...]

    def of(self, type_: str, side: Side | None) -> int | None:
        """Cents a month of a resource as it stands; None where no price is known, 0 where there is nothing."""
        if side is None:
            return 0
        properties = {**side.outputs, **side.inputs}
        return next((one.monthly_cents for one in self.prices if one.applies(type_, properties)), None)

    def priced(self, change: ResourceChange, about: Metadata) -> ResourceChange:
        """The change, with what it costs before and after."""
        # A resource that is made has no old side; one that goes has no new one.
        old = None if change.change is ChangeKind.CREATE else about.old
        new = None if change.change is ChangeKind.DELETE else about.new
        costs = {"monthly_usd_cents": self.of(about.type, new), "monthly_usd_cents_before": self.of(about.type, old)}
        return change.model_copy(update=costs)


class CostChange(Part):
    """What a plan changes about the monthly bill, as far as prices are known.

    Attributes:
        adds_usd_cents: What resources cost more, all together; savings elsewhere are not set off.
        saves_usd_cents: What they cost less.
        unknown: The names of changed resources without a price.
    """

    adds_usd_cents: int = 0
    saves_usd_cents: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether every changed resource has a price."""
        return not self.unknown


def cost_change(changes: tuple[ResourceChange, ...]) -> CostChange:
    """The sum over a plan."""
    adds = saves = 0
    unknown: list[str] = []
    for one in changes:
        if one.monthly_usd_cents is None or one.monthly_usd_cents_before is None:
            unknown.append(one.name)
            continue
        more = one.monthly_usd_cents - one.monthly_usd_cents_before
        adds, saves = adds + max(more, 0), saves + max(-more, 0)
    return CostChange(adds_usd_cents=adds, saves_usd_cents=saves, unknown=tuple(unknown))


def load_prices(path: Path = SHIPPED) -> Prices:
    """Read a list.

    Raises:
        FileProblem: It cannot be read, or is not valid.
    """
    return read_file(path, Prices)
