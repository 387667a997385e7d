"""A change at Redis Cloud is a task: it is asked for, processed when those before it are done, and then there or not.

One task of an account is processed at a time, and none can be called back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Final

from connectors.errors import (
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    Locked,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.http import Call, Session
from connectors.rediscloud.models import Task
from connectors.rediscloud.operations import GET_TASK

Sleep = Callable[[float], Awaitable[None]]

_COMPLETED: Final = "processing-completed"
_FAILED: Final = "processing-error"
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_LONGEST: Final = 200.0
"""Seconds: less than a step that writes may take."""
_NOT_YET_SHOWN: Final = 5
"""So many 404s of a task that was just taken are ordinary."""

_MEANINGS: Final[dict[str, type[ConnectorError]]] = {
    "UNAUTHORIZED": Forbidden,
    "*_PENDING*": Locked,
    "TOO_MANY_PENDING_*": Locked,
    "*_NOT_ACTIVE": Locked,
    "*_ALREADY_EXISTS*": Conflict,
    "*_NAME_EXISTS": Conflict,
    "*_DUPLICATE": Conflict,
    "*_NOT_FOUND": NotFound,
    "*_DOES_NOT_EXISTS": NotFound,
    "*_EXCEEDED": QuotaExhausted,
    "*_EXCEEDS_*LIMIT": QuotaExhausted,
    "*_OVER_LIMIT": QuotaExhausted,
}


class Tasks:
    """Asks for changes, and waits for them.

    Args:
        session: Asks.
        sleep: Waits between two looks.
    """

    def __init__(self, session: Session, sleep: Sleep = asyncio.sleep) -> None:
        self._session, self._sleep = session, sleep

    async def done(self, call: Call[Task]) -> Task:
        """Ask for a change, and wait until it is processed; what it is about may still be provisioned then.

        Raises:
            OutcomeUnknown: It was taken, and cannot be repeated, and nobody can tell what became of it in time.
            Unavailable: The same of one that can be repeated.
            ConnectorError: It did not happen.
        """
        task = await self._session.ask(call)
        pause, missed, ends = _FIRST_PAUSE, 0, time.monotonic() + _LONGEST
        why = "it is not processed yet"
        while time.monotonic() < ends:
            if task.status == _COMPLETED:
                return task
            if task.status == _FAILED:
                raise _failed(call, task)
            await self._sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
            try:
                asked = Call(GET_TASK, f"the task of {call.what}", path={"task": task.task_id})
                task = await self._session.ask(asked)
            except NotFound as error:
                missed += 1
                if missed > _NOT_YET_SHOWN:
                    why = str(error)
                    break
            except (Unavailable, RateLimited) as error:
                why = str(error)
                if error.retry_after is not None:
                    await self._sleep(min(error.retry_after.total_seconds(), _LONGEST))
            except ConnectorError as error:
                why = str(error)
                break
        kind = Unavailable if call.operation.repeatable else OutcomeUnknown
        raise kind(f"Redis Cloud took {call.what}, and nobody can tell what became of it (task {task.task_id}): {why}")


def _failed(call: Call[Task], task: Task) -> ConnectorError:
    code = (task.response.error if task.response else None) or "no code"
    kind = next((found for pattern, found in _MEANINGS.items() if fnmatchcase(code, pattern)), InvalidRequest)
    return kind(f"Redis Cloud could not do {call.what} ({code}): see task {task.task_id} in its console", code=code)
