"""Steps around a model that changes code."""

from collections.abc import Sequence

from activities.coding.updates import UpdateGate
from activities.coding.working import CodingActivities
from connectors.artifacts import ArtifactStore
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    artifacts = ArtifactStore(means.settings.artifacts)
    return CodingActivities(artifacts), UpdateGate(artifacts)
