"""How long something took by two clocks, or by one that jumped."""

from datetime import datetime


def seconds_between(begins: datetime, ends: datetime) -> float:
    """Never less than nothing: a histogram's sum that shrinks is a restart to Prometheus."""
    return max(0.0, (ends - begins).total_seconds())
