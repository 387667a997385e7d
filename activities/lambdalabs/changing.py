"""Steps that change a machine at Lambda Labs which runs: restart it, and give it another name."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.lambdalabs.contracts import (
    RENAME_INSTANCE,
    RESTART_INSTANCE,
    GpuRenamed,
    GpuRestarted,
    LeasedGpu,
    RenameRequest,
    RestartRequest,
)
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.errors import NotFound, OutcomeUnknown, Unavailable
from connectors.lambdalabs.client import Account, LambdaCloud
from connectors.lambdalabs.manifest import CHANGE
from connectors.lambdalabs.models import Instance, Status
from connectors.lambdalabs.readiness import greeting

SHOWS_WITHIN: Final = timedelta(seconds=30)
"""How long after it was sent a restart may take until it can be seen."""
LOOKS_EVERY: Final = timedelta(seconds=5)
AGAIN_WITHIN: Final = timedelta(minutes=3)
"""So long after it was asked for a restart may be sent once more: nothing has run for longer that it would end."""


class GpuChanging:
    """The steps.

    Args:
        vault: Makes the token that reads the key.
        cloud: The account.
    """

    def __init__(self, vault: StepTokens, cloud: LambdaCloud) -> None:
        self._vault, self._cloud = vault, cloud

    @implements(RESTART_INSTANCE)
    async def restart_instance(self, request: RestartRequest) -> GpuRestarted:
        """Restart the goal's machine. Another attempt looks first, and sends it again only soon after it was asked for.

        Raises:
            NotFound: It is gone.
            OutcomeUnknown: Nobody can say whether it was restarted, and by now a second time may end somebody's work.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._account() as account:
            machine = await _machine(account, request, request.instance)
            if activity.info().attempt > 1:
                if machine.status == Status.BOOTING:
                    return GpuRestarted(adopted=True)
                _require_soon(request)
            answered = machine.ip is not None and await greeting(machine.ip) is not None
            try:
                await account.restart(request.instance)
            except OutcomeUnknown as error:
                if await _seen_restarting(account, request, answered=answered):
                    return GpuRestarted(adopted=True)
                raise Unavailable(f"{error}; it is looked at again, and then tried again") from error
        return GpuRestarted()

    @implements(RENAME_INSTANCE)
    async def rename_instance(self, request: RenameRequest) -> GpuRenamed:
        """Give the goal's machine another name. Safe to repeat: its mark is in a tag.

        Raises:
            NotFound: It is gone.
            ConnectorError: As the tree says.
        """
        async with self._account() as account:
            machine = await _machine(account, request, request.instance)
            if machine.name != request.called:
                await account.rename(request.instance, request.called)
        return GpuRenamed(called=request.called)

    @contextlib.asynccontextmanager
    async def _account(self) -> AsyncGenerator[Account]:
        async with secret_for_step(self._vault, CHANGE) as fields, self._cloud.open(fields) as account:
            yield account


async def _machine(account: Account, place: LeasedGpu, instance: str) -> Instance:
    """The one of this id, if it carries the goal's mark: nobody else's is changed."""
    for one in await account.marked(place.mark):
        if one.id == instance and not one.ends:
            return one
    raise NotFound(f"no machine {instance!r} marked {place.mark!r} runs any more: there is nothing to change")


async def _seen_restarting(account: Account, request: RestartRequest, *, answered: bool) -> bool:
    """Whether Lambda says so, or a machine that answered is silent now."""
    for look in range(1 + -(-SHOWS_WITHIN // LOOKS_EVERY)):
        if look:
            await asyncio.sleep(LOOKS_EVERY.total_seconds())
        machine = await _machine(account, request, request.instance)
        if machine.status == Status.BOOTING:
            return True
        if answered and (machine.ip is None or await greeting(machine.ip) is None):
            return True
    return False


def _require_soon(request: RestartRequest) -> None:
    asked = activity.info().scheduled_time
    if datetime.now(UTC) - asked > AGAIN_WITHIN:
        raise OutcomeUnknown(
            f"whether the machine {request.instance!r} was restarted at {asked:%H:%M} UTC nobody can say, and a second "
            "time might end what runs on it by now: look at it, and ask again"
        )
