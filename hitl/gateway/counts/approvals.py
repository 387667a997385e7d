"""Approvals that wait: how many, since when, and which are past the moment at which people are reminded."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final

import structlog
from prometheus_client import Gauge
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from hitl.approval.approvers import Path
from hitl.approval.plan import Risk
from hitl.gateway.rule_changes import WAITING
from hitl.gateway.server import Server
from observability import names

_LABELS: Final = ("risk", "path")
_WAITING: Final = Gauge(names.METRIC_APPROVALS_WAITING, "Approvals that wait for people.", _LABELS)
_OVERDUE: Final = Gauge(
    names.METRIC_APPROVALS_OVERDUE,
    "Of these, the ones past their reminder; without one, past half of their time.",
    _LABELS,
)
_OLDEST: Final = Gauge(
    names.METRIC_APPROVAL_OLDEST, "Seconds that the oldest of them waits; 0 where none does.", _LABELS
)
_log = structlog.get_logger("banksman.gateway")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What never changes about an approval.

    Attributes:
        risk: As its plan says.
        path: Of the policy, on which it was asked for.
        patience: After that long without an end it is overdue.
    """

    risk: Risk
    path: Path
    patience: timedelta

    @property
    def labels(self) -> dict[str, str]:
        """For metrics."""
        return {"risk": self.risk.value, "path": self.path.value}


class ApprovalFacts:
    """Reads the first event of each approval once.

    Args:
        server: Temporal.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known: dict[str, Facts | None] = {}

    async def of(self, found: WorkflowExecution) -> Facts | None:
        """What is known of an approval that the server lists; None where no goal asked for it, or none can read it.

        Raises:
            RPCError: The server cannot be reached.
        """
        if found.run_id not in self._known:
            self._known[found.run_id] = await self._read(found) if found.parent_id else None
        return self._known[found.run_id]

    def forget(self, found: WorkflowExecution) -> None:
        """It is over, and was counted."""
        self._known.pop(found.run_id, None)

    async def _read(self, found: WorkflowExecution) -> Facts | None:
        try:
            request, plan = await self._server.asked(found.id, found.run_id)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        except Exception as error:  # noqa: BLE001 - anybody can start anything: one must not keep the others uncounted
            _log.warning("an approval is not counted: it cannot be read", workflow_id=found.id, why=str(error))
            return None
        rule = request.rule
        return Facts(risk=plan.risk, path=rule.path, patience=rule.remind_after or rule.approve_within / 2)


class WaitingCounts:
    """Counts approvals that wait.

    Args:
        server: Temporal.
        facts: Of approvals.
    """

    def __init__(self, server: Server, facts: ApprovalFacts) -> None:
        self._server, self._facts = server, facts

    async def count(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached.
        """
        now = datetime.now(UTC)
        waiting = [
            (facts, now - one.start_time)
            async for one in self._server.client.list_workflows(WAITING)
            if (facts := await self._facts.of(one)) is not None
        ]
        for risk, path in product(Risk, Path):
            _show([(one, age) for one, age in waiting if (one.risk, one.path) == (risk, path)], risk, path)


def _show(waiting: list[tuple[Facts, timedelta]], risk: Risk, path: Path) -> None:
    labels = {"risk": risk.value, "path": path.value}
    _WAITING.labels(**labels).set(len(waiting))
    _OVERDUE.labels(**labels).set(sum(age >= facts.patience for facts, age in waiting))
    _OLDEST.labels(**labels).set(max((age.total_seconds() for _, age in waiting), default=0.0))
