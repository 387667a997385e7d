"""Reports of repositories' health, as the server lists them and each says of itself in its memo; no worker is asked."""

from typing import Final

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from hitl.console.ports import Listed
from hitl.console.server_lists import NOT_THERE, PATIENCE, fetch_page, unavailable
from workflows.health.contracts import HEALTH_MEMO, HEALTH_WORKFLOW, HealthState, health_id

_OURS: Final = f"WorkflowType = '{HEALTH_WORKFLOW}' AND ExecutionStatus = 'Running'"
_UNREADABLE: Final = (ValidationError, RuntimeError, ValueError, KeyError)


class TemporalHealth:
    """The console's port `Health`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def found(self, page: str | None = None) -> Listed[HealthState]:
        """Those that were reported on.

        Raises:
            Unavailable: The server does not answer, or there is no such page.
        """
        some, total, more = await fetch_page(self._client, _OURS, page)
        states = [await _state_of(one) for one in some]
        return Listed(rows=[one for one in states if one is not None], total=total, next=more)

    async def show(self, repository: str) -> HealthState | None:
        """One of them; None where nobody reported on it, or nobody here can read it.

        Raises:
            Unavailable: The server does not answer.
        """
        try:
            found = await self._client.get_workflow_handle(health_id(repository)).describe(rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status in NOT_THERE:
                return None
            raise unavailable(error) from error
        return await _state_of(found) if found.workflow_type == HEALTH_WORKFLOW else None


async def _state_of(found: WorkflowExecution) -> HealthState | None:
    """What one says of itself; only where it is the workflow of the repository that it speaks of."""
    try:
        state = HealthState.model_validate((await found.memo())[HEALTH_MEMO])
    except _UNREADABLE:
        return None
    return state if health_id(state.repository) == found.id else None
