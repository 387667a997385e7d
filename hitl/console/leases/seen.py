"""Leases, as the server lists them; no worker is asked."""

from typing import Final

from temporalio.client import Client

from activities.leases.contracts import LEASE_WORKFLOW
from activities.leases.views import LeaseView, view_of
from hitl.console.ports import Listed
from hitl.console.server_lists import fetch_page

RUNNING: Final = f"WorkflowType = '{LEASE_WORKFLOW}' AND ExecutionStatus = 'Running'"
ENDED: Final = f"WorkflowType = '{LEASE_WORKFLOW}' AND ExecutionStatus != 'Running'"


class TemporalLeases:
    """The console's port `Leases`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def found(self, page: str | None = None, *, ended: bool = False) -> Listed[LeaseView]:
        """Those that are held or being ended; or those that were, newest first.

        Raises:
            Unavailable: The server does not answer, or there is no such page.
        """
        some, total, more = await fetch_page(self._client, ENDED if ended else RUNNING, page)
        views = [await view_of(one) for one in some]
        return Listed(rows=[one for one in views if one is not None], total=total, next=more)
