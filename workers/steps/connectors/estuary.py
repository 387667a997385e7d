"""Steps that read and publish at Estuary."""

from collections.abc import Sequence

from activities.estuary.flows import FlowActivities
from connectors.estuary.manifest import ESTUARY
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (FlowActivities(means.vault, base_url=means.settings.url_of(ESTUARY)),)
