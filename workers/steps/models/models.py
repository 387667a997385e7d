"""Steps that ask language models."""

from collections.abc import Sequence

from activities.models.asking import ModelActivities
from activities.models.budget import ModelBudget
from connectors.artifacts import ArtifactStore
from workers.steps.models import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    models, environment = means.models, means.settings.environment
    budget = ModelBudget(means.vault, models.models, environment=environment)
    artifacts = ArtifactStore(means.settings.artifacts)
    return (ModelActivities(means.vault, models, artifacts, budget=budget, environment=environment),)
