"""The step that seals what a look at a stack needs."""

from collections.abc import Sequence

from activities.pulumi.credentials import StackCredentials
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (StackCredentials(means.vault),)
