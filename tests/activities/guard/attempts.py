"""The attempt at a destructive step, as the guard begins it: for tests of steps without their whole guard."""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio import activity

from activities.guard.current_attempt import Attempts, CurrentAttempt, NotCurrent, begin
from activities.guard.error_types import policy_denied
from activities.guard.grant_use import GrantRecords, use_grant
from activities.guard.granted import GrantedRequest
from hitl.protocol import Denial, Effect, Refusal

Answer = TypeVar("Answer")


def times() -> dict[str, object]:
    """Of an activity that has just begun, for an `ActivityEnvironment`, whose own began in 1970."""
    now = datetime.now(UTC)
    return {"scheduled_time": now, "started_time": now, "start_to_close_timeout": timedelta(minutes=10)}


class Waited:
    """Says that each attempt is waited for, `until` so many questions were asked."""

    def __init__(self, *, until: int | None = None, ending: bool = False) -> None:
        self.until, self.ending = until, ending
        self.asked = 0

    async def require(self, info: activity.Info) -> None:
        self.asked += 1
        if self.until is not None and self.asked > self.until:
            raise NotCurrent(f"nobody waits for {info.activity_id!r}", ending=self.ending)


class Records:
    """Keeps what was written first."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def write_once(self, path: str, text: str) -> str:
        return self.kept.setdefault(path, text)

    async def written(self, path: str) -> str | None:
        return self.kept.get(path)


def admitted(
    step: Callable[[GrantedRequest], Awaitable[Answer]], records: GrantRecords, attempts: Attempts | None = None
) -> Callable[[GrantedRequest], Coroutine[Any, Any, Answer]]:
    """The step behind the use of its grant, and with an attempt that is waited for."""

    async def run(request: GrantedRequest) -> Answer:
        info = activity.info()
        attempt = CurrentAttempt(info, attempts or Waited())
        begin(attempt)
        use = await use_grant(records, info, request)
        if isinstance(use, Refusal):
            raise policy_denied(
                Denial(
                    reason=use.reason,
                    action=info.activity_type,
                    effect=Effect.DESTRUCTIVE,
                    environment="live",
                    explanation=use.explanation,
                )
            )
        attempt.use = use
        return await step(request)

    return run
