"""What stands before a destructive step beside phase and policy, in this order.

Its grant is verified; the attempt is the one that its goal waits for; the grant is used up. Only then may the step have
its credentials.
"""

from dataclasses import dataclass

from activities.guard.current_attempt import Attempts, CurrentAttempt, NotCurrent
from activities.guard.grant_use import GrantRecords, use_grant
from activities.guard.granted import GrantedRequest
from activities.guard.rules import Execution, GrantVerifier
from activities.guard.sequence_use import end_step
from hitl.protocol import Refusal, RefusalReason


@dataclass(frozen=True, kw_only=True)
class Safeguards:
    """Of one worker. A guard without them refuses every destructive step.

    Attributes:
        grants: Verifies grants.
        records: Keeps which of them were used.
        attempts: Says which attempts are waited for.
    """

    grants: GrantVerifier
    records: GrantRecords
    attempts: Attempts

    async def admit(self, execution: Execution, attempt: CurrentAttempt) -> Refusal | None:
        """Say why a step whose grant was verified may not begin, or None when it may.

        Raises:
            ConnectorError: It cannot be told now.
        """
        try:
            await attempt.require()
        except NotCurrent as stale:
            return Refusal(reason=RefusalReason.NOT_CURRENT, explanation=f"{execution.action!r} is not done: {stale}.")
        if execution.step is not None and execution.step.gives_up:
            return None
        use = await use_grant(self.records, execution.info, execution.request)
        if isinstance(use, Refusal):
            return use
        attempt.use = use
        return None

    async def ended(self, execution: Execution, answer: object) -> None:
        """Write down how a step of a plan of many ended: the next one may not begin before that.

        Raises:
            ConnectorError: It cannot be written now. The step is tried again, and reads what it did.
        """
        if isinstance(execution.request, GrantedRequest):
            await end_step(self.records, execution.info, execution.request, answer)
