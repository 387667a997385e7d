"""Steps that update what repositories depend on."""

from collections.abc import Sequence

from activities.sandbox.updating import UpdateActivities, Ways
from workers.steps.sandbox import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    found = means.provision
    return (UpdateActivities(found.sandbox, Ways(found.updates, found.egress)),)
