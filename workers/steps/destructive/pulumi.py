"""Steps that change stacks."""

from collections.abc import Sequence

from activities.pulumi.destruction import StackDestruction
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (StackDestruction(means.stacks, means.secrets),)
