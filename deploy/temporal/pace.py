"""How often a Temporal server of few shards may look for what its workflows have to do next."""

from typing import Final

LOOKS_A_SECOND: Final = 1000
"""For each queue of a shard. Temporal's own limit is 20, since a cluster has hundreds of shards and one database. On a
server with one shard, as for development, every step of every goal would wait for the next twentieth of a second."""
SETTINGS: Final = {
    f"history.{queue}ProcessorMaxPollRPS": LOOKS_A_SECOND for queue in ("transfer", "timer", "visibility")
}
"""In the names of Temporal's dynamic configuration; `deploy/compose/dynamicconfig.yml` says the same."""


def development_server_options() -> list[str]:
    """The settings as arguments of `temporal server start-dev`."""
    return [word for key, value in SETTINGS.items() for word in ("--dynamic-config-value", f"{key}={value}")]
