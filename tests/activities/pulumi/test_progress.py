"""How far a step is: in its heartbeat, and as signals that its goal receives from the real server."""

import uuid

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.pulumi.progress import LiveStack
from sandbox.pulumi.outcome import ResourceProgress
from tests.activities.guard.watched import Watched, apply, told


async def test_the_goal_hears_of_it_now_and_then_and_of_the_end(client: Client) -> None:
    queue = f"progress-{uuid.uuid4().hex[:8]}"
    worker = Worker(client, task_queue=queue, workflows=[Watched], activities=[apply])
    async with worker:
        heard = await client.execute_workflow(Watched.run, id=queue, task_queue=queue)
    assert 2 <= len(heard) <= 4
    assert (heard[-1].done, heard[-1].failed) == (3, 1)
    assert heard[-1].lines[-1] == "create banksman:postgres:Database shop-3 FAILED"


async def test_nobody_to_tell_is_no_failure() -> None:
    beats: list[object] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = beats.append
    await environment.run(apply)
    assert beats[-1] == {"done": 3, "failed": 1, "line": "create banksman:postgres:Database shop-3 FAILED"}


async def test_a_preview_does_nothing_and_says_what_it_would() -> None:
    beats: list[dict[str, object]] = []

    async def preview() -> None:
        live = LiveStack()
        live.take(told("begun", planning=True))
        live.take(told("done", planning=True))
        live.take(told("begun", op="same"))
        live.take(ResourceProgress(what="done", op="create", urn="no urn", type="x"))
        await live.end()

    environment = ActivityEnvironment()
    environment.on_heartbeat = beats.append
    await environment.run(preview)
    assert beats == [{"done": 0, "failed": 0, "line": "plan: create banksman:postgres:Database shop-0"}]
