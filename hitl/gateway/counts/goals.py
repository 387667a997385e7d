"""Goals that are not over, by where they stand, and parked ones by name."""

from typing import Final

from prometheus_client import Gauge

from hitl.gateway.server import Server, quoted
from observability import names
from workflows.catalogue import GOALS
from workflows.contracts import STATE_ATTRIBUTE, State

GOAL_TYPES: Final = f"WorkflowType IN ({', '.join(quoted(goal.name) for goal in GOALS)})"
_SHOWN: Final = (State.RUNNING, State.WAITING, State.PARKED)
_MOST_LISTED: Final = 1000
_OPEN: Final = Gauge(names.METRIC_GOALS_OPEN, "Goals that are not over, by where they stand.", ("state",))
_PARKED: Final = Gauge(names.METRIC_GOALS_PARKED, "Parked goals, by name; of a thousand at most.", ("goal",))


class GoalCounts:
    """Counts goals that are not over.

    Args:
        server: Temporal.
    """

    def __init__(self, server: Server) -> None:
        self._client = server.client

    async def count(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached.
        """
        for state in _SHOWN:
            _OPEN.labels(state=state.value).set((await self._client.count_workflows(_standing(state))).count)
        parked = dict.fromkeys((goal.name for goal in GOALS), 0)
        async for one in self._client.list_workflows(_standing(State.PARKED), limit=_MOST_LISTED):
            parked[one.workflow_type] += 1
        for name, times in parked.items():
            _PARKED.labels(goal=name).set(times)


def _standing(state: State) -> str:
    return f"{GOAL_TYPES} AND ExecutionStatus = 'Running' AND {STATE_ATTRIBUTE.name} = '{state}'"
