"""The sweep of a schedule: what GitHub could not deliver to us is sent again, for GitHub never does so by itself.

It also looks where the App is installed: one that is older than the webhook, or was made while nobody listened, is
begun to be kept as if GitHub had told of it.

Not a goal: nobody asks for it. Each attempt that failed is answered with one more, later each time, for three days;
what a workflow works off already is left alone. What was sent before, the schedule's last sweep says.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.github.installations_contracts import (
        FIND_INSTALLATIONS,
        MOST_KNOWN,
        FindInstallationsRequest,
        InstallationFound,
    )
    from activities.github.redelivery_contracts import (
        FIND_FAILED_DELIVERIES,
        REDELIVER,
        FailedDelivery,
        FindFailedDeliveriesRequest,
        RedeliverRequest,
    )
    from hitl.hidden import visible
    from workflows.execute import execute
    from workflows.github.contracts import (
        FIND_UNRECEIVED,
        MOST_ASKED,
        SWEEP_DELIVERIES,
        FindUnreceivedRequest,
        SweepResult,
    )
    from workflows.github.installation_contracts import (
        INSTALLATION_MEMO,
        INSTALLATION_WORKFLOW,
        InstallationState,
        installation_id,
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
_FINDS_INSTALLATIONS: Final = "find-installations"


@workflow.defn(name=SWEEP_DELIVERIES)
class SweepGitHubDeliveriesWorkflow:
    """One sweep."""

    def __init__(self) -> None:
        self._sent: list[int] = []
        self._known: list[int] = []

    @workflow.run
    async def run(self) -> SweepResult:
        """Look, and have sent again what is due. A GitHub that cannot be asked is left for the next sweep."""
        before: SweepResult = workflow.get_last_completion_result(SweepResult) or SweepResult()
        self._sent, self._known = list(before.sent), list(before.installations)
        others, unseen = await self._tried(self._sweep())
        begun: list[int] = []
        if workflow.patched(_FINDS_INSTALLATIONS):
            _, unknown = await self._tried(self._find_installations(begun))
            unseen = unseen or unknown
        made = len(self._sent) - len(before.sent)
        return SweepResult(
            sent=tuple(self._sent[-_REMEMBERED:]),
            redelivered=made,
            others=others,
            unseen=unseen,
            installations=tuple(self._known[-MOST_KNOWN:]),
            begun=tuple(begun),
        )

    async def _tried(self, work: Awaitable[int]) -> tuple[int, str]:
        """What it came to, and why it could not go on, where it could not."""
        try:
            return await work, ""
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return 0, why_failed(error)

    async def _find_installations(self, begun: list[int]) -> int:
        """Begin to keep those that nobody told of; how many are left for the next sweep."""
        found = await execute(
            FIND_INSTALLATIONS,
            FindInstallationsRequest(known=tuple(self._known)),
            summary="Find where the App is installed",
            preset=FIND_INSTALLATIONS.preset.within(_WITHIN),
        )
        for one in found.installations:
            if await self._begin(one):
                begun.append(one.number)
            self._known.append(one.number)
        return found.left

    async def _begin(self, found: InstallationFound) -> bool:
        """Have it kept; whether nobody did."""
        state = InstallationState.found(found)
        try:
            await workflow.start_child_workflow(
                INSTALLATION_WORKFLOW,
                state,
                id=installation_id(found.number),
                parent_close_policy=ParentClosePolicy.ABANDON,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                memo={INSTALLATION_MEMO: state.model_dump(mode="json")},
                static_summary=visible(f"The App on {found.login}"),
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

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
