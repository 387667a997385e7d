"""What runs by itself, now and then, as schedules of Temporal's: our sweeps. Repositories' own are the gateway's."""

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
from workflows.github.contracts import SWEEP_DELIVERIES
from workflows.github.scheduled_contracts import SWEEP_SCHEDULES
from workflows.leases.sweep import SWEEP_LEASES

SWEEP_SCHEDULE: Final = "banksman-sweep-leases"
REDELIVERY_SCHEDULE: Final = "banksman-redeliver-github"
SWEEP_EVERY: Final = timedelta(minutes=10)
HOLDING_SCHEDULE: Final = "banksman-hold-github-schedules"
HOLD_EVERY: Final = timedelta(hours=6)
_LONGEST: Final = timedelta(hours=1)


async def schedule_sweep(client: Client) -> bool:
    """Have leases swept every ten minutes, in this namespace. One that is there stays as its operator left it.

    Returns:
        Whether it was made.
    """
    return await _schedule(client, SWEEP_SCHEDULE, SWEEP_LEASES, "sweep-leases")


async def schedule_redelivery(client: Client) -> bool:
    """Have what GitHub could not deliver sent again, likewise.

    Returns:
        Whether it was made.
    """
    return await _schedule(client, REDELIVERY_SCHEDULE, SWEEP_DELIVERIES, "sweep-github-deliveries")


async def schedule_holding(client: Client) -> bool:
    """Have the schedules of repositories held against their files every six hours, likewise.

    Returns:
        Whether it was made.
    """
    return await _schedule(client, HOLDING_SCHEDULE, SWEEP_SCHEDULES, "sweep-github-schedules", every=HOLD_EVERY)


async def _schedule(
    client: Client, name: str, workflow: str, workflow_id: str, *, every: timedelta = SWEEP_EVERY
) -> bool:
    sweep = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow, id=workflow_id, task_queue=TaskQueue.GOALS, execution_timeout=_LONGEST
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        # What was missed while nothing ran needs one sweep, not one for each time.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=SWEEP_EVERY),
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(name, sweep)
        return True
    return False
