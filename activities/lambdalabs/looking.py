"""Steps that look at Lambda Labs, and at machines there."""

import contextlib
import re
from collections.abc import AsyncGenerator
from typing import Final

from activities.lambdalabs.contracts import (
    CHECK_INSTANCE,
    CHECK_READY,
    EXTEND_INSTANCE,
    FIND_INSTANCES,
    GPU,
    LOOK_AT_ACCOUNT,
    LOOK_AT_TYPES,
    AccountSeen,
    ExtendRequest,
    GpuExtended,
    GpuReadiness,
    GpuStanding,
    LeasedGpu,
    LookAtAccountRequest,
    LookAtTypesRequest,
    MachineSeen,
    TypeSeen,
    TypesSeen,
)
from activities.leases.contracts import LeasedPage, ListLeased
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.errors import InvalidRequest, NotFound
from connectors.lambdalabs.client import Account, LambdaCloud
from connectors.lambdalabs.manifest import READ
from connectors.lambdalabs.models import Instance, TypeOffer
from connectors.lambdalabs.readiness import gpus_of, greeting

_MARK: Final = re.compile(r"banksman-[0-9a-f]{16}")
MOST_LISTED: Final = 500
"""In one page of what carries a mark of ours."""
_MOST_TOLD: Final = 200


class GpuLooking:
    """The steps.

    Args:
        vault: Makes the token that reads the key.
        cloud: The account.
    """

    def __init__(self, vault: StepTokens, cloud: LambdaCloud) -> None:
        self._vault, self._cloud = vault, cloud

    @implements(LOOK_AT_TYPES)
    async def look_at_types(self, request: LookAtTypesRequest) -> TypesSeen:
        """Tell sizes, prices, and where there is capacity now.

        Raises:
            InvalidRequest: Lambda has no size of a name.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._account() as account:
            offers = {one.instance_type.name: one for one in await account.types()}
        if unknown := [name for name in request.names if name not in offers]:
            named, there = ", ".join(map(repr, unknown)), ", ".join(sorted(offers))
            raise InvalidRequest(f"Lambda Labs has no instance type {named}; there are {there}")
        names = request.names or tuple(sorted(offers))
        return TypesSeen(types=tuple(_type(offers[name]) for name in names))

    @implements(LOOK_AT_ACCOUNT)
    async def look_at_account(self, _request: LookAtAccountRequest) -> AccountSeen:
        """Tell what the account has, 200 of each at most.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            machines = [_machine(one) for one in await account.instances()]
            keys = [one.name for one in await account.ssh_keys()]
            families = sorted({one.family for one in await account.images()})
            systems = [f"{one.region.name}/{one.name}" for one in await account.file_systems()]
            rulesets = [f"{one.region.name}/{one.name}" for one in await account.rulesets()]
        return AccountSeen(
            machines=tuple(machines[:_MOST_TOLD]),
            ssh_keys=tuple(keys[:_MOST_TOLD]),
            image_families=tuple(families[:_MOST_TOLD]),
            file_systems=tuple(systems[:_MOST_TOLD]),
            firewall_rulesets=tuple(rulesets[:_MOST_TOLD]),
        )

    @implements(CHECK_INSTANCE)
    async def check_instance(self, request: LeasedGpu) -> GpuStanding:
        """Tell whether anything that carries a mark is there, by Lambda's own list; one that ends still is.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            found = await account.marked(request.mark)
        if not found:
            return GpuStanding(there=False, mark=request.mark)
        one = next((each for each in found if not each.ends), found[0])
        return GpuStanding(
            there=True,
            mark=request.mark,
            told=f"the instance {one.id} is {one.status}",
            id=one.id,
            type=one.instance_type.name,
            region=one.region.name,
            status=one.status,
            cents_per_hour=one.instance_type.price_cents_per_hour,
        )

    @implements(CHECK_READY)
    async def check_ready(self, request: LeasedGpu) -> GpuReadiness:
        """Ask the machine itself, where Lambda says that it is active.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            found = [one for one in await account.marked(request.mark) if not one.ends]
        if not found:
            return GpuReadiness(status="")
        one = found[0]
        said = await greeting(one.ip) if one.ip else None
        return GpuReadiness(
            status=one.status,
            address=one.ip or "",
            answers=said is not None,
            gpus=gpus_of(said) if said is not None else None,
            wanted=one.instance_type.specs.gpus,
        )

    @implements(FIND_INSTANCES)
    async def find_instances(self, request: ListLeased) -> LeasedPage:
        """List what carries a mark of ours, in the order of their ids; what ends anyway is left out.

        Raises:
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            found = sorted(await account.instances(), key=lambda one: one.id)
        ours = [one for one in found if _MARK.fullmatch(one.mark) and not one.ends and one.id > request.after]
        page = ours[:MOST_LISTED]
        return LeasedPage(
            found=tuple(
                GPU.leased(
                    LeasedGpu(
                        mark=one.mark, name=one.name or "", cents_per_hour=one.instance_type.price_cents_per_hour
                    ),
                    mark=one.mark,
                    name=one.name or one.id,
                )
                for one in page
            ),
            after=page[-1].id if len(ours) > MOST_LISTED else "",
        )

    @implements(EXTEND_INSTANCE)
    async def extend_instance(self, request: ExtendRequest) -> GpuExtended:
        """See that a machine may run on: it is there, and costs no more than was told. Lambda itself knows no end.

        Raises:
            NotFound: It is gone.
            InvalidRequest: It costs more than the budget was asked for.
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            found = [one for one in await account.marked(request.mark) if not one.ends]
        if not found:
            raise NotFound(f"no machine marked {request.mark!r} runs any more: there is nothing to extend")
        dearest = max(found, key=lambda one: one.instance_type.price_cents_per_hour)
        price = dearest.instance_type.price_cents_per_hour
        if price > request.cents_per_hour:
            raise InvalidRequest(
                f"the machine costs {price} cents an hour, and its lease says {request.cents_per_hour}: it is not "
                "extended; ask for another"
            )
        at_its_price = request.model_copy(update={"cents_per_hour": price})
        return GpuExtended(cents=at_its_price.spend() or 0, mark=request.mark, id=dearest.id, cents_per_hour=price)

    @contextlib.asynccontextmanager
    async def _account(self) -> AsyncGenerator[Account]:
        async with secret_for_step(self._vault, READ) as fields, self._cloud.open(fields) as account:
            yield account


def _type(offer: TypeOffer) -> TypeSeen:
    size = offer.instance_type
    return TypeSeen(
        name=size.name,
        gpu=(size.gpu_description or size.description)[:200],
        gpus=size.specs.gpus,
        cents_per_hour=size.price_cents_per_hour,
        regions=tuple(one.name for one in offer.regions_with_capacity_available),
    )


def _machine(one: Instance) -> MachineSeen:
    return MachineSeen(
        id=one.id,
        name=one.name or "",
        type=one.instance_type.name,
        region=one.region.name,
        status=one.status,
        cents_per_hour=one.instance_type.price_cents_per_hour,
        mark=one.mark,
    )
