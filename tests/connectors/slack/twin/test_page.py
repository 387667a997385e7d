"""The page without a browser: what it holds, what works without scripts, and whom it refuses."""

import asyncio
from typing import Any

import pytest

from tests.connectors.slack.conftest import MakeTwin
from tests.connectors.slack.workspace import (
    ALICE,
    BORIS,
    CHANNEL,
    Json,
    Twin,
    approval_blocks,
    confirmation,
    gateway,
    modal,
    posted,
    words,
)

EVIL = '<script>alert(1)</script>"onload=alert(1) <img src=x>'


async def test_the_page_shows_every_block(twin: Twin) -> None:
    blocks: list[Json] = [
        *approval_blocks(confirm=confirmation()),
        {"type": "section", "fields": [words("*Risk*\nhigh", "mrkdwn")]},
        {"type": "divider"},
        {"type": "context", "elements": [words("small print")]},
        {"type": "markdown", "text": "# Preview"},
    ]
    await posted(twin, blocks)
    page = twin.hands.get("/", follow_redirects=True).text
    for part in (
        '<h3 class="b-header">Approval needed</h3>',
        "<strong>Delete</strong> <code>feature/old</code>",
        "<strong>Risk</strong><br>high",
        "<hr>",
        "<span>small print</span>",
        "<h1>Preview</h1>",
        'data-action-id="approve">Approve</button>',
    ):
        assert part in page


async def test_nothing_that_an_app_sends_becomes_html(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"enforced": False})
    evil_button = {"type": "button", "action_id": EVIL, "value": EVIL, "text": words(EVIL)}
    blocks: list[Json] = [
        {"type": "header", "text": words(EVIL)},
        {"type": "section", "block_id": EVIL, "text": words(EVIL, "mrkdwn"), "fields": [words(EVIL)]},
        {"type": "context", "elements": [words(EVIL, "mrkdwn")]},
        {"type": "markdown", "text": EVIL},
        {"type": "actions", "elements": [evil_button]},
    ]
    ts = await posted(twin, blocks)
    await twin.client().chat_postMessage(channel=CHANNEL, text=EVIL, thread_ts=ts)
    await twin.client().files_upload_v2(channel=CHANNEL, content=EVIL, filename=EVIL, title=EVIL)
    twin.tell("say", user=ALICE, channel=CHANNEL, text=EVIL)
    for path in (f"/client/{CHANNEL}?thread={ts}", f"/live/{CHANNEL}?thread={ts}"):
        answer = twin.hands.get(path)
        assert answer.status_code == 200
        assert "alert(1)" in answer.text
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert '"onload=' not in answer.text.replace('\\"', "'")


async def test_the_browser_is_told_to_load_nothing_from_elsewhere(twin: Twin) -> None:
    answer = twin.hands.get("/", follow_redirects=True)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "http" not in answer.text.split("<body")[0].replace('http-equiv="', "")
    for name in ("slack.css", "slack.js", "mark.svg"):
        assert twin.hands.get(f"/static/{name}").status_code == 200
    assert twin.hands.get("/static/..%2ftwin.py").status_code == 404


async def test_a_click_works_without_scripts_and_asks_first(twin: Twin) -> None:
    heard: list[Json] = []
    async with gateway(twin) as app:

        async def note(ack: Any, body: Json) -> None:
            heard.append(body)
            await ack()

        app.app.action("approve")(note)
        ts = await posted(twin, approval_blocks(confirm=confirmation()))
        form = {"as": BORIS, "ts": ts, "block": "approval", "action": "approve"}
        asked = await asyncio.to_thread(twin.hands.post, f"/client/{CHANNEL}/click", data=form, follow_redirects=True)
        assert 'id="confirm-title">Sure?' in asked.text
        assert heard == []
        done = await asyncio.to_thread(
            twin.hands.post, f"/client/{CHANNEL}/click", data=form | {"confirmed": "1"}, follow_redirects=True
        )
    assert (done.status_code, 'id="confirm"' in done.text) == (200, False)
    assert [one["user"]["id"] for one in heard] == [BORIS]


@pytest.mark.parametrize("path", ["click", "say", "submit", "close"])
def test_a_form_on_another_site_does_nothing(twin: Twin, path: str) -> None:
    answer = twin.hands.post(
        f"/client/{CHANNEL}/{path}", data={"as": ALICE, "text": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert (answer.status_code, twin.messages()) == (403, [])


def test_controls_take_nothing_that_a_page_from_elsewhere_can_send(twin: Twin) -> None:
    answer = twin.hands.post("/_twin/say", data={"user": ALICE, "channel": CHANNEL, "text": "x"})
    assert (answer.status_code, twin.messages()) == (415, [])
    get = twin.hands.get("/_twin/say", params={"user": ALICE, "channel": CHANNEL, "text": "x"})
    assert (get.status_code, twin.messages()) == (404, [])


def test_another_host_name_is_refused(twin: Twin) -> None:
    assert twin.hands.get("/", headers={"Host": "rebound.example.com"}).status_code == 400


def test_what_nobody_is_or_has_is_said_kindly(twin: Twin) -> None:
    for path in (f"/client/{CHANNEL}?as=U0NOBODY", "/client/C0NOWHERE", "/archives/C0DEPLOYS/p1", "/static/x"):
        answer = twin.hands.get(path)
        assert (answer.status_code, "To the workspace" in answer.text) == (404, True)


async def test_only_what_changed_is_sent_again(twin: Twin) -> None:
    first = twin.hands.get(f"/live/{CHANNEL}")
    tag = {"If-None-Match": first.headers["etag"]}
    assert twin.hands.get(f"/live/{CHANNEL}", headers=tag).status_code == 304
    await posted(twin)
    again = twin.hands.get(f"/live/{CHANNEL}", headers=tag)
    assert (again.status_code, "Approval needed" in again.json()["messages"]) == (200, True)


async def test_everybody_sees_their_own(make_twin: MakeTwin) -> None:
    private = {"id": "C0PRIVATE", "name": "private", "members": [ALICE]}
    twin = make_twin(channels=[private, {"id": CHANNEL, "name": "deployments"}])
    await twin.client().chat_postEphemeral(channel=CHANNEL, user=ALICE, text="for Alice")
    pages = {user: twin.hands.get(f"/client/{CHANNEL}?as={user}").text for user in (ALICE, BORIS)}
    assert ["for Alice" in pages[user] for user in (ALICE, BORIS)] == [True, False]
    assert ["C0PRIVATE" in pages[user] for user in (ALICE, BORIS)] == [True, False]
    assert twin.hands.get(f"/client/C0PRIVATE?as={BORIS}").status_code == 404


async def test_a_modal_keeps_what_was_typed_when_it_is_refused(twin: Twin) -> None:
    async with gateway(twin) as app:

        async def open_it(ack: Any, body: Json, client: Any) -> None:
            await client.views_open(trigger_id=body["trigger_id"], view=modal())
            await ack()

        async def refuse(ack: Any) -> None:
            await ack(response_action="errors", errors={"reason": "Say <more>"})

        app.app.action("reject")(open_it)
        app.app.view("reject")(refuse)
        await twin.act("click", user=BORIS, channel=CHANNEL, ts=await posted(twin), action_id="reject")
        form = {"as": BORIS, "v:reason": EVIL}
        page = await asyncio.to_thread(twin.hands.post, f"/client/{CHANNEL}/submit", data=form, follow_redirects=True)
    assert "Say &lt;more&gt;" in page.text
    assert 'aria-invalid="true"' in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;onload" in page.text
    assert "<script>alert" not in page.text
