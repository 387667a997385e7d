"""The step that launches what people approved, by a grant; for the destructive worker: what is spent is spent."""

from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.lambdalabs.contracts import BUY_INSTANCE, BuyGpuParameters, GpuLaunched
from activities.lambdalabs.making import Order, launch_machine, serving
from activities.step import implements
from connectors.lambdalabs import manifest
from connectors.lambdalabs.client import LambdaCloud


class GpuPurchase:
    """The step. Its key is out of every other process's reach.

    Args:
        secrets: Hands the key out.
        cloud: The account, by that key.
    """

    def __init__(self, secrets: DestructiveSecrets, cloud: LambdaCloud) -> None:
        self._secrets, self._cloud = secrets, cloud

    @implements(BUY_INSTANCE)
    async def buy_instance(self, request: GrantedRequest) -> GpuLaunched:
        """Launch one of the machines that were approved, at no higher a price; an earlier attempt's is adopted.

        Raises:
            Conflict: Each of them costs more by now, and nothing was launched.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        approved = request.approved().parameters_as(BuyGpuParameters)
        key = await self._secrets.read(manifest.BUY)
        order = Order(
            name=approved.resource,
            choices=approved.choices,
            hours=approved.hours,
            at_most=approved.cents_per_hour,
            serving=serving(approved.boot, key.fields),
        )
        async with self._cloud.open(key.fields) as account:
            return await launch_machine(account, order, last_look=key.last_look)
