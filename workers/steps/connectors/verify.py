"""Steps that look whether a service is healthy."""

from collections.abc import Sequence

from activities.verify.looking import VerifyActivities
from activities.verify.played import PlayedVerifyActivities
from connectors.probes.hosts import Hosts
from connectors.probes.pages import Pages
from connectors.probes.prometheus import Prometheus
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    settings = means.settings
    if settings.rehearsal:
        return (PlayedVerifyActivities(),)
    prometheus = Prometheus(settings.verify_prometheus) if settings.verify_prometheus else None
    return (VerifyActivities(Pages(Hosts(settings.verify_hosts)), prometheus),)
