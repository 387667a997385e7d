"""Steps that read and create at Upstash."""

from collections.abc import Sequence

from activities.upstash.databases import UpstashDatabases, seller
from connectors.upstash.manifest import UPSTASH
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (UpstashDatabases(seller(means.settings.url_of(UPSTASH)), means.vault),)
