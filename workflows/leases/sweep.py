"""The sweep of a schedule: what a dead goal or a terminated lease left is found within minutes.

Not a goal: nobody asks for it, and a list of goals with one every ten minutes would tell people nothing.
"""

from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.step import Step
    from workflows.execute import execute
    from workflows.leases.goals import ReconcileLeasesInput, ReconcileLeasesResult
    from workflows.leases.lease import why_failed
    from workflows.leases.reconciling import KindUnseen, Reconciling

SWEEP_LEASES: Final = "SweepLeases"
_WITHIN: Final = timedelta(minutes=5)
"""The next sweep is soon: a provider that is away is not waited for."""


@workflow.defn(name=SWEEP_LEASES)
class SweepLeasesWorkflow:
    """One sweep. Strangers are told of in its result, and left alone."""

    @workflow.run
    async def run(self) -> ReconcileLeasesResult:
        """Look."""
        return await Reconciling(ReconcileLeasesInput(), ask=_ask, look=_look).run()


async def _ask(step: Step[Any, Any], request: BaseModel, summary: str) -> Any:
    return await execute(step, request, summary=summary, preset=step.preset.within(_WITHIN))


async def _look(step: Step[Any, Any], request: BaseModel, summary: str) -> Any:
    try:
        return await _ask(step, request, summary)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        raise KindUnseen(why_failed(error)) from error
