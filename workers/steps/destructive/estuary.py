"""The step that deletes at Estuary."""

from collections.abc import Sequence

from activities.estuary.destruction import FlowDestruction
from connectors.estuary.manifest import ESTUARY
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (FlowDestruction(means.secrets, base_url=means.settings.url_of(ESTUARY)),)
