"""Workers of steps: whatever the role, every step is behind the guard."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Worker

from activities.guard.audit import AuditLog
from activities.guard.budgets import Budgets
from activities.guard.interceptor import GuardInterceptor
from activities.guard.pages import BookRecords
from activities.guard.policy_source import PolicySource
from activities.guard.rules import OwnRules
from activities.guard.safeguards import Safeguards
from activities.guard.who_asked import Requesters
from activities.heartbeat import HeartbeatInterceptor
from activities.queues import TaskQueue
from activities.step import DESTRUCTIVE_EFFECTS, ORDINARY_EFFECTS, require_declared
from workers.settings import Role, Settings

GRACE: Final = timedelta(seconds=20)
"""What steps under way have when a worker is told to end."""

HEARS_WITHIN: Final = timedelta(seconds=1)
"""How soon a step that holds something to be stopped hears that its goal was cancelled."""

_MAY_BE_LATE: Final = timedelta(minutes=1)
_STOPPABLE: Final = frozenset({Role.SANDBOX, Role.DESTRUCTIVE, Role.MODELS})
QUEUES: Final = {
    Role.CONNECTORS: (TaskQueue.CONNECTORS,),
    Role.SANDBOX: (TaskQueue.SANDBOX,),
    Role.DESTRUCTIVE: (TaskQueue.DESTRUCTIVE,),
    Role.GATEWAY: (TaskQueue.HITL, TaskQueue.POSTS, TaskQueue.FOLLOWS),
    Role.MODELS: (TaskQueue.MODELS,),
}
"""Those that the workers of each role take, its own first."""


def guarded_worker(  # noqa: PLR0913 - what tells the roles apart
    client: Client,
    settings: Settings,
    role: Role,
    steps: Sequence[Callable[..., Any]],
    *,
    queue: TaskQueue | None = None,
    at_once: int | None = None,
    a_second: float | None = None,
    safeguards: Safeguards | None = None,
    book: BookRecords | None = None,
    own: OwnRules | None = None,
    requesters: Requesters | None = None,
) -> Worker:
    """A worker of this role, with every step behind the guard; one with safeguards runs destructive steps.

    Args:
        client: Of Temporal.
        settings: Of this process.
        role: Whose steps they are.
        steps: All of them.
        queue: Another than the role's own.
        at_once: How many steps run at once, in this process.
        a_second: How many the queue hands out in a second, to all its workers together.
        safeguards: Of destructive steps.
        book: Keeps what steps cost, in roles whose steps may cost something.
        own: What the role's own file forbids beside the policy.
        requesters: Tells who asked for a goal, in roles whose steps are on its account.
    """
    effects = ORDINARY_EFFECTS if safeguards is None else DESTRUCTIVE_EFFECTS
    require_declared(steps, role=role, effects=effects, queues=frozenset(QUEUES[role]))
    guard = GuardInterceptor(
        PolicySource(settings.policy, environment=settings.environment),
        AuditLog(settings.audit_dir / f"{role}.jsonl"),
        role=role,
        effects=effects,
        safeguards=safeguards,
        budgets=Budgets(book, environment=settings.environment) if book is not None else None,
        own=own,
        requesters=requesters,
    )
    within = HEARS_WITHIN if role in _STOPPABLE else _MAY_BE_LATE
    return Worker(
        client,
        task_queue=queue or QUEUES[role][0],
        activities=steps,
        interceptors=[guard, HeartbeatInterceptor(at_least_every=within)],
        max_heartbeat_throttle_interval=within,
        graceful_shutdown_timeout=GRACE,
        max_concurrent_activities=at_once,
        max_task_queue_activities_per_second=a_second,
    )
