"""`banksman approvals` beside approvals that wait on the real server."""

import asyncio
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from hitl.approval.decision import Verdict
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk, plan_digest
from tests.workflows.approval.approving import ACTION, House, eventually, make_plan
from workers.commands.approvals import Inbox, lines
from workers.commands.exits import Exit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

FIELDS = ["id", "goal", "action", "state", "digest", "requester", "needs", "decisions", "expires_at"]


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


async def banksman(client: Client, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, in a process of its own: what workers say here is not in its output."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
        "COLUMNS": "80",
    }
    line = [sys.executable, "-m", "workers", "approvals", *arguments]
    run = partial(subprocess.run, env=environment, capture_output=True, text=True, timeout=50, check=False)
    return await asyncio.to_thread(run, line)


async def listed(client: Client, approval: str, *arguments: str) -> dict[str, object] | None:
    result = await banksman(client, *arguments, "--json")
    return next((one for one in json.loads(result.stdout) if one["id"] == approval), None)


async def waits(client: Client, approval: str) -> bool:
    """Whether the inbox, asked without a process, holds an approval."""
    return any(view.id == approval for view, _ in await Inbox(client).read())


async def ended(client: Client, approval: str, how: str) -> bool:
    """Whether Temporal's index tells that it has ended so: those of all tests that ended are too many to ask each."""
    query = f"WorkflowId = '{approval}' AND ExecutionStatus = '{how}'"
    return [one async for one in client.list_workflows(query)] != []


async def test_the_inbox_holds_what_waits_and_all_that_is_decided_on_request(client: Client, house: House) -> None:
    async with house.workers():
        goal = await house.start(branch="inbox")
        approval = await house.approval_of(goal)
        await eventually(lambda: waits(client, approval))
        await house.decide(approval, "alice")
        row = await listed(client, approval)
        assert row is not None
        assert list(row) == FIELDS
        assert (row["goal"], row["action"], row["state"], row["needs"]) == (goal.id, ACTION, "waiting", 2)
        assert (row["requester"], row["digest"]) == ("slack:U0ERIN", plan_digest(make_plan("inbox").text()))
        assert [one["person"] for one in row["decisions"]] == ["alice"]  # type: ignore[attr-defined] - JSON

        table = await banksman(client)
        lines = table.stdout.splitlines()
        at = lines.index(f"  {approval}")  # whole, and on a line of its own
        assert lines[at - 1].split() == [ACTION, "waiting"]
        assert lines[at + 1 : at + 3] == ["  approved 1 of 2 (alice)", "  asked for by slack:U0ERIN"]
        assert "days left" in lines[at + 3]
        assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []

        await house.decide(approval, "bob", verdict=Verdict.REJECT, reason="still needed")
        assert await listed(client, approval) is None
        await eventually(lambda: ended(client, approval, "Completed"))
        found = await listed(client, approval, "--all")
        assert found is not None
        assert found["state"] == "rejected"
        assert (await goal.result()).outcome == "rejected"


async def test_one_that_was_terminated_does_not_wait(client: Client, house: House) -> None:
    async with house.workers():
        goal = await house.start(branch="terminated")
        approval = await house.approval_of(goal)
        assert (await house.view(approval)).state == "waiting"
        await client.get_workflow_handle(approval).terminate()
        await eventually(lambda: ended(client, approval, "Terminated"))
        found = await listed(client, approval, "--all")
        assert found is not None
        assert found["state"] == "terminated"
        assert await listed(client, approval) is None
        assert (await goal.result()).outcome == "approval_lost"


async def test_show_prints_the_whole_plan(client: Client, house: House) -> None:
    async with house.workers():
        goal = await house.start(branch="whole")
        approval = await house.approval_of(goal)
        await house.decide(approval, "carol")
        result = await banksman(client, "show", approval)
        await goal.cancel()
    assert result.returncode == 0, result.stderr
    plan = make_plan("whole")
    for line in (*plan.parameter_lines(), "delete git branch whole", "> Delete the branch whole", "risk low"):
        assert line in result.stdout
    assert plan_digest(plan.text()) in result.stdout
    assert "carol (slack) approve" in result.stdout
    assert goal.id in result.stdout


async def test_an_approval_that_is_not_there_is_named(client: Client) -> None:
    result = await banksman(client, "show", "approval/none")
    assert result.returncode == Exit.FAILED
    assert "there is no approval 'approval/none'" in result.stderr


async def test_what_others_wrote_is_seen_and_not_obeyed(house: House) -> None:
    plan = Plan(
        action=ACTION,
        parameters={"repository": "acme/shop", "branch": "\x1b[2Jold\u202egnp", "note": "[bold]x[/bold]\nIt touches"},
        resources=(Resource(kind="git branch", name="[red]old[/red]", change=Change.DELETE),),
        summary=("[link=http://evil]Delete[/link] it",),
        risk=Risk.HIGH,
        cost=Cost(usd_cents=1250, per="month"),
    )
    async with house.workers():
        goal = await house.start(branch="shown")
        view = await Inbox(house.client).view(await house.approval_of(goal))
        await goal.cancel()
    told = list(lines(view.model_copy(update={"reason": "no\x9b31m"}), plan, link="http://127.0.0.1/x"))
    assert all(line.isprintable() for line in told)
    text = "\n".join(told)
    assert "branch: \\u001b[2Jold\\u202egnp" in text
    assert "note: [bold]x[/bold]\\u000aIt touches" in text
    assert "$12.50 per month" in text
