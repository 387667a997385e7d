"""For whom the approvals of a goal wait, as its page tells it to whoever reads it."""

from hitl.console.access.visitors import Visitor
from hitl.console.inbox.awaited import Awaited, awaited
from hitl.console.ports import Approvals, ShownGoal
from hitl.gateway.decisions import PolicyInForce
from workflows.contracts import State


class Waiting:
    """Asks the approvals.

    Args:
        approvals: Those on the server.
        policy: That in force.
    """

    def __init__(self, approvals: Approvals, policy: PolicyInForce) -> None:
        self._approvals = approvals
        self._policy = policy

    async def of(self, shown: ShownGoal, visitor: Visitor) -> dict[str, Awaited]:
        """Each of a goal's approvals that waits, by its id."""
        found: dict[str, Awaited] = {}
        for one in shown.approvals:
            asked = await self._approvals.show(one.id) if one.state == State.WAITING else None
            if asked is not None:
                policy = self._policy
                found[one.id] = awaited(asked.row, visitor, policy.current(), environment=policy.environment)
        return found
