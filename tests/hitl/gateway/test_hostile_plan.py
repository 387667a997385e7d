"""A name that hides something, on everything that people look at: written out there, and once.

Written out twice, it would look like another name: somebody else's who typed those letters.
"""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from temporalio.client import Client, WorkflowHandle

from hitl.console.goals import filter as goal_filter
from hitl.console.goals import seen as goals_seen
from tests.hitl.console.visiting import Console, Visit, console_policy
from tests.hitl.gateway.running import GOAL, Place, buttons, eventually, slack_id
from workflows.catalogue import find_goal
from workflows.goal_type import GoalType

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

HIDDEN, SEEN, TWICE = "old\u202egnp", "old\\u202egnp", "\\u005cu202e"


def said(block: object) -> Iterator[str]:
    """All texts of a message, those of its questions, too."""
    if isinstance(block, list):
        for one in block:  # type: ignore[misc] - JSON
            yield from said(one)
    if isinstance(block, dict):
        for name, value in block.items():  # type: ignore[misc] - JSON
            yield from ((value,) if name == "text" and isinstance(value, str) else said(value))


async def command(client: Client, *line: str) -> str:
    """What a command says, in a process of its own."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
    }
    started = [sys.executable, "-m", "workers", *line]
    ended = await asyncio.to_thread(
        subprocess.run, started, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    return str(ended.stdout + ended.stderr)


async def page(visit: Visit, path: str, *, about: str) -> str:
    """A page, as it is read, once it tells of this."""
    found: list[str] = []

    async def there() -> bool:
        found[:] = [(await visit.get(path)).text]
        return quote(about, safe="") in found[0] or quote(about) in found[0]

    await eventually(there)
    return unescape(found[0])


async def temporal(client: Client, handle: WorkflowHandle[Any, Any]) -> str:
    """What its own UI tells: the details now, the summary, and the summary of each step."""
    described = await handle.describe()
    told = [await described.static_summary() or "", await described.static_details() or ""]
    told.append(str((await handle.query("__temporal_workflow_metadata")).current_details))
    converter = client.data_converter
    async for event in handle.fetch_history_events():
        if event.user_metadata.HasField("summary"):
            told += await converter.decode([event.user_metadata.summary], [str])
    return "\n".join(told)


async def surfaces(here: Place, visit: Visit, goal: WorkflowHandle[Any, Any], approval: str) -> Mapping[str, str]:
    """All of them, now."""
    about = f"/approval?id={quote(approval, safe='')}"
    [message] = await here.about(approval)
    waits = bool(buttons(message))
    thread = [one for one in await here.messages(thread_ts=message["ts"]) if one["ts"] != message["ts"]]
    found = {
        "Slack, message": "\n".join(said([message])),
        "Slack, thread": "\n".join(said(thread)),
        "console, approval": await page(visit, about, about=approval),
        "console, list": await page(visit, "/" if waits else "/decided", about=approval),
        "console, goal": await page(visit, f"/goal?id={quote(goal.id, safe='')}", about=goal.id),
        "console, goals": await page(visit, "/goals", about=goal.id),
        "command, approvals": await command(here.client, "approvals", *([] if waits else ["--all"])),
        "command, approval": await command(here.client, "approvals", "show", approval),
        "Temporal, goal": await temporal(here.client, goal),
        "Temporal, approval": await temporal(here.client, here.client.get_workflow_handle(approval)),
    }
    if waits:
        found["console, sure"] = await page(visit, f"{about.replace('?', '/decide?')}&verdict=reject", about=approval)
    return found


def wrong(found: Mapping[str, str]) -> dict[str, list[str]]:
    """What is not written out, or twice, by surface."""
    return {
        name: lines
        for name, text in found.items()
        if (lines := [one for one in text.splitlines() if "\u202e" in one or TWICE in one])
    }


async def test_what_hides_is_written_out_once_wherever_people_look(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.house.path.write_text(console_policy())
    console = Console(here.client, here.folder)
    console.house = here.house

    def known(name: str) -> GoalType | None:
        return GOAL if name == GOAL.name else find_goal(name)

    monkeypatch.setattr(goals_seen, "find_goal", known)
    monkeypatch.setattr(goal_filter, "GOALS", (GOAL,))
    branch = f"{HIDDEN}-{secrets.token_hex(4)}"
    async with here.running() as gateway, console.visit("alice") as alice:
        goal, approval, message = await here.asked(gateway, branch=branch)
        before = await surfaces(here, alice, goal, approval)
        await here.click("alice", message, "reject")
        form = "\n".join(said(await here.ask("view", user=slack_id("alice"))))
        assert (await here.submit("alice", f"not {HIDDEN}"))["acknowledged"]
        await here.message(approval, lambda one: not buttons(one))
        assert (await goal.result()).outcome == "rejected"
        await here.thread(message["ts"], lines=2)
        after = await surfaces(here, alice, goal, approval)
    before = {**before, "Slack, form": form}
    assert wrong(before) == {}
    assert wrong(after) == {}
    assert [name for name, text in before.items() if SEEN not in text and name != "Slack, thread"] == []
    assert [name for name, text in after.items() if SEEN not in text] == []
