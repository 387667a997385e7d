"""Steps that ask language models."""

from collections.abc import Sequence

from activities.models.asking import ModelActivities
from connectors.artifacts import ArtifactStore
from workers.steps.models import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (ModelActivities(means.vault, means.models, ArtifactStore(means.settings.artifacts)),)
