"""What implements the steps about surprises."""

from typing import Final

from prometheus_client import Counter

from activities.approvals.surprise_contracts import (
    ALLOW_SURPRISE,
    REPORT_SURPRISE,
    AllowSurpriseParameters,
    ReportSurprise,
    SurpriseAllowed,
    SurpriseReported,
)
from activities.guard.granted import GrantedRequest
from activities.step import implements
from observability import names
from observability.exemplars import exemplar

_SURPRISES: Final = Counter(
    names.METRIC_SURPRISES,
    "Effects that a goal was about to have and its rehearsal did not list, by step.",
    ("action",),
)


class SurpriseReports:
    """Counts surprises; the guard's audit log says of which goal each was."""

    @implements(REPORT_SURPRISE)
    async def report_surprise(self, request: ReportSurprise) -> SurpriseReported:
        """Count them. One that is reported twice, after a lost answer, counts twice."""
        for one in request.effects:
            _SURPRISES.labels(action=one.action).inc(exemplar=exemplar())
        return SurpriseReported()


class SurpriseGrants:
    """Lets a surprise be, where the guard has let this step run: nothing else is left to do."""

    @implements(ALLOW_SURPRISE)
    async def allow_surprise(self, request: GrantedRequest) -> SurpriseAllowed:
        """Say that people allow it.

        Raises:
            PlanError: The plan is about something else.
        """
        request.approved().parameters_as(AllowSurpriseParameters)
        return SurpriseAllowed()
