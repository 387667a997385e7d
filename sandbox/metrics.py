"""What is counted about runs; labels are closed sets."""

from typing import Final

from prometheus_client import Counter, Histogram

from observability.names import (
    METRIC_SANDBOX_CONNECTIONS,
    METRIC_SANDBOX_REAPED,
    METRIC_SANDBOX_RUNS,
    METRIC_SANDBOX_START_SECONDS,
)

RUNS: Final = Counter(METRIC_SANDBOX_RUNS, "Runs, by how they ended.", ["ended"])
START_SECONDS: Final = Histogram(METRIC_SANDBOX_START_SECONDS, "From the call to the command's start.", ["warm"])
CONNECTIONS: Final = Counter(METRIC_SANDBOX_CONNECTIONS, "Connections asked of the proxies.", ["allowed"])
REAPED: Final = Counter(METRIC_SANDBOX_REAPED, "What dead workers had left.", ["kind"])
