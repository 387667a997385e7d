"""Steps that delete and migrate at Neon."""

from collections.abc import Sequence

from activities.neon.deleting import NeonDestruction
from activities.neon.migrations.destruction import NeonMigrations
from connectors.neon.manifest import NEON
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    url = means.settings.url_of(NEON)
    return (
        NeonDestruction(means.secrets, base_url=url),
        NeonMigrations(means.tokens, means.engine, base_url=url),
    )
