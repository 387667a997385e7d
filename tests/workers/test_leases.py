"""`banksman leases` beside leases on the real server."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.stack import forked
from tests.stack.running import BIN
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from workers.commands.exits import Exit
from workers.commands.leases import read_leases

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

FIELDS = ["id", "kind", "name", "state", "owner", "taken_at", "ends_at", "at_most", "ending", "problem", "refused"]


@pytest_asyncio.fixture(loop_scope="session")
async def place(client: Client) -> AsyncIterator[Place]:
    made = Place(client)
    async with made.at_work():
        yield made


async def banksman(client: Client, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, in a process of its own."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
        "COLUMNS": "80",
    }
    run = partial(forked.run, environment=environment, seconds=50)
    return await asyncio.to_thread(run, BIN / "banksman", ["leases", *arguments])


async def test_the_way_of_a_lease_by_the_command(place: Place) -> None:
    client = place.client
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request())

    async def listed() -> bool:
        return lease.id in [one.id for one in await read_leases(client)]

    await eventually(listed)
    found = json.loads((await banksman(client, "--json")).stdout)
    [row] = [one for one in found if one["id"] == lease.id]
    assert list(row) == [*FIELDS, "by_hand"]
    assert (row["state"], row["owner"], row["by_hand"]) == ("held", None, None)

    until = (datetime.now(UTC) + timedelta(hours=20)).isoformat(timespec="seconds")
    extended = json.loads((await banksman(client, "extend", lease.id, "--until", until, "--json")).stdout)
    assert extended["ends_at"] == until

    handed = await banksman(client, "hand-over", lease.id, "--to", "no-such-goal")
    assert (handed.returncode, "no goal runs under" in handed.stderr) == (Exit.FAILED, True)

    ended = await banksman(client, "end", lease.id, "--wait", "--note", "done")
    assert (ended.returncode, "ended" in ended.stdout) == (0, True), ended.stderr
    assert place.machines.there == set()
    shown = await banksman(client, "show", lease.id)
    assert "a person ended it: done" in shown.stdout
    again = await banksman(client, "end", lease.id)
    assert (again.returncode, "it has ended" in again.stderr) == (Exit.FAILED, True)


async def test_what_is_said_wrongly_is_refused(place: Place) -> None:
    for arguments in (["extend", "x"], ["extend", "x", "--until", "tomorrow"]):
        assert (await banksman(place.client, *arguments)).returncode == Exit.USAGE
    missing = await banksman(place.client, "show", "lease/none/of-it")
    assert (missing.returncode, "there is no lease" in missing.stderr) == (Exit.FAILED, True)
