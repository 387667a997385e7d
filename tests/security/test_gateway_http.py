"""Attacks on signed requests: what comes over HTTP counts with Slack's signature over these bytes, now, and once."""

import contextlib
import json
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from connectors.slack.twin.requests import signature
from hitl.slack.http import MAX_BODY_BYTES
from tests.connectors.vault.server import SLACK
from tests.hitl.gateway.running import CHANNEL, Place, eventually, slack_id
from workers.gateway import Gateway
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM = "application/x-www-form-urlencoded"
TEAM = "T0ACME"


@contextlib.asynccontextmanager
async def by_http(here: Place) -> AsyncGenerator[tuple[Gateway, httpx.AsyncClient]]:
    """All workers, and a gateway that listens for requests."""
    async with here.running(slack_mode="http", slack_listen="127.0.0.1:0") as gateway:
        listening = gateway._listening
        assert listening is not None
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as hands:
            await eventually(lambda: _answers(hands))
            yield gateway, hands


async def _answers(hands: httpx.AsyncClient) -> bool:
    try:
        return (await hands.get("/slack/events")).status_code == 405
    except httpx.TransportError:
        return False


def pressed(message: dict[str, Any], person: str = "alice", *, team: str = TEAM, channel: str = CHANNEL) -> bytes:
    """The body of a click, as Slack sends it."""
    [button] = [
        element
        for block in message["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == "approve"
    ]
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "acme"},
        "user": {"id": slack_id(person), "name": person, "team_id": team},
        "channel": {"id": channel, "name": "ops"},
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel},
        "trigger_id": "1.2.3",
        "actions": [{**button, "block_id": "banksman-approval", "action_ts": f"{time.time():.6f}"}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def signed(body: bytes, *, secret: str = SLACK["signing_secret"], at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature(secret, timestamp=stamp, body=body),
    }


async def decisions(here: Place, approval: str) -> int:
    view = await here.house.view(approval)
    assert view.state is State.WAITING
    return len(view.decisions)


async def test_a_signed_click_counts_and_the_same_one_again_counts_no_more(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        goal, approval, message = await here.asked(gateway)
        body = pressed(message)
        headers = signed(body)
        first = await hands.post("/slack/events", content=body, headers=headers)
        replayed = await hands.post("/slack/events", content=body, headers=headers)
        assert await decisions(here, approval) == 1
        other = pressed(message, "bob")
        await hands.post("/slack/events", content=other, headers=signed(other))
        assert (await goal.result()).outcome == "completed"
    assert (first.status_code, replayed.status_code) == (200, 200)


async def test_without_slacks_signature_of_these_bytes_now_nothing_is_read(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        goal, approval, message = await here.asked(gateway)
        body = pressed(message)
        good = signed(body)
        bad = [
            {},
            good | {"X-Slack-Signature": "v0=" + "0" * 64},
            good | {"X-Slack-Signature": ""},
            signed(body, secret="another-secret"),
            signed(body, at=time.time() - 301),
            signed(body, at=time.time() + 600),
            signed(pressed(message, "bob")),
            good | {"X-Slack-Request-Timestamp": str(int(time.time()) - 60)},
            *(good | {"X-Slack-Request-Timestamp": one} for one in ("", "soon", "-1", "1e9", "9" * 5000, "1.5")),
        ]
        statuses = [
            (await hands.post("/slack/events", content=body, headers={"Content-Type": FORM} | one)).status_code
            for one in bad
        ]
        assert await decisions(here, approval) == 0
        await goal.terminate()
    assert statuses == [401] * len(bad)


async def test_a_changed_body_is_refused(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        goal, approval, message = await here.asked(gateway)
        body = pressed(message, "mallory")
        headers = signed(body)
        changed = body.replace(slack_id("mallory").encode(), slack_id("alice").encode())
        answer = await hands.post("/slack/events", content=changed, headers=headers)
        assert await decisions(here, approval) == 0
        await goal.terminate()
    assert (answer.status_code, changed != body) == (401, True)


async def test_looking_at_an_address_decides_nothing(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        goal, approval, message = await here.asked(gateway)
        body = pressed(message)
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            answer = await hands.request(method, f"/slack/events?{body.decode()}", headers=signed(b""))
            assert answer.status_code == 405
        assert (await hands.get("/")).status_code == 404
        assert await decisions(here, approval) == 0
        await goal.terminate()


async def test_somebody_of_another_workspace_or_channel_does_not_count(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        goal, approval, message = await here.asked(gateway)
        for body in (pressed(message, team="T0OTHER"), pressed(message, channel="C0OTHER")):
            answer = await hands.post("/slack/events", content=body, headers=signed(body))
            assert answer.status_code == 200
        assert await decisions(here, approval) == 0
        await goal.terminate()


async def test_a_body_of_any_length_costs_no_memory(here: Place) -> None:
    async with by_http(here) as (_, hands):
        body = b"x" * (MAX_BODY_BYTES + 1)
        long = await hands.post("/slack/events", content=body, headers=signed(body))

        async def endless() -> AsyncGenerator[bytes]:
            yield b"x"

        unsaid = await hands.post("/slack/events", content=endless(), headers=signed(b"x"))
    assert (long.status_code, unsaid.status_code) == (413, 413)


async def test_a_replayed_command_starts_its_goal_once(here: Place) -> None:
    async with by_http(here) as (gateway, hands):
        line = 'run ReadFile {"repository": "acme/shop", "path": "README.md"}'
        fields = {"command": "/banksman", "text": line, "team_id": TEAM, "user_id": slack_id("alice")}
        body = urlencode(fields | {"channel_id": CHANNEL, "trigger_id": "9.9.9"}).encode()
        headers = signed(body)
        answer = await hands.post("/slack/events", content=body, headers=headers)
        goal = here.client.get_workflow_handle("read-file/acme/shop/README.md")
        first = (await goal.describe()).run_id
        await goal.terminate()
        await hands.post("/slack/events", content=body, headers=headers)
        assert (await goal.describe()).run_id == first
        del gateway
    assert "Started" in answer.text
