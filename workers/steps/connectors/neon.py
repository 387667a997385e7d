"""Steps that read at Neon, and that make branches and logins there."""

from collections.abc import Sequence

from activities.neon.copying import NeonCopying
from activities.neon.ending import NeonEnding
from activities.neon.logins.issuing import NeonIssuing
from activities.neon.logins.opening import NeonOpening
from activities.neon.looking import NeonLooking
from activities.neon.making import NeonMaking
from activities.neon.migrations.looking import NeonSchemas
from activities.neon.migrations.sealing import NeonSealing
from connectors.artifacts import ArtifactStore
from connectors.neon.manifest import NEON
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    url = means.settings.url_of(NEON)
    return (
        NeonLooking(means.vault, base_url=url),
        NeonCopying(means.vault, artifacts=ArtifactStore(means.settings.artifacts), base_url=url),
        NeonMaking(means.vault, base_url=url),
        NeonEnding(means.vault, base_url=url),
        NeonOpening(means.vault, base_url=url),
        NeonIssuing(means.vault, base_url=url),
        NeonSchemas(means.vault, base_url=url),
        NeonSealing(means.vault),
    )
