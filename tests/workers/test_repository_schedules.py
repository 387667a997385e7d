"""`banksman github schedules` beside schedules of a real server."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.github.schedules import Schedules
from hitl.github.scheduling import planned
from tests.hitl.github.deciding_cases import config
from tests.hitl.github.test_scheduling import BY_TIME, of
from tests.stack import forked
from tests.stack.running import BIN
from tests.workflows.approval.approving import eventually
from workers.commands.exits import Exit
from workers.commands.repository_schedules import views
from workflows.github.contracts import DeliveryResult, Done
from workflows.github.scheduled_contracts import SCHEDULED_WORKFLOW, schedule_id

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

CART, SHOP = "acme/Cart", "acme/shop-of-the-list"
_DAY = timedelta(days=1)
JOB = "a-job-of-the-list"
FIELDS = [
    *("repository", "name", "says", "time_zone", "next_at", "paused", "note", "last_at", "last", "goal"),
]


@workflow.defn(name=SCHEDULED_WORKFLOW, sandboxed=False)
class Scheduled:
    """Ends as the schedule's name says."""

    @workflow.run
    async def run(self, request: dict[str, Any]) -> Any:
        match request["schedule"]:
            case "begins":
                return DeliveryResult(done=Done.STARTED, why="Started.", goal=JOB).model_dump(mode="json")
            case "fails":
                raise ApplicationError("the policy cannot be read", non_retryable=True)
            case "odd":
                return "no result of ours"
            case _:
                return DeliveryResult(done=Done.IGNORED, why="No rule names it.").model_dump(mode="json")


@pytest_asyncio.fixture(loop_scope="session")
async def server(client: Client) -> AsyncIterator[Client]:
    """With nobody's schedule before and after, as far as its list tells."""
    await _clear(client)
    yield client
    await _clear(client)


async def _clear(client: Client) -> None:
    async def none() -> bool:
        there = [one.id async for one in await client.list_schedules()]
        for one in there:
            with contextlib.suppress(RPCError):
                await client.get_schedule_handle(one).delete()
        return not there

    await eventually(none)


async def scheduled(client: Client, repository: str, *names: str) -> None:
    """As a push of the repository's file has it."""
    wanted = config(
        schedules={name: {"cron": "0 3 * * *", "task": "read", "time_zone": "Europe/Berlin"} for name in names}
    )
    plans = planned(wanted, repository, of(BY_TIME))
    said = await Schedules(client).keep(repository, plans)
    assert not any("not scheduled" in one for one in said), said


def handle(client: Client, name: str, repository: str = CART) -> ScheduleHandle:
    return client.get_schedule_handle(schedule_id(repository, name))


async def banksman(client: Client, *arguments: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, in a process of its own."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
        "COLUMNS": "160",
        **changed,
    }
    run = partial(forked.run, environment=environment, seconds=100)
    return await asyncio.to_thread(run, BIN / "banksman", ["github", "schedules", *arguments])


async def listed(client: Client, *arguments: str) -> list[dict[str, Any]]:
    done = await banksman(client, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def until_listed(client: Client, count: int) -> list[dict[str, Any]]:
    """Temporal's list is a little behind."""

    async def there() -> bool:
        return len(await views(client)) == count

    await eventually(there)
    return await listed(client)


async def test_schedules_are_listed_paused_and_let_go_on(server: Client) -> None:
    await scheduled(server, CART, "nightly", "weekly")
    await scheduled(server, SHOP, "nightly")
    rows = await until_listed(server, 3)
    assert [(one["repository"], one["name"]) for one in rows] == [
        (CART, "nightly"),
        (CART, "weekly"),
        (SHOP, "nightly"),
    ]
    assert list(rows[0]) == FIELDS
    assert (rows[0]["says"], rows[0]["time_zone"], rows[0]["last"]) == ("read: 0 3 * * *", "Europe/Berlin", "")
    assert rows[0]["next_at"] is not None
    assert [one.name for one in await views(server, CART.lower())] == ["nightly", "weekly"]

    done = await banksman(server, "pause", CART, "nightly", "--note", "a freeze \x1b[2Juntil Monday")
    assert (done.returncode, f"nightly of {CART} is paused" in done.stdout) == (0, True), done.stderr

    async def paused() -> bool:
        [row] = [one for one in await views(server, CART) if one.name == "nightly"]
        return row.paused and row.next_at is None

    await eventually(paused)
    told = (await banksman(server, "--repository", CART)).stdout
    assert f"{CART} nightly  paused" in told
    assert "a freeze" in told
    assert "\x1b" not in told
    assert f"{CART} weekly  next 20" in told
    assert SHOP not in told

    done = await banksman(server, "resume", CART, "nightly")
    assert (done.returncode, f"nightly of {CART} goes on" in done.stdout) == (0, True), done.stderr
    assert not (await handle(server, "nightly").describe()).schedule.state.paused


async def test_it_tells_how_each_ended_last_also_where_that_cannot_be_read(server: Client) -> None:
    names = ("begins", "fails", "idle", "odd")
    await scheduled(server, CART, *names)
    async with Worker(server, task_queue=TaskQueue.GOALS, workflows=[Scheduled]):
        job = await server.start_workflow(SCHEDULED_WORKFLOW, {"schedule": "job"}, id=JOB, task_queue=TaskQueue.GOALS)
        await job.result()
        for name in names:
            await handle(server, name).trigger()

        async def ended() -> bool:
            rows = await views(server, CART)
            return len(rows) == len(names) and all(one.last not in {"", "running"} for one in rows)

        await eventually(ended)
    rows = {one["name"]: one for one in await listed(server)}
    assert (rows["begins"]["last"], rows["begins"]["goal"]) == ("completed", JOB)
    assert "the policy cannot be read" in rows["fails"]["last"]
    assert rows["idle"]["last"] == "No rule names it."
    assert rows["odd"]["last"] == "ended with a result that cannot be read here"
    assert all(one["last_at"] for one in rows.values())
    told = (await banksman(server)).stdout
    assert f": completed ({JOB})" in told


async def test_what_is_another_tools_is_not_listed_and_what_somebody_made_by_hand_is(
    server: Client,
) -> None:
    action = ScheduleActionStartWorkflow("Anything", id="anything", task_queue="nobody's")
    for one in ("another-tool/nightly", "github-schedule/none", schedule_id(CART, "by-hand")):
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=_DAY)])
        await server.create_schedule(one, Schedule(action=action, spec=spec))

    async def all_there() -> bool:
        return len([one async for one in await server.list_schedules()]) == 3

    await eventually(all_there)
    [row] = await until_listed(server, 1)
    assert (row["repository"], row["name"], row["says"]) == (CART, "by-hand", "")
    assert (await banksman(server)).returncode == 0


async def test_where_there_is_none_it_says_so(server: Client) -> None:
    assert await listed(server) == []
    done = await banksman(server)
    assert (done.returncode, done.stdout.strip()) == (0, "no repository has a schedule")
    await scheduled(server, SHOP, "nightly")
    await until_listed(server, 1)
    done = await banksman(server, "--repository", CART)
    assert (done.returncode, done.stdout.strip()) == (0, f"{CART} has no schedule")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--repository", "acme"], "'acme' is no repository; write OWNER/NAME"),
        (["--repository", "acme/shop/nightly"], "is no repository"),
        (["--repository", ""], "is no repository"),
        (["pause", "nightly", CART], "'nightly' is no repository"),
        (["resume", "acme/../shop", "nightly"], "is no repository"),
        (["pause", CART, "none"], "there is no such schedule; `banksman github schedules` lists those that there are"),
        (["resume", CART, ""], "there is no such schedule"),
        (["pause", CART], "Missing argument"),
    ],
)
async def test_what_names_nothing_is_one_line_and_changes_nothing(
    server: Client, arguments: list[str], says: str
) -> None:
    await scheduled(server, CART, "nightly")
    done = await banksman(server, *arguments)
    assert (done.returncode, says in done.stderr) == (Exit.USAGE, True), done.stderr
    assert "Traceback" not in done.stderr
    assert not (await handle(server, "nightly").describe()).schedule.state.paused


@pytest.mark.parametrize("arguments", [[], ["pause", CART, "nightly"], ["resume", CART, "nightly"]])
async def test_without_temporal_it_says_so_once_and_what_to_do(client: Client, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
    done = await banksman(client, *arguments, BANKSMAN_TEMPORAL_ADDRESS=address)
    assert done.returncode == Exit.NO_STACK, done.stderr
    assert done.stdout == ""
    assert done.stderr.strip().splitlines() == [
        f"error: no Temporal answers at {address!r}: `banksman up` starts one here, or set BANKSMAN_TEMPORAL_ADDRESS"
    ]
