"""How goals and approvals ended, by Temporal's word: its lists are gone through a page at a time."""

from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final, get_args

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalState
from workflows.catalogue import GOALS
from workflows.contracts import STATE_ATTRIBUTE, GoalState, State
from workflows.standing import standing_of

WRONG: Final = frozenset({State.FAILED.value, State.UNKNOWN.value, State.PARTIALLY_APPLIED.value, "timed_out"})
"""Ends of goals that count as wrong, without anybody's opinion."""
_FROM_OUTSIDE: Final = ("terminated", "timed_out")
_GOAL_ENDS: Final = frozenset((*get_args(GoalState), *_FROM_OUTSIDE))
_APPROVAL_ENDS: Final = frozenset((*get_args(ApprovalState), State.RUNNING, State.FAILED, *_FROM_OUTSIDE))
_OTHER: Final = "other"
"""Whatever none of ours says: whoever reaches Temporal can write any word there."""
OVERRULED: Final = (State.REJECTED.value, State.CHANGES_REQUESTED.value)
_BY_PEOPLE: Final = frozenset({State.APPROVED.value, State.WITHDRAWN.value, *OVERRULED})
_TYPES: Final = ", ".join(f"'{goal.name}'" for goal in GOALS)
_DAY: Final = 86_400


@dataclass(kw_only=True)
class Ends:
    """The counts.

    Attributes:
        goals: Runs that ended, by outcome.
        by_goal: The same by goal and outcome.
        wrong: Runs that ended wrong, or that were called wrong.
        approvals: Asked for, by how they stand.
        asked: How many.
        parked_now: Goals that wait for somebody to mend something.
        kept_days: How long Temporal keeps what has ended.
    """

    goals: Counter[str] = field(default_factory=Counter[str])
    by_goal: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    wrong: int = 0
    approvals: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0
    parked_now: int = 0
    kept_days: float | None = None
    _decided: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def ended(self) -> int:
        """How many runs of goals ended."""
        return self.goals.total()

    @property
    def decided(self) -> int:
        """How many approvals people ended."""
        return len(self._decided)

    @property
    def median_seconds(self) -> float | None:
        """From the question to the end that people gave it; None where they gave none."""
        return median(self._decided) if self._decided else None

    def take_goal(self, found: WorkflowExecution, called_wrong: Collection[str]) -> None:
        """One goal that ended."""
        outcome = _one_of(_GOAL_ENDS, standing_of(found))
        self.goals[outcome] += 1
        self.by_goal[found.workflow_type, outcome] += 1
        self.wrong += outcome in WRONG or found.run_id in called_wrong

    def take_approval(self, found: WorkflowExecution) -> None:
        """One approval, that a goal asked for."""
        if not found.parent_id:
            return  # started by hand: it approves nothing
        self.asked += 1
        outcome = _one_of(_APPROVAL_ENDS, standing_of(found))
        outcome = State.WAITING.value if outcome == State.RUNNING else outcome  # before its first task
        self.approvals[outcome] += 1
        if outcome in _BY_PEOPLE and found.close_time is not None:
            self._decided.append((found.close_time - found.start_time).total_seconds())


async def read_ends(client: Client, *, begin: datetime | None, called_wrong: Collection[str]) -> Ends:
    """All that ended since then.

    Args:
        client: Of the environment's Temporal.
        begin: From when on; None for as long as Temporal keeps.
        called_wrong: Run ids.

    Raises:
        RPCError: Temporal does not answer.
    """
    ends = Ends(kept_days=await _kept_days(client))
    since = f" AND CloseTime >= '{begin.isoformat()}'" if begin else ""
    async for one in client.list_workflows(f"WorkflowType IN ({_TYPES}) AND ExecutionStatus != 'Running'{since}"):
        if one.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
            ends.take_goal(one, called_wrong)
    since = f" AND StartTime >= '{begin.isoformat()}'" if begin else ""
    async for one in client.list_workflows(f"WorkflowType = '{APPROVAL_WORKFLOW}'{since}"):
        if one.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
            ends.take_approval(one)
    parked = f"{STATE_ATTRIBUTE.name} = '{State.PARKED}' AND ExecutionStatus = 'Running'"
    ends.parked_now = (await client.count_workflows(f"WorkflowType IN ({_TYPES}) AND {parked}")).count
    return ends


def _one_of(known: Collection[str], word: str) -> str:
    return word if word in known else _OTHER


async def _kept_days(client: Client) -> float | None:
    answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    seconds = answer.config.workflow_execution_retention_ttl.ToTimedelta().total_seconds()
    return seconds / _DAY if seconds else None
