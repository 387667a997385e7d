"""A lease that cannot be ended, in Slack: one message with the command for a person, which says when it has ended."""

import dataclasses
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY
from temporalio.testing import ActivityEnvironment

from activities.queues import TaskQueue
from connectors.errors import AuthDenied, InvalidRequest
from tests.hitl.gateway.running import Place, eventually, texts
from tests.workflows.leases.leasing import Place as Leases
from tests.workflows.leases.sample import MACHINE
from workflows.leases.contracts import LEASE_NOTICE, EndLease, TellLease

pytestmark = pytest.mark.asyncio(loop_scope="session")

NASTY = "<!channel> *bold* <https://evil.example|Fix it> \u202egnp.exe"


@pytest_asyncio.fixture(loop_scope="session")
async def leases(one: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Leases]:
    monkeypatch.setattr("activities.leases.kinds.kinds", lambda: {MACHINE.name: MACHINE})
    made = Leases(one.client)
    async with made.at_work(gateway=False):
        yield made


async def told(here: Place) -> list[dict[str, Any]]:
    found = [one for one in await here.messages() if one.get("metadata")]
    return [one for one in found if one["metadata"]["event_type"] == "banksman_lease"]


async def until_told(here: Place, stage: int) -> dict[str, Any]:
    async def so() -> bool:
        return [one["metadata"]["event_payload"]["stage"] for one in await told(here)] == [stage]

    await eventually(so)
    return (await told(here))[0]


async def test_people_are_told_with_the_command_and_when_it_has_ended(one: Place, leases: Leases) -> None:
    leases.machines.there.add(leases.mark)
    leases.machines.refuses = AuthDenied(NASTY)
    async with one.gateway() as gateway:
        lease = await leases.hold(leases.request())
        await lease.execute_update("end", EndLease())
        stuck = await until_told(one, 0)
        await gateway.counts.leases.count()
        assert (REGISTRY.get_sample_value("banksman_leases", {"state": "stuck"}) or 0) >= 1
        leases.machines.refuses = None
        await lease.execute_update("end", EndLease())
        await lease.result()
        over = await until_told(one, 1)
    shown = texts(stuck)
    for expected in (
        f"Cannot be ended: machine m-{leases.mark}",
        "*Where*\n`live`",
        f"sample stop {leases.mark}",
        f"banksman leases end {lease.id}",
    ):
        assert expected in shown, expected
    assert "\u202e" not in str(stuck)
    assert f"Ended after all: machine m-{leases.mark}" in texts(over)
    assert "sample stop" not in texts(over)


async def test_nobody_else_says_that_a_lease_is_stuck(one: Place, leases: Leases) -> None:
    notice = f"notice-of-nobody-{secrets.token_hex(4)}"
    step = ActivityEnvironment()
    async with one.gateway() as gateway:
        # Its step is refused, and it ends without a word.
        await one.client.execute_workflow(
            LEASE_NOTICE, TellLease(why="pay here"), id=notice, task_queue=TaskQueue.GOALS
        )
        for workflow, why in ((notice, "no lease left this"), (f"use/{leases.mark}", "only its LeaseNotice says")):
            step.info = dataclasses.replace(step.info, workflow_id=workflow, workflow_run_id=None)
            with pytest.raises(InvalidRequest, match=why):
                await step.run(gateway.steps.tell_lease, TellLease(why="pay here"))
    assert await told(one) == []
    assert leases.machines.ended == []
