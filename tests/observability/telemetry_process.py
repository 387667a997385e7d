"""One process with everything on: a Temporal server, a worker, a web service.

Usage: telemetry_process.py OTLP_URL TEMPORAL_PROGRAM METRICS_FILE

Telemetry is set up once per process, so the tests run this one beside themselves.
"""

import asyncio
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from traced_goal import FetchWorkflow, fetch

from deploy.ending import run_to_the_end
from observability.setup import Telemetry, TelemetrySettings, configure, instrument_app

WORKFLOW_ID = "fetch/acme/shop"


def _served() -> Starlette:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers.get("traceparent", "no trace"))

    app = Starlette(routes=[Route("/", answer)])
    instrument_app(app)
    return app


async def main(otlp: str, temporal: str, metrics: Path) -> None:
    settings = TelemetrySettings(otlp_endpoint=otlp, metrics_address="127.0.0.1:0")
    telemetry = configure("process-under-test", settings=settings)
    telemetry.registered.set(workflow_types=["Fetch"], activity_types=["twin.fetch"])
    server = uvicorn.Server(uvicorn.Config(_served(), host="127.0.0.1", port=0, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await _run_goal(telemetry, temporal, url=f"http://127.0.0.1:{port}/")
    text = await asyncio.to_thread(_read, f"http://127.0.0.1:{telemetry.metrics_port}/metrics")
    metrics.write_bytes(text)
    server.should_exit = True
    await serving
    await asyncio.to_thread(telemetry.shutdown)


async def _run_goal(telemetry: Telemetry, temporal: str, *, url: str) -> None:
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=temporal,
            dev_server_log_level="error",
            runtime=telemetry.runtime,
            plugins=telemetry.plugins,
        ) as environment,
        Worker(
            environment.client,
            task_queue="q",
            workflows=[FetchWorkflow],
            activities=[fetch],
            activity_executor=ThreadPoolExecutor(2),
        ),
    ):
        await environment.client.execute_workflow(FetchWorkflow.run, url, id=WORKFLOW_ID, task_queue="q")


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        return answer.read()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
