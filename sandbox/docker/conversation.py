"""One order to one container, from handing it over to what came out."""

import asyncio
import time
from typing import Final

from observability.exemplars import exemplar
from sandbox.docker.collecting import Collector, how_it_ended, state_of
from sandbox.docker.container import Container
from sandbox.docker.engine import Engine
from sandbox.errors import SandboxUnavailable
from sandbox.metrics import RUNS, START_SECONDS
from sandbox.result import RunResult, Usage
from sandbox.spec import MIB, RunSpec
from sandbox.wire import Order

SLACK_SECONDS: Final = 15
"""What the first process may take beyond the command's time before the engine kills it."""
_BYTES_PER_SECOND: Final = 8 * MIB
"""The slowest that files may go in and artifacts out, the store included."""


def lifetime(spec: RunSpec) -> float:
    """Seconds after which the first process must have said its last word."""
    limits = spec.limits
    carried = (limits.workspace_bytes if spec.files or spec.inputs else 0) + (
        limits.artifact_bytes if spec.artifacts else 0
    )
    return limits.wall_seconds + limits.grace_seconds + SLACK_SECONDS + carried / _BYTES_PER_SECOND


async def converse(  # noqa: PLR0913 - the two last are named
    engine: Engine, container: Container, order: Order, collector: Collector, *, within: float, follows: bool = False
) -> bool:
    """Hand the order over and read to the end; whether the whole container died for lack of memory.

    Args:
        engine: Where the container is.
        container: Whose first process waits for an order.
        order: Which.
        collector: Takes what it says.
        within: Seconds until its last word.
        follows: It has carried one out before, and stayed.

    Raises:
        SandboxUnavailable: It did not end in time, or ended without a word.
    """
    try:
        async with asyncio.timeout(within):
            await container.attachment.send(order, follows=follows)
            await collector.read(container.attachment)
    except TimeoutError as error:
        raise SandboxUnavailable("the first process did not end the command in time; it was killed") from error
    if collector.report is not None:
        return False
    died_of_memory, state = state_of(await engine.call(engine.api.inspect_container, container.id))
    if not died_of_memory:
        said = container.attachment.complaint[-200:]
        raise SandboxUnavailable(f"the container ended without a result: {state}, {said!r}")
    return True


def counted(result: RunResult) -> RunResult:
    """The same, in the metrics."""
    RUNS.labels(ended=result.ended).inc(exemplar=exemplar())
    START_SECONDS.labels(warm=str(result.usage.warm).lower()).observe(result.usage.start_seconds, exemplar())
    return result


def result_of(collector: Collector, died_of_memory: bool, times: tuple[float, float], *, warm: bool) -> RunResult:
    """What came of it.

    Args:
        collector: Has read to the end.
        died_of_memory: The whole container did.
        times: When it was asked for, and when the order was handed over, on the monotonic clock.
        warm: Whether the container was there before.
    """
    called, started = times
    total = time.monotonic() - called
    report = collector.report
    ended, code = how_it_ended(report) if report else ("out_of_memory", None)
    run_seconds = report.run_seconds if report else total
    return RunResult(
        exit_code=code,
        ended=ended,
        oom_seen=died_of_memory or (report is not None and report.oom_kills > 0),
        stdout=collector.output(b"O"),
        stderr=collector.output(b"E"),
        telemetry=collector.telemetry,
        artifacts=collector.artifacts,
        refused=collector.refused,
        usage=Usage(
            start_seconds=max(started - called, 0),
            run_seconds=run_seconds,
            total_seconds=total,
            cpu_seconds=report.cpu_seconds if report else 0,
            peak_memory_bytes=report.peak_memory if report and report.peak_memory >= 0 else None,
            warm=warm,
        ),
    )
