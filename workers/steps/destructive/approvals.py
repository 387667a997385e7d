"""The step that gives up what was approved."""

from collections.abc import Sequence

from activities.approvals.giving_up import GivingUp
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (GivingUp(means.records),)
