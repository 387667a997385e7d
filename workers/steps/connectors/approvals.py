"""Steps that read the deployment's policy for approvals."""

from collections.abc import Sequence

from activities.approvals.rules import ApprovalRuleActivities
from activities.guard.policy_source import PolicySource
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    settings = means.settings
    return (ApprovalRuleActivities(PolicySource(settings.policy, environment=settings.environment)),)
