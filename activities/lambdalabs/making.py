"""Steps that launch machines at Lambda Labs, make what opens them, and end both."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from temporalio import activity

from activities.creation import created_for_step
from activities.lambdalabs.contracts import (
    ADD_SSH_KEY,
    END_INSTANCE,
    LAUNCH_INSTANCE,
    Choice,
    GpuEnded,
    GpuLaunched,
    LaunchRequest,
    LeasedGpu,
    SshKeyMade,
)
from activities.secrets import KeepingTokens, keeper_for_step, secret_for_step
from activities.step import implements
from connectors.creation import Creation, mark
from connectors.errors import Conflict, InvalidRequest
from connectors.lambdalabs.client import NO_CAPACITY, Account, LambdaCloud, Wanted
from connectors.lambdalabs.manifest import KEEP, LAUNCH, SSH_KEY
from connectors.lambdalabs.models import Instance, TypeOffer
from connectors.lambdalabs.readiness import FIRST_BOOT, USER
from connectors.lambdalabs.ssh_key import new_ssh_key
from connectors.served.boot import Boot, ticket, with_model
from connectors.served.hello import digest
from connectors.vault.kv import MOUNT

SHOWS_WITHIN: Final = timedelta(seconds=45)
"""How long an instance that was launched may take until Lambda's list has it."""
_LOOKS_EVERY: Final = timedelta(seconds=5)
"""The account may ask once a second, for all that it does."""

Look = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A machine that is wanted.

    Attributes:
        name: As Lambda's console shows it.
        choices: Sizes in regions, by preference.
        hours: How long it is paid for.
        at_most: US cents an hour; none is launched that costs more.
        serving: What it boots besides, where it is to serve a language model.
    """

    name: str
    choices: tuple[Choice, ...]
    hours: int
    at_most: int
    serving: "Serving | None" = None


@dataclass(frozen=True)
class Serving:
    """A model that a machine is to serve, and what it dials in with.

    Attributes:
        boot: What it boots.
        ticket: Made anew by every attempt, and the same each time: it lies nowhere but on the machine.
    """

    boot: Boot
    ticket: SecretStr = field(repr=False)

    @property
    def user_data(self) -> str:
        """What the machine does at its first boot."""
        return with_model(FIRST_BOOT, self.boot, self.ticket)


def serving(boot: Boot | None, key: Mapping[str, SecretStr]) -> Serving | None:
    """What the machine of the step that runs now boots; None where it serves nothing.

    Args:
        boot: As it was asked for.
        key: Of the account.
    """
    if boot is None or "key" not in key:
        return None
    return Serving(boot, ticket(key["key"], mark=_own_mark(), run=activity.info().workflow_run_id or ""))


class GpuMaking:
    """The steps.

    Args:
        vault: Makes the tokens that read the key, and that put a machine's own key where it is kept.
        cloud: The account.
    """

    def __init__(self, vault: KeepingTokens, cloud: LambdaCloud) -> None:
        self._vault, self._cloud = vault, cloud

    @implements(ADD_SSH_KEY)
    async def add_ssh_key(self, request: LeasedGpu) -> SshKeyMade:
        """Make the key of the goal's machine: its private half goes to Vault alone, its public half to Lambda.

        Where a machine runs already that was launched with one, that one stays: nothing else opens the machine. Before
        that each attempt makes another; the newest is both in Vault and at Lambda.

        Raises:
            InvalidRequest: It is the machine of another goal.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        label = _own_mark()
        if request.mark != label:
            raise InvalidRequest(f"a goal makes the key of its own machine, and {request.mark!r} is another's")
        place = SSH_KEY.at(label)
        async with keeper_for_step(self._vault, KEEP) as keeper, self._cloud.open(keeper.fields) as account:
            if any(not one.ends for one in await account.marked(label)):
                return SshKeyMade(secret=f"{MOUNT}/{place}", adopted=True)
            made = new_ssh_key(label)
            await keeper.keep(SSH_KEY, {"key": made.private, "user": SecretStr(USER)}, label)
            added = await account.add_ssh_key(label, made.public)
            await account.delete_ssh_keys(label, but=added.id)
        return SshKeyMade(secret=f"{MOUNT}/{place}")

    @implements(LAUNCH_INSTANCE)
    async def launch_instance(self, request: LaunchRequest) -> GpuLaunched:
        """Launch a machine, at no higher a price than the policy was told; one of an earlier attempt is adopted.

        Raises:
            Conflict: Each of them costs more, and nothing was launched.
            ConnectorError: As the tree says.
        """
        async with secret_for_step(self._vault, LAUNCH) as fields, self._cloud.open(fields) as account:
            order = Order(
                name=request.name,
                choices=request.choices,
                hours=request.hours,
                at_most=request.cents_per_hour,
                serving=serving(request.boot, fields),
            )
            return await launch_machine(account, order, last_look=no_look)

    @implements(END_INSTANCE)
    async def end_instance(self, request: LeasedGpu) -> GpuEnded:
        """End all that carries a mark, and then what opened it, at Lambda and in Vault. What is gone is fine.

        Raises:
            ConnectorError: As the tree says.
        """
        async with keeper_for_step(self._vault, KEEP) as keeper:
            async with self._cloud.open(keeper.fields) as account:
                there = await account.marked(request.mark)
                ended = [one.id for one in there if not one.ends]
                for instance in ended:
                    await account.terminate(instance)
                await account.delete_ssh_keys(request.mark)
            await keeper.forget(SSH_KEY, request.mark)
        return GpuEnded(ids=tuple(ended), mark=request.mark, ending=tuple(one.id for one in there))


async def no_look() -> None:
    """Of a step that anybody's goal may take: there is no grant that could be over."""


async def launch_machine(account: Account, order: Order, *, last_look: Look) -> GpuLaunched:
    """See that the goal of the step that runs now has one machine, or tell what there was no capacity for.

    Args:
        account: Where.
        order: Which one.
        last_look: Called right before each launch.

    Raises:
        Conflict: Each of them costs more than it may.
        ConnectorError: As the tree says.
    """
    tried: list[str] = []
    open_choices: list[_Priced] = []
    if not await _mine(account, _own_mark()):
        open_choices = _affordable(await account.types(), order, tried)

    async def create(label: str) -> _Launched:
        for one in open_choices:
            await last_look()
            wanted = Wanted(
                name=order.name,
                type=one.choice.type,
                region=one.choice.region,
                ssh_key=label,
                user_data=order.serving.user_data if order.serving else FIRST_BOOT,
            )
            try:
                return _Launched(await account.launch(wanted, label), one)
            except InvalidRequest as error:
                if error.code != NO_CAPACITY:
                    raise
                tried.append(str(one.choice))
        raise _NoCapacity

    creation = Creation(
        what=f"a machine {order.name!r}",
        find=lambda label: _mine(account, label),
        create=create,
        id_of=lambda one: one.id,
        shows_within=SHOWS_WITHIN,
        looks_every=min(_LOOKS_EVERY, SHOWS_WITHIN),
    )
    try:
        made = await created_for_step(creation)
    except _NoCapacity:
        return GpuLaunched(tried=tuple(tried))
    launched = made.resource
    _require_wanted(launched, order)
    return GpuLaunched(
        id=launched.id,
        mark=_own_mark(),
        type=launched.priced.choice.type,
        region=launched.priced.choice.region,
        cents_per_hour=launched.priced.cents,
        hours=order.hours,
        adopted=made.adopted,
        tried=tuple(tried),
        ticket=digest(order.serving.ticket) if order.serving else "",
    )


class _NoCapacity(Exception):
    """Nothing was launched."""


@dataclass(frozen=True)
class _Priced:
    choice: Choice
    cents: int


@dataclass(frozen=True)
class _Launched:
    id: str
    priced: _Priced


def _own_mark() -> str:
    return mark(activity.info().workflow_id or "")


async def _mine(account: Account, label: str) -> list[_Launched]:
    """What runs with this mark; what ends is another round's."""
    return [_as_launched(one) for one in await account.marked(label) if not one.ends]


def _as_launched(one: Instance) -> _Launched:
    choice = Choice(type=one.instance_type.name, region=one.region.name)
    return _Launched(one.id, _Priced(choice, one.instance_type.price_cents_per_hour))


def _require_wanted(launched: _Launched, order: Order) -> None:
    """What an earlier run of the goal launched may be something else.

    Raises:
        Conflict: It is.
    """
    there = launched.priced
    if there.choice not in order.choices or there.cents > order.at_most:
        raise Conflict(
            f"this goal has the machine {launched.id!r} already, a {there.choice} at {there.cents} cents an hour, and "
            "that is not what is asked for now: wait until it has ended, or ask for that"
        )


def _affordable(offers: list[TypeOffer], order: Order, tried: list[str]) -> list[_Priced]:
    """What costs no more than it may and is said to be there; the rest of those is noted as tried.

    Raises:
        Conflict: There is nothing at that price.
    """
    prices = {one.instance_type.name: one.instance_type.price_cents_per_hour for one in offers}
    capacity = {
        (one.instance_type.name, region.name) for one in offers for region in one.regions_with_capacity_available
    }
    priced = [
        _Priced(one, prices[one.type])
        for one in order.choices
        if prices.get(one.type, order.at_most + 1) <= order.at_most
    ]
    if not priced:
        told = ", ".join(f"{one.type} {prices.get(one.type, 'gone')}" for one in order.choices)
        raise Conflict(
            f"{order.name!r} may cost {order.at_most} cents an hour, and Lambda Labs asks ({told[:300]}): nothing was "
            "launched; ask again"
        )
    tried += [str(one.choice) for one in priced if (one.choice.type, one.choice.region) not in capacity]
    return [one for one in priced if (one.choice.type, one.choice.region) in capacity]
