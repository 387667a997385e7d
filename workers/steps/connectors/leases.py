"""Steps that look at leases."""

from collections.abc import Sequence

from activities.leases.kinds import kinds
from activities.leases.looking import LeaseActivities
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    del means
    return (LeaseActivities(kinds()),)
