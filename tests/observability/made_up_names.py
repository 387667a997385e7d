"""A process with a worker that is asked for workflows and steps of made-up names; run by test_labels.py.

Usage: made_up_names.py TEMPORAL_PROGRAM METRICS_FILE TIMES
"""

import asyncio
import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from deploy.ending import run_to_the_end
from observability.setup import TelemetrySettings, configure
from workers.temporal import registered_names

_SOON = timedelta(seconds=20)


@activity.defn(name="ours.look")
def look() -> None:
    """What is registered."""


@workflow.defn(name="Ours", sandboxed=False)
class OursWorkflow:
    @workflow.run
    async def run(self, wanted: str) -> None:
        await workflow.execute_activity("ours.look", start_to_close_timeout=_SOON)
        try:
            await workflow.execute_activity(
                wanted, start_to_close_timeout=_SOON, retry_policy=RetryPolicy(maximum_attempts=1)
            )
        except ActivityError:
            return


@workflow.defn(dynamic=True, sandboxed=False)
class AnythingWorkflow:
    @workflow.run
    async def run(self, _args: Sequence[RawValue]) -> None:
        raise ApplicationError("no such goal", type="NotFound", non_retryable=True)


async def main(temporal: str, metrics: Path, times: int) -> None:
    telemetry = configure("process-under-test", settings=TelemetrySettings(metrics_address="127.0.0.1:0"))
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal, dev_server_log_level="error", runtime=telemetry.runtime
    ) as environment:
        worker = Worker(
            environment.client,
            task_queue="q",
            workflows=[OursWorkflow, AnythingWorkflow],
            activities=[look],
            activity_executor=ThreadPoolExecutor(2),
        )
        telemetry.registered.set(**registered_names([worker]))
        async with worker:
            for number in range(times):
                await _ask(environment.client, number)
            url = f"http://127.0.0.1:{telemetry.metrics_port}/metrics"
            metrics.write_bytes(await asyncio.to_thread(_read, url))
    telemetry.shutdown()


async def _ask(client: Client, number: int) -> None:
    await client.execute_workflow("Ours", f"made.up_{number}", id=f"step-{number}", task_queue="q")
    try:
        await client.execute_workflow(f"MadeUp{number}", id=f"goal-{number}", task_queue="q")
    except WorkflowFailureError:
        return


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        return answer.read()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
