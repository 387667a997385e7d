"""How often and how long a step is tried. Every call of an activity names one of these presets.

Steps are retried by Temporal alone; what may be retried at all is decided where the error is mapped
(`activities/guard/errors.py`). The heartbeat is sent by an interceptor, so that a step whose worker was killed is given
to another one within seconds and not after the whole start-to-close time.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Timeouts and retries of one kind of step.

    Attributes:
        start_to_close: One attempt may take this long.
        schedule_to_close: All attempts together; after it the goal is parked for a person.
        heartbeat: A worker that was silent for this long is taken for dead.
        retry: Back-off between attempts; a provider's `Retry-After` goes before it.
        cancellation: Whether a cancelled goal waits until the step has stopped; by default it does not.
    """

    start_to_close: timedelta
    schedule_to_close: timedelta
    heartbeat: timedelta
    retry: RetryPolicy
    cancellation: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL

    def ending_first(self) -> Self:
        """The same, for a goal that waits until the step has ended before it is cancelled."""
        return replace(self, cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)

    def within(self, time: timedelta) -> Self:
        """The same, where all attempts together may take no longer than this."""
        return replace(self, schedule_to_close=time)


_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=4)


def pause_of_parked(times: int) -> timedelta:
    """How long a parked goal waits for a person before it tries by itself; longer each time.

    Args:
        times: How often it has parked at this step before.
    """
    return min(_FIRST_PAUSE * 2 ** min(times, 10), _LONGEST_PAUSE)


RUN_SLACK: Final = timedelta(minutes=3)
"""What a run may take beyond the command's own time: an image's first start, files in, artifacts out."""


def run_preset(command: timedelta, *, stops_first: bool) -> Preset:
    """For a command in the sandbox that may take this long. Three sandboxes may fail it; then the goal is parked.

    Args:
        command: The command's own time.
        stops_first: Whether a cancelled goal waits until the command has stopped.
    """
    preset = Preset(
        start_to_close=command + RUN_SLACK,
        schedule_to_close=timedelta(hours=12),
        heartbeat=timedelta(seconds=20),
        retry=RetryPolicy(
            initial_interval=timedelta(seconds=2),
            backoff_coefficient=4,
            maximum_interval=timedelta(minutes=1),
            maximum_attempts=3,
        ),
    )
    return preset.ending_first() if stops_first else preset


READ: Final = Preset(
    start_to_close=timedelta(seconds=60),
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=6),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=20)
    ),
)
"""Reading is safe to repeat: it waits out a sealed Vault or a provider's bad night, then asks a person."""

WRITE: Final = Preset(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=6),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=20)
    ),
)
"""A step that writes finds what an earlier attempt made, by its key: it is as safe to repeat as reading."""

NOTIFY: Final = Preset(
    start_to_close=timedelta(seconds=30),
    schedule_to_close=timedelta(days=30),
    heartbeat=timedelta(seconds=30),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
    ),
)
"""A message to people: tried until it is told, while nothing waits for it."""

ASK_MODEL: Final = Preset(
    start_to_close=timedelta(minutes=10),
    schedule_to_close=timedelta(hours=1),
    heartbeat=timedelta(seconds=10),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=2),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=4,
    ),
)
"""A request to a language model. Each attempt may cost something; after them, another model is another step."""

DESTROY: Final = Preset(
    start_to_close=timedelta(minutes=5),
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=6),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=20)
    ),
)
"""A destructive step reads before it acts again, and the guard ends it when its grant has. A cancelled goal waits until
it has ended; one that began before it did so does not."""

REHEARSE: Final = Preset(
    start_to_close=timedelta(minutes=75),
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=10),
    retry=RetryPolicy(maximum_attempts=1),
    cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""A migration of a copy: another try begins with another copy, and with sealing its login."""

MIGRATE: Final = Preset(
    start_to_close=timedelta(minutes=75),
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=10),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
    ),
    cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""A migration: another attempt looks first at what the one before did."""

_ONE_STACK: Final = timedelta(hours=2)

LOOK_AT_STACK: Final = Preset(
    start_to_close=_ONE_STACK,
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=10),
    retry=RetryPolicy(maximum_attempts=1),
    cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""A look at a stack: its credentials open once, so that another try begins with sealing them anew. The stack is given
back only when Pulumi has stopped."""

CHANGE_STACK: Final = Preset(
    start_to_close=_ONE_STACK,
    schedule_to_close=timedelta(hours=12),
    heartbeat=timedelta(seconds=10),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=1)
    ),
    cancellation=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""A change of a stack: another attempt reads what the first one did, and never does it again."""
