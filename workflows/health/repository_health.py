"""How one repository did: it keeps what is measured of it, and says so in its memo."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from workflows.health.contracts import HEALTH_MEMO, HEALTH_WORKFLOW, KEEP, HealthReport, HealthState, ReportKept
    from workflows.one_input import OneInput

_FORGOTTEN_AFTER: Final = timedelta(days=400)
"""A repository that nobody measures for longer is of no interest any more."""


@workflow.defn(name=HEALTH_WORKFLOW)
class RepositoryHealthWorkflow(OneInput):
    """It runs for as long as somebody measures the repository."""

    @workflow.init
    def __init__(self, state: HealthState) -> None:
        self._state = state
        self._news = False

    @workflow.run
    async def run(self, state: HealthState) -> HealthState:
        """What was known at its end."""
        del state
        while True:
            try:
                await workflow.wait_condition(lambda: self._news, timeout=_FORGOTTEN_AFTER)
            except TimeoutError:
                return self._state
            self._news = False
            await workflow.wait_condition(workflow.all_handlers_finished)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)

    @workflow.update(name=KEEP)
    def keep(self, report: HealthReport) -> ReportKept:
        """Keep a report, once; the answer is the one before it."""
        before = self._state.before(report.run)
        self._state = self._state.with_report(report)
        workflow.upsert_memo({HEALTH_MEMO: self._state.model_dump(mode="json")})
        self._news = True
        return ReportKept(before=before, kept=len(self._state.past))

    @keep.validator
    def _of_this_one(self, report: HealthReport) -> None:
        if report.repository.lower() != self._state.repository.lower():
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"this is how {self._state.repository!r} does, and the report is of {report.repository!r}",
            )

    @workflow.query
    def state(self) -> HealthState:
        """What is known."""
        return self._state
