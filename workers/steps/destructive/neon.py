"""Steps that delete at Neon."""

from collections.abc import Sequence

from activities.neon.deleting import NeonDestruction
from connectors.neon.manifest import NEON
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (NeonDestruction(means.secrets, base_url=means.settings.url_of(NEON)),)
