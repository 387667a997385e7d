"""Installations, as the server lists them and each says of itself in its memo; no worker is asked."""

from typing import Final

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecution

from hitl.console.ports import Listed
from hitl.console.server_lists import fetch_page
from workflows.github.installation_contracts import INSTALLATION_MEMO, INSTALLATION_WORKFLOW, InstallationState

_OURS: Final = f"WorkflowType = '{INSTALLATION_WORKFLOW}'"
_UNREADABLE: Final = (ValidationError, RuntimeError, ValueError, KeyError)


class TemporalInstallations:
    """The console's port `Installations`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def found(self, page: str | None = None, *, gone: bool = False) -> Listed[InstallationState]:
        """Where it is installed; or where it was, newest first.

        Raises:
            Unavailable: The server does not answer, or there is no such page.
        """
        query = f"{_OURS} AND ExecutionStatus = '{'Completed' if gone else 'Running'}'"
        some, total, more = await fetch_page(self._client, query, page)
        states = [await _state_of(one) for one in some]
        return Listed(rows=[one for one in states if one is not None], total=total, next=more)


async def _state_of(found: WorkflowExecution) -> InstallationState | None:
    """What one says of itself; None where it has not said so yet, or nobody here can read it."""
    try:
        return InstallationState.model_validate((await found.memo())[INSTALLATION_MEMO])
    except _UNREADABLE:
        return None
