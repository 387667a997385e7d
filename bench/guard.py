"""What the guard costs a step, in this process: a step that does nothing, with the guard around it and without.

The guard is the real one with the embedded environment's policy and an audit log on disk; its lines are written as a
worker writes them. Its announcement to the log is counted in: no step waits for it, and the event loop does.
"""

import asyncio
import io
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from pathlib import Path

from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.github.contracts import ReadFileRequest
from activities.guard.audit import AuditLog
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.step import Step, implements
from bench.ratios import percentile
from deploy.local.defaults import DEFAULT_POLICY, ENVIRONMENT
from hitl.protocol import Effect
from observability.logs import configure_logs


class GuardCost(BaseModel):
    """Milliseconds per step.

    Attributes:
        waits: What the step waits for: decision and audit event before it, audit event after it.
        busy: The same and the announcements: what the event loop is kept from other work.
    """

    steps: int
    waits_p50: float
    waits_p99: float
    busy_p50: float
    busy_p99: float


DO_NOTHING = Step(name="bench.do_nothing", request=ReadFileRequest, response=type(None), effect=Effect.READ)


class Steps:
    """A step without work."""

    @implements(DO_NOTHING)
    async def do_nothing(self, request: ReadFileRequest) -> None:
        """Nothing."""
        del request


class _Nothing(ActivityInboundInterceptor):
    """The end of the chain: calls the step."""

    def __init__(self) -> None:
        pass

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


async def guard_cost(steps: int) -> GuardCost:
    """Measure so many steps one after the other."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        # The handler keeps the stream that it was made with: the lines are formatted, and go nowhere.
        configure_logs("bench", level="info", log_format="json")
        audit = AuditLog(Path(folder) / "audit.jsonl")
        guard = GuardInterceptor(PolicySource(DEFAULT_POLICY, environment=ENVIRONMENT), audit, role="bench")
        end = _Nothing()
        guarded = guard.intercept_activity(end)
        await _timed(guarded.execute_activity, steps // 10)
        with_waits, with_busy = await _timed(guarded.execute_activity, steps)
        without, _ = await _timed(end.execute_activity, steps)
        audit.close()
    logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stderr)]
    nothing = percentile(without, 0.5)
    waits, busy = ([(value - nothing) * 1000 for value in values] for values in (with_waits, with_busy))
    return GuardCost(
        steps=steps,
        waits_p50=percentile(waits, 0.5),
        waits_p99=percentile(waits, 0.99),
        busy_p50=percentile(busy, 0.5),
        busy_p99=percentile(busy, 0.99),
    )


async def _timed(
    execute: Callable[[ExecuteActivityInput], Awaitable[object]], steps: int
) -> tuple[list[float], list[float]]:
    """Seconds that each step took, and seconds until the event loop was free again."""
    waits: list[float] = []
    busy: list[float] = []
    request = ReadFileRequest(repository="acme/shop", path="README.md")

    async def one() -> None:
        given = ExecuteActivityInput(fn=Steps().do_nothing, args=[request], executor=None, headers={})
        begun = time.perf_counter()
        await execute(given)
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(0)
        busy.append(time.perf_counter() - begun)

    for _ in range(steps):
        await ActivityEnvironment().run(one)
    return waits, busy
