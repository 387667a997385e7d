"""The step that says by the policy whether something may be lost of which no snapshot is made: silence is no.

It is judged as what destroys is, for that is what it lets happen: an ordinary write needs no rule that names it.
"""

from activities.approvals.waiving_contracts import WAIVE_SNAPSHOT, SnapshotWaived, WaiveSnapshot
from activities.guard.error_types import policy_denied
from activities.guard.policy_source import PolicySource
from activities.step import implements
from hitl.policy.rules import Deny, evaluate
from hitl.protocol import Denial, Effect


class SnapshotWaiving:
    """The step, with the policy that it reads."""

    def __init__(self, policy: PolicySource) -> None:
        self._policy = policy

    @implements(WAIVE_SNAPSHOT)
    async def waive_snapshot(self, request: WaiveSnapshot) -> SnapshotWaived:
        """Answer where a rule lets it; whoever reads the audit log finds who asked for what.

        Raises:
            ApplicationError: `PolicyDenied`: no rule does.
            PolicyError: The policy file cannot be read now.
        """
        policy, environment = self._policy.current(), self._policy.environment
        action, effect, context = WAIVE_SNAPSHOT.name, Effect.DESTRUCTIVE, request.policy_context()
        verdict = evaluate(policy, environment, action=action, effect=effect, context=context)
        if isinstance(verdict, Deny):
            raise policy_denied(
                Denial(
                    reason=verdict.reason,
                    action=action,
                    effect=effect,
                    environment=environment,
                    phase=policy.environments[environment].phase,
                    explanation=verdict.explanation,
                )
            )
        return SnapshotWaived()
