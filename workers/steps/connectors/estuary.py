"""Steps that read and publish at Estuary."""

from collections.abc import Sequence

from activities.estuary.copying import EstuaryCopying
from activities.estuary.flows import FlowActivities
from connectors.artifacts import ArtifactStore
from connectors.estuary.manifest import ESTUARY
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    url = means.settings.url_of(ESTUARY)
    return (
        FlowActivities(means.vault, base_url=url),
        EstuaryCopying(means.vault, artifacts=ArtifactStore(means.settings.artifacts), base_url=url),
    )
