"""The step that publishes what deletes data, on the destructive worker, by a grant for exactly that."""

import asyncio

from activities.estuary.contracts import DELETE_FLOW, DeleteFlowParameters, FlowPublished
from activities.estuary.flows import published
from activities.estuary.publishing import Row, Wanted, carried_out
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.step import implements
from connectors.creation import Sleep
from connectors.estuary import manifest
from connectors.estuary.client import Estuary


class FlowDestruction:
    """Deleting. Its service account's key is out of every other process's reach.

    Args:
        secrets: Credentials that destroy, each for one step with a grant.
        base_url: Where Estuary is.
        sleep: Waits between two looks at what takes a while.
    """

    def __init__(self, secrets: DestructiveSecrets, *, base_url: str, sleep: Sleep = asyncio.sleep) -> None:
        self._secrets, self._sleep = secrets, sleep
        self._estuary = Estuary(manifest.DESTRUCTIVE_ACCOUNT, base_url=base_url, sleep=sleep)

    @implements(DELETE_FLOW)
    async def delete_flow(self, request: GrantedRequest) -> FlowPublished:
        """Publish all that was approved, where exactly that is live which people saw.

        An attempt after a lost answer finds the publication of the first, and makes no second.

        Raises:
            Conflict: Something else is live. Nothing was published.
            ConnectorError: By the tree.
        """
        wanted = request.approved().parameters_as(DeleteFlowParameters)
        rows = (
            *(Row(name=one.name, type=one.type, model=one.model, expect=one.expect) for one in wanted.publish),
            *(Row(name=one.name, expect=one.expect) for one in wanted.delete),
        )
        held = await self._secrets.read(manifest.DESTROY)
        publication = Wanted(rows=rows, dry_run=False, data_plane=wanted.data_plane, last_look=held.last_look)
        async with self._estuary.open(held.fields) as account:
            return published(await carried_out(account, publication, sleep=self._sleep))
