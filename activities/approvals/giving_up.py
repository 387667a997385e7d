"""Gives up what is left of a plan of many steps, in the records that the guard of destructive steps looks at."""

from temporalio import activity

from activities.approvals.giving_up_contracts import GIVE_UP_STEPS, GivenUp
from activities.guard.granted import GiveUpRequest
from activities.guard.sequence_use import SequenceRecords, give_up
from activities.step import implements


class GivingUp:
    """For the destructive worker.

    Args:
        records: Those of its guard.
    """

    def __init__(self, records: SequenceRecords) -> None:
        self._records = records

    @implements(GIVE_UP_STEPS)
    async def give_up_steps(self, request: GiveUpRequest) -> GivenUp:
        """Take from every execution what was not begun. Idempotent: what was given up stays so.

        Raises:
            ConnectorError: Vault cannot be asked now.
        """
        since = await give_up(self._records, activity.info(), request.plan, request.decisions, why=request.why)
        return GivenUp(since=since)
