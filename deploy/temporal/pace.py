"""The pace of a Temporal server of few shards and one process: how soon its workflows have what they do next."""

import json
from typing import Final

LOOKS_A_SECOND: Final = 1000
"""For each queue of a shard. Temporal's own limit is 20, since a cluster has hundreds of shards and one database. On a
server with one shard, as for development, every step of every goal would wait for the next twentieth of a second."""
TIMERS_AFTER: Final = "10ms"
"""How late a timer may be for its shard's sake. Temporal's own is a second, for clocks of many machines that differ: a
step that is tried again after a tenth of a second would wait for a whole one."""
SETTINGS: Final[dict[str, int | str]] = {
    **{f"history.{queue}ProcessorMaxPollRPS": LOOKS_A_SECOND for queue in ("transfer", "timer", "visibility")},
    "history.timerProcessorMaxTimeShift": TIMERS_AFTER,
    # Partitions spread a task queue over machines; on one, tasks are forwarded between them for nothing.
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}
"""In the names of Temporal's dynamic configuration; `deploy/compose/dynamicconfig.yml` says the same."""


def development_server_options() -> list[str]:
    """The settings as arguments of `temporal server start-dev`."""
    return [
        word for key, value in SETTINGS.items() for word in ("--dynamic-config-value", f"{key}={json.dumps(value)}")
    ]
