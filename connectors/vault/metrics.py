"""What Vault's part of a process counts."""

from collections.abc import Callable
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge

from observability.names import (
    METRIC_VAULT_ALARMS,
    METRIC_VAULT_STEP_TOKENS,
    METRIC_VAULT_TOKEN_RENEWALS,
    METRIC_VAULT_TOKEN_TTL,
)

TOKEN_RENEWALS: Final = Counter(METRIC_VAULT_TOKEN_RENEWALS, "Renewals of this process's token.", ["outcome"])
STEP_TOKENS: Final = Counter(METRIC_VAULT_STEP_TOKENS, "Step tokens, by what became of them.", ["outcome"])
ALARMS: Final = Counter(METRIC_VAULT_ALARMS, "Wrapped secrets that somebody else had opened or made.")


def publish_ttl(seconds: Callable[[], float]) -> None:
    """Show the seconds until this process's own token ends unless renewed; 0 once it is gone."""
    _token_ttl().set_function(seconds)


@cache
def _token_ttl() -> Gauge:
    # Made at the first login: a process without a token, such as a twin, must not look like one that lost its own.
    return Gauge(METRIC_VAULT_TOKEN_TTL, "Seconds until this process's Vault token ends unless renewed.")
