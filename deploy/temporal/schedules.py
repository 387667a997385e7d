"""What runs by itself, now and then: the sweep of leases, as a schedule of Temporal's."""

import contextlib
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from activities.queues import TaskQueue
from workflows.leases.sweep import SWEEP_LEASES

SWEEP_SCHEDULE: Final = "banksman-sweep-leases"
SWEEP_EVERY: Final = timedelta(minutes=10)
_LONGEST: Final = timedelta(hours=1)


async def schedule_sweep(client: Client) -> bool:
    """Have leases swept every ten minutes, in this namespace. One that is there stays as its operator left it.

    Returns:
        Whether it was made.
    """
    sweep = Schedule(
        action=ScheduleActionStartWorkflow(
            SWEEP_LEASES, id="sweep-leases", task_queue=TaskQueue.GOALS, execution_timeout=_LONGEST
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=SWEEP_EVERY)]),
        # What was missed while nothing ran needs one sweep, not one for each time.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=SWEEP_EVERY),
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(SWEEP_SCHEDULE, sweep)
        return True
    return False
