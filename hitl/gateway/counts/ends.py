"""How goals and approvals ended, each run once: denied, rejected and expired apart from completed.

What ended while no gateway ran is not counted. The server's index is late at times, so each look goes back a little and
leaves out what it has counted already.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, get_args

from prometheus_client import Counter, Histogram
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from hitl.approval.approvers import Path
from hitl.approval.plan import Risk
from hitl.gateway.counts.approvals import ApprovalFacts
from hitl.gateway.counts.goals import GOAL_TYPES
from hitl.gateway.server import Server
from observability import names
from observability.durations import seconds_between
from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalOutcome
from workflows.catalogue import GOALS
from workflows.contracts import Outcome, State
from workflows.standing import standing_of

_BACK: Final = timedelta(minutes=5)
"""Looked at again each time."""
_FROM_OUTSIDE: Final = ("terminated", "timed_out")
_OTHER: Final = "other"
GOAL_ENDS: Final = (*get_args(Outcome), State.FAILED, State.CANCELLED, *_FROM_OUTSIDE, _OTHER)
"""Every value of the label `outcome` of goals. `other` is whatever none of ours says."""
APPROVAL_ENDS: Final = (*get_args(ApprovalOutcome), State.FAILED, *_FROM_OUTSIDE, _OTHER)
"""The same of approvals."""
_BY_PEOPLE: Final = frozenset({State.APPROVED, State.REJECTED, State.CHANGES_REQUESTED, State.WITHDRAWN})
_HOURS: Final = 3600.0
_GOALS: Final = Counter(names.METRIC_GOALS_ENDED, "Goals that ended, by how.", ("goal", "outcome"))
_APPROVALS: Final = Counter(names.METRIC_APPROVALS_ENDED, "Approvals that ended, by how.", ("outcome", "risk", "path"))
_DECIDED: Final = Histogram(
    names.METRIC_APPROVAL_DECIDED,
    "From the question to the end that people gave it.",
    ("risk", "path"),
    buckets=(60.0, 300.0, 900.0, _HOURS / 2, _HOURS, 4 * _HOURS, 8 * _HOURS, 24 * _HOURS, 72 * _HOURS, 168 * _HOURS),
)


class EndCounts:
    """Counts what has ended since it was made.

    Args:
        server: Temporal.
        facts: Of approvals.
    """

    def __init__(self, server: Server, facts: ApprovalFacts) -> None:
        self._server, self._facts = server, facts
        self._began = self._since = datetime.now(UTC)
        self._done: dict[str, datetime] = {}
        _begin_at_nothing()

    async def count(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached; what was counted by then is not counted again.
        """
        looked = datetime.now(UTC)
        async for one in self._ended():
            await self._count(one)
            self._done[one.run_id] = one.close_time or looked
        self._since = max(self._began, looked - _BACK)
        self._done = {run: at for run, at in self._done.items() if at > self._since}

    async def _ended(self) -> AsyncIterator[WorkflowExecution]:
        what = f"({GOAL_TYPES} OR WorkflowType = '{APPROVAL_WORKFLOW}')"
        query = f"{what} AND ExecutionStatus != 'Running' AND CloseTime > '{self._since.isoformat()}'"
        async for one in self._server.client.list_workflows(query):
            if one.run_id not in self._done and one.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
                yield one

    async def _count(self, ended: WorkflowExecution) -> None:
        outcome = standing_of(ended)
        if ended.workflow_type != APPROVAL_WORKFLOW:
            _GOALS.labels(goal=ended.workflow_type, outcome=outcome if outcome in GOAL_ENDS else _OTHER).inc()
            return
        facts = await self._facts.of(ended)
        self._facts.forget(ended)
        if facts is None:
            return
        _APPROVALS.labels(outcome=outcome if outcome in APPROVAL_ENDS else _OTHER, **facts.labels).inc()
        if outcome in _BY_PEOPLE and ended.close_time is not None:
            _DECIDED.labels(**facts.labels).observe(seconds_between(ended.start_time, ended.close_time))


def _begin_at_nothing() -> None:
    """Every series is there before the first one ends: an increase from nothing is none."""
    for goal, outcome in product(GOALS, GOAL_ENDS):
        _GOALS.labels(goal=goal.name, outcome=outcome)
    for risk, path in product(Risk, Path):
        _DECIDED.labels(risk=risk.value, path=path.value)
        for outcome in APPROVAL_ENDS:
            _APPROVALS.labels(outcome=outcome, risk=risk.value, path=path.value)
