"""Steps that read the deployment's policy for approvals."""

from collections.abc import Sequence

from activities.approvals.rules import ApprovalRuleActivities
from activities.approvals.surprises import SurpriseReports
from activities.approvals.waiving import SnapshotWaiving
from activities.guard.policy_source import PolicySource
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    settings = means.settings
    policy = PolicySource(settings.policy, environment=settings.environment)
    return (ApprovalRuleActivities(policy), SnapshotWaiving(policy), SurpriseReports())
