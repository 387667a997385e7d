"""Steps on what was approved itself: giving it up, and letting a goal go on with a surprise."""

from collections.abc import Sequence

from activities.approvals.giving_up import GivingUp
from activities.approvals.surprises import SurpriseGrants
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (GivingUp(means.records), SurpriseGrants())
