"""The steps of a session on a commit."""

from collections.abc import Sequence

from activities.sandbox.tools import SessionActivities
from workers.steps.sandbox import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    found = means.provision
    made = SessionActivities(
        found.sandbox,
        means.held,
        image=found.image,
        limits=found.limits,
        rules=means.tools,
        updates=found.updates,
    )
    return (made,)
