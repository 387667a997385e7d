"""Steps that ask language models."""

from collections.abc import Sequence

from activities.models.asking import ModelActivities
from activities.models.budget import ModelBudget
from activities.models.decisions import DecisionBook
from activities.models.served import ServedModels
from activities.models.spending import SpendingActivities
from activities.models.transcripts import Transcripts
from activities.models.watching import ServingActivities
from connectors.artifacts import ArtifactStore, DatedStore
from connectors.vault import VaultSession
from workers.settings import Settings
from workers.steps.models import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    models, environment = means.models, means.settings.environment
    budget = ModelBudget(means.vault, models.models, environment=environment)
    artifacts = ArtifactStore(means.settings.artifacts)
    transcripts = transcripts_of(means.settings, means.vault)
    served = ServedModels(means.vault, environment=environment)
    asking = ModelActivities(means.vault, models, artifacts, transcripts, budget=budget, served=served)
    decisions = DecisionBook(means.vault, models.models, environment=environment)
    return (asking, ServingActivities(means.vault, models.models, served), decisions, SpendingActivities(budget))


def transcripts_of(settings: Settings, vault: VaultSession) -> Transcripts:
    """What was said to language models: beside the artifacts, and for this process alone to read."""
    store = DatedStore(settings.artifacts, "transcripts")
    return Transcripts(vault, store, environment=settings.environment, days=settings.transcript_days)
