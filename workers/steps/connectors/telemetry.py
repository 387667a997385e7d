"""Steps that look at log lines and numbers."""

from collections.abc import Sequence

from activities.telemetry.looking import TelemetryActivities
from connectors.artifacts import ArtifactStore
from connectors.telemetry.loki import Loki
from connectors.telemetry.prometheus import PrometheusRange
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    settings = means.settings
    loki = Loki(settings.telemetry_loki) if settings.telemetry_loki else None
    prometheus = PrometheusRange(settings.telemetry_prometheus) if settings.telemetry_prometheus else None
    return (TelemetryActivities(ArtifactStore(settings.artifacts), loki=loki, prometheus=prometheus),)
