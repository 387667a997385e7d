"""Steps that look at stacks, and prepare and preview their programs."""

from collections.abc import Sequence

from activities.pulumi.looking import StackActivities
from workers.steps.sandbox import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (StackActivities(means.stacks, means.vault),)
