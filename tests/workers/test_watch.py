"""`banksman watch` beside goals, approvals and leases on the real server."""

import asyncio
import os
import subprocess
import uuid
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.leases.views import LeaseState
from tests.stack import forked
from tests.stack.running import BIN
from tests.workflows.approval.approving import ACTION, House, eventually
from tests.workflows.leases.leasing import Place
from workers.commands.approvals import Inbox
from workers.commands.exits import Exit
from workers.commands.leases import read_leases

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def banksman(address: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it; its output is no terminal, so that it looks once."""
    given = {"BANKSMAN_TEMPORAL_ADDRESS": address, "BANKSMAN_DEVELOPMENT": "true", "BANKSMAN_ENCRYPT_PAYLOADS": "false"}
    environment = {**os.environ, **given, "BANKSMAN_HOME": "/nonexistent", "COLUMNS": "160"}
    run = partial(forked.run, environment=environment, seconds=50)
    return await asyncio.to_thread(run, BIN / "banksman", ["watch", *arguments])


async def test_it_shows_what_is_under_way(client: Client, tmp_path: Path) -> None:
    house, place = House(client, tmp_path), Place(client)
    unserved = f"read-{uuid.uuid4()}"
    asked = {"repository": "acme/shop", "path": "README.md"}
    await client.start_workflow("ReadFile", asked, id=unserved, task_queue=f"nobody-{unserved}")
    place.machines.there.add(place.mark)
    async with place.at_work():
        lease = await place.hold(place.request())
        await place.until(LeaseState.HELD)  # it says so itself, in the list as well
    async with house.workers():
        goal = await house.start(branch="watched")
        approval = await house.approval_of(goal)
        await house.decide(approval, "alice")

        async def listed() -> bool:
            waiting = [view.id for view, _ in await Inbox(client).read()]
            return approval in waiting and lease.id in [one.id for one in await read_leases(client)]

        await eventually(listed)
        done = await banksman(client.service_client.config.target_host)
        await goal.cancel()
        await client.get_workflow_handle(lease.id).terminate()
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["running", "ReadFile", unserved] in [words[:3] for words in lines]
    assert ["1", "of", "2", ACTION, goal.id] in [words[:5] for words in lines]
    assert place.request().leased.name in done.stdout


async def test_a_server_that_does_not_answer_is_named() -> None:
    done = await banksman("127.0.0.1:1", "--once")
    assert (done.returncode, "no Temporal answers" in done.stderr) == (Exit.NO_STACK, True)
