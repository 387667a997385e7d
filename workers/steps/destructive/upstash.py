"""Steps that buy and delete at Upstash."""

from collections.abc import Sequence

from activities.upstash.databases import UpstashGrantedDatabases, seller
from connectors.upstash.manifest import UPSTASH
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (UpstashGrantedDatabases(seller(means.settings.url_of(UPSTASH)), means.secrets),)
