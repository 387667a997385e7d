"""Which goals wait for a person, as the running environment tells `banksman status`."""

import asyncio
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.processes.control import WaitingGoal
from workflows.contracts import STATE_ATTRIBUTE, State

_PATIENCE: Final = 3.0
_MOST: Final = 20
_WAITING: Final = (
    f"{STATE_ATTRIBUTE.name} IN ('{State.WAITING}', '{State.PARKED}') AND ExecutionStatus = 'Running' "
    "AND WorkflowType != 'Approval'"
)


async def waiting_goals(client: Client) -> tuple[WaitingGoal, ...]:
    """The latest of them; none where Temporal does not answer at once."""
    found: list[WaitingGoal] = []
    try:
        async with asyncio.timeout(_PATIENCE):
            async for one in client.list_workflows(_WAITING, limit=_MOST):
                parked = one.typed_search_attributes.get(STATE_ATTRIBUTE) == State.PARKED
                found.append(WaitingGoal(id=one.id, state="parked" if parked else "waiting"))
    except (RPCError, TimeoutError):
        return ()
    return tuple(found)
