"""The step that runs on people's grant for a plan of goals, and does nothing else."""

from collections.abc import Sequence

from activities.agent.running import PlanGrants
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    del means
    return (PlanGrants(),)
