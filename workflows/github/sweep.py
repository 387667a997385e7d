"""The sweep of a schedule: what GitHub could not deliver to us is sent again, for GitHub never does so by itself.

Not a goal: nobody asks for it. Each attempt that failed is answered with one more, later each time, for three days;
what a workflow works off already is left alone. What was sent before, the schedule's last sweep says.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.github.redelivery_contracts import (
        FIND_FAILED_DELIVERIES,
        REDELIVER,
        FailedDelivery,
        FindFailedDeliveriesRequest,
        RedeliverRequest,
    )
    from workflows.execute import execute
    from workflows.github.contracts import (
        FIND_UNRECEIVED,
        MOST_ASKED,
        SWEEP_DELIVERIES,
        FindUnreceivedRequest,
        SweepResult,
    )
    from workflows.leases.lease import why_failed

BACK: Final = timedelta(days=3) - timedelta(hours=1)
"""GitHub sends nothing again that is older than three days."""

FIRST_PAUSE: Final = timedelta(minutes=2)
_LONGER: Final = 4
_MOST: Final = 200
"""By one sweep; the next is soon."""
_REMEMBERED: Final = 2000
_WITHIN: Final = timedelta(minutes=5)


@workflow.defn(name=SWEEP_DELIVERIES)
class SweepGitHubDeliveriesWorkflow:
    """One sweep."""

    def __init__(self) -> None:
        self._sent: list[int] = []

    @workflow.run
    async def run(self) -> SweepResult:
        """Look, and have sent again what is due. A GitHub that cannot be asked is left for the next sweep."""
        before: SweepResult = workflow.get_last_completion_result(SweepResult) or SweepResult()
        self._sent = list(before.sent)
        unseen, others = "", 0
        try:
            others = await self._sweep()
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            unseen = why_failed(error)
        made = len(self._sent) - len(before.sent)
        return SweepResult(sent=tuple(self._sent[-_REMEMBERED:]), redelivered=made, others=others, unseen=unseen)

    async def _sweep(self) -> int:
        """How many there are besides those that were due."""
        now = workflow.now()
        found = await execute(
            FIND_FAILED_DELIVERIES,
            FindFailedDeliveriesRequest(since=now - BACK),
            summary="Find what GitHub could not deliver",
            preset=FIND_FAILED_DELIVERIES.preset.within(_WITHIN),
        )
        wanted = due(found.deliveries, self._sent, now=now)
        for one in await self._unreceived(wanted):
            await execute(
                REDELIVER,
                RedeliverRequest(guid=one.guid, attempt=one.newest),
                summary="Have it sent again",
                preset=REDELIVER.preset.within(_WITHIN),
            )
            self._sent.append(one.newest)
        return len(found.deliveries) - len(wanted)

    async def _unreceived(self, wanted: Sequence[FailedDelivery]) -> list[FailedDelivery]:
        if not wanted:
            return []
        asked = FindUnreceivedRequest(deliveries=tuple(one.guid for one in wanted[:MOST_ASKED]))
        answer = await execute(
            FIND_UNRECEIVED, asked, summary="Tell what was received", preset=FIND_UNRECEIVED.preset.within(_WITHIN)
        )
        return [one for one in wanted if one.guid in set(answer.deliveries)]


def due(found: Sequence[FailedDelivery], sent: Sequence[int], *, now: datetime) -> list[FailedDelivery]:
    """What is to be sent again now: no attempt twice, and each later than the one before."""
    answered = set(sent)
    waited = [one for one in found if now - one.failed_at >= FIRST_PAUSE * _LONGER ** (one.attempts - 1)]
    return [one for one in waited if one.newest not in answered][:_MOST]
