"""Steps that read at Upstash."""

from collections.abc import Sequence

from activities.upstash.looking import UpstashActivities
from connectors.upstash.manifest import UPSTASH
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (UpstashActivities(means.vault, base_url=means.settings.url_of(UPSTASH)),)
