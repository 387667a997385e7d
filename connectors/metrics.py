"""What a process counts of its requests to providers."""

from typing import Final

from prometheus_client import Counter, Histogram

from observability.names import METRIC_PROVIDER_REQUESTS, METRIC_PROVIDER_SECONDS, METRIC_PROVIDER_TURN_SECONDS

REQUESTS: Final = Counter(
    METRIC_PROVIDER_REQUESTS, "Requests to a provider, by what became of them.", ["provider", "outcome"]
)
SECONDS: Final = Histogram(METRIC_PROVIDER_SECONDS, "Seconds that one request to a provider took.", ["provider"])
TURN_SECONDS: Final = Histogram(
    METRIC_PROVIDER_TURN_SECONDS, "Seconds that a request waited for its account's turn, or in vain.", ["provider"]
)
