"""The Web API as the SDK's own client meets it."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.connectors.slack.conftest import MakeTwin
from tests.connectors.slack.workspace import (
    ALICE,
    BORIS,
    CHANNEL,
    Clock,
    Twin,
    approval_blocks,
    body,
    modal,
    posted,
    words,
)

METADATA = {"event_type": "devops_approval", "event_payload": {"request_id": "01J", "plan_sha256": "ab"}}


async def refused(call: Any) -> Any:
    """The answer to a call that Slack refuses."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


async def test_a_bot_learns_who_it_is(twin: Twin) -> None:
    me = await twin.client().auth_test()
    assert (me["user_id"], me["bot_id"], me["team_id"]) == ("U0BANKSMAN", "B0BANKSMAN", "T0ACME")


async def test_a_message_is_found_again_by_its_metadata(twin: Twin) -> None:
    client = twin.client()
    answer = body(
        await client.chat_postMessage(channel=CHANNEL, text="Approve?", blocks=approval_blocks(), metadata=METADATA)
    )
    assert answer["message"]["metadata"] == METADATA
    history = body(await client.conversations_history(channel=CHANNEL, include_all_metadata=True))
    assert [(one["ts"], one["metadata"]) for one in history["messages"]] == [(answer["ts"], METADATA)]
    without = body(await client.conversations_history(channel=CHANNEL))
    assert "metadata" not in without["messages"][0]


async def test_a_channel_is_named_by_its_id_or_name(twin: Twin) -> None:
    answers = [await twin.client().chat_postMessage(channel=name, text="x") for name in (CHANNEL, "#deployments")]
    assert {answer["channel"] for answer in answers} == {CHANNEL}


async def test_an_update_keeps_what_it_does_not_say(twin: Twin) -> None:
    client, ts = twin.client(), await posted(twin, metadata=METADATA)
    await client.chat_update(channel=CHANNEL, ts=ts, text="Approved", blocks=[])
    (message,) = twin.messages()
    assert (message["text"], "blocks" in message, message["metadata"], message["edits"]) == (
        "Approved",
        False,
        METADATA,
        1,
    )
    await client.chat_update(channel=CHANNEL, ts=ts, text="Approved", metadata={})
    assert "metadata" not in twin.messages()[0]


async def test_a_thread_holds_its_replies_and_the_history_does_not(twin: Twin) -> None:
    client, parent = twin.client(), await posted(twin)
    reply = (await client.chat_postMessage(channel=CHANNEL, text="planned", thread_ts=parent))["ts"]
    to_reply = body(await client.chat_postMessage(channel=CHANNEL, text="to the reply", thread_ts=str(reply)))
    assert to_reply["message"]["thread_ts"] == parent
    thread = body(await client.conversations_replies(channel=CHANNEL, ts=parent))
    assert [one["text"] for one in thread["messages"]] == ["Approve?", "planned", "to the reply"]
    history = body(await client.conversations_history(channel=CHANNEL))
    assert [(one["text"], one["reply_count"]) for one in history["messages"]] == [("Approve?", 2)]


async def test_a_history_comes_in_pages_newest_first(twin: Twin) -> None:
    client = twin.client()
    stamps = [str((await client.chat_postMessage(channel=CHANNEL, text=str(one)))["ts"]) for one in range(5)]
    first = body(await client.conversations_history(channel=CHANNEL, limit=2))
    then = body(
        await client.conversations_history(channel=CHANNEL, limit=9, cursor=first["response_metadata"]["next_cursor"])
    )
    assert [one["text"] for page in (first, then) for one in page["messages"]] == ["4", "3", "2", "1", "0"]
    assert (first["has_more"], then["has_more"]) == (True, False)
    since = body(await client.conversations_history(channel=CHANNEL, oldest=stamps[2], inclusive=True))
    assert [one["text"] for one in since["messages"]] == ["4", "3", "2"]


async def test_a_permalink_leads_to_the_message_on_the_page(twin: Twin) -> None:
    ts = await posted(twin)
    link = (await twin.client().chat_getPermalink(channel=CHANNEL, message_ts=ts))["permalink"]
    page = twin.hands.get(str(link), follow_redirects=True)
    assert page.url.fragment == f"m-{ts.replace('.', '-')}"
    assert f'id="{page.url.fragment}"' in page.text


async def test_an_ephemeral_message_is_one_persons_and_not_history(twin: Twin) -> None:
    client = twin.client()
    await client.chat_postEphemeral(channel=CHANNEL, user=ALICE, text="only you")
    assert [one["text"] for one in twin.messages(user=ALICE)] == ["only you"]
    assert twin.messages(user=BORIS) == []
    assert (await client.conversations_history(channel=CHANNEL))["messages"] == []


async def test_a_deleted_message_is_gone(twin: Twin) -> None:
    ts = await posted(twin)
    await twin.client().chat_delete(channel=CHANNEL, ts=ts)
    assert twin.messages() == []
    gone = await refused(twin.client().chat_update(channel=CHANNEL, ts=ts, text="x"))
    assert gone["error"] == "message_not_found"


async def test_people_are_found_by_id_and_address(twin: Twin) -> None:
    client = twin.client()
    by_id = body(await client.users_info(user=ALICE))["user"]
    by_email = body(await client.users_lookupByEmail(email="Alice@example.com"))["user"]
    assert by_id == by_email
    assert (by_id["id"], by_id["profile"]["email"], by_id["deleted"]) == (ALICE, "alice@example.com", False)


async def test_a_file_is_uploaded_and_shared_in_a_thread(twin: Twin) -> None:
    client, parent = twin.client(), await posted(twin)
    plan = "delete feature/old\n" * 1000
    await client.files_upload_v2(
        channel=CHANNEL, content=plan, filename="plan.txt", title="Plan", initial_comment="whole", thread_ts=parent
    )
    (message,) = [one for one in twin.messages(thread_ts=parent) if one.get("files")]
    (file,) = message["files"]
    assert (file["name"], file["title"], message["text"]) == ("plan.txt", "Plan", "whole")
    got = twin.hands.get(f"/files/{file['id']}")
    assert (got.text, got.headers["content-disposition"][:10]) == (plan, "attachment")


async def test_forms_and_queries_say_the_same_as_json(twin: Twin) -> None:
    head = {"Authorization": f"Bearer {twin.config.app.bot_token}"}
    form = {"channel": CHANNEL, "text": "form", "blocks": '[{"type": "divider"}]'}
    assert twin.hands.post("/api/chat.postMessage", data=form, headers=head).json()["ok"]
    query = {"channel": CHANNEL, "limit": "1", "token": twin.config.app.bot_token}
    assert twin.hands.get("/api/conversations.history", params=query).json()["messages"][0]["text"] == "form"


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("xoxb-somebody-else", "invalid_auth"),
        ("xapp-banksman-embedded", "not_allowed_token_type"),
    ],
)
async def test_a_wrong_token_is_refused(twin: Twin, token: str, error: str) -> None:
    assert (await refused(twin.client(token).auth_test()))["error"] == error


async def test_no_token_is_refused(twin: Twin) -> None:
    assert twin.hands.post("/api/auth.test").json() == {"ok": False, "error": "not_authed"}


async def test_a_bot_token_opens_no_connection(twin: Twin) -> None:
    client = twin.client()
    answer = await refused(client.apps_connections_open(app_token=twin.config.app.bot_token))
    assert answer["error"] == "not_allowed_token_type"


async def test_a_missing_scope_is_named(make_twin: MakeTwin) -> None:
    twin = make_twin(app={"scopes": ["chat:write"]})
    answer = await refused(twin.client().users_info(user=ALICE))
    assert (answer["error"], answer["needed"], answer["provided"]) == ("missing_scope", "users:read", "chat:write")


def _calls(client: AsyncWebClient, ts: str) -> dict[str, Any]:
    """Calls that Slack refuses, by the error that it gives."""
    post, update, modal_view = client.chat_postMessage, client.chat_update, modal()
    long = [{"type": "section", "text": words("x" * 2900)} for _ in range(5)]
    return {
        "channel_not_found": post(channel="C0NOWHERE", text="x"),
        "no_text": client.api_call("chat.postMessage", json={"channel": CHANNEL}),
        "invalid_blocks": post(channel=CHANNEL, text="x", blocks=[{"type": "section", "text": words("x" * 3001)}]),
        "invalid_blocks_format": post(channel=CHANNEL, text="x", blocks="not json"),
        "msg_blocks_too_long": post(channel=CHANNEL, text="x", blocks=long),
        "invalid_metadata_format": post(channel=CHANNEL, text="x", metadata={"event_payload": {}}),
        "metadata_too_large": post(
            channel=CHANNEL, text="x", metadata={"event_type": "x", "event_payload": {"x": "y" * 20_000}}
        ),
        "thread_not_found": post(channel=CHANNEL, text="x", thread_ts="1700000000.000001"),
        "invalid_thread_ts": post(channel=CHANNEL, text="x", thread_ts="yesterday"),
        "message_not_found": update(channel=CHANNEL, ts="1700000000.000001", text="x"),
        "cant_update_message": update(channel=CHANNEL, ts=ts, text="x"),
        "cant_delete_message": client.chat_delete(channel=CHANNEL, ts=ts),
        "user_not_in_channel": client.chat_postEphemeral(channel=CHANNEL, user="U0NOBODY", text="x"),
        "user_not_found": client.users_info(user="U0NOBODY"),
        "users_not_found": client.users_lookupByEmail(email="nobody@example.com"),
        "invalid_trigger_id": client.views_open(trigger_id="1.2.x", view=modal_view),
        "invalid_arguments": client.views_open(trigger_id="1.2.x", view=modal_view | {"title": words("x" * 25)}),
        "file_not_found": client.files_completeUploadExternal(files=[{"id": "F0", "title": "x"}]),
        "invalid_cursor": client.conversations_history(channel=CHANNEL, cursor="x"),
        "unknown_method": client.api_call("chat.shout"),
    }


async def test_refusals_are_in_slacks_words(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"enforced": False})
    ts = twin.tell("say", user=ALICE, channel=CHANNEL, text="a person's own words")["ts"]
    for error, call in _calls(twin.client(), ts).items():
        answer = await refused(call)
        assert (answer.status_code, answer["ok"], answer["error"]) == (200, False, error)
    assert [one["text"] for one in twin.messages()] == ["a person's own words"]


async def test_a_refused_block_is_pointed_at(twin: Twin) -> None:
    blocks = [{"type": "divider"}, {"type": "section", "text": words("x" * 3001, "mrkdwn")}]
    answer = await refused(twin.client().chat_postMessage(channel=CHANNEL, text="x", blocks=blocks))
    told = "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
    assert (answer["errors"], answer["response_metadata"]["messages"]) == ([told], [f"[ERROR] {told}"])


async def test_an_app_that_was_not_invited_or_a_closed_channel_is_refused(make_twin: MakeTwin) -> None:
    private = {"id": "C0SECRET", "name": "secret", "has_app": False}
    old = {"id": "C0OLD", "name": "old", "archived": True}
    client = make_twin(channels=[private, old]).client()
    answers = [await refused(client.chat_postMessage(channel=one, text="x")) for one in ("C0SECRET", "C0OLD")]
    assert [answer["error"] for answer in answers] == ["not_in_channel", "is_archived"]


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        ("application/json", b"{", "invalid_json"),
        ("application/json", b"[]", "json_not_object"),
        ("text/xml", b"<a/>", "invalid_post_type"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(twin: Twin, kind: str, content: bytes, error: str) -> None:
    head = {"Authorization": f"Bearer {twin.config.app.bot_token}", "Content-Type": kind}
    assert twin.hands.post("/api/chat.postMessage", content=content, headers=head).json()["error"] == error


async def test_messages_to_one_channel_are_limited_by_the_second(twin: Twin, clock: Clock) -> None:
    client = twin.client()
    for _ in range(twin.config.limits.post_burst):
        await client.chat_postMessage(channel=CHANNEL, text="x")
    answer = await refused(client.chat_postMessage(channel=CHANNEL, text="one too many"))
    assert (answer.status_code, answer["error"], answer.headers["Retry-After"]) == (429, "ratelimited", "1")
    assert len(twin.messages()) == twin.config.limits.post_burst
    await client.chat_postMessage(channel="C0GENERAL", text="another channel")
    clock.ahead += 1
    await client.chat_postMessage(channel=CHANNEL, text="a second later")


async def test_a_method_is_limited_by_the_minute(make_twin: MakeTwin, clock: Clock) -> None:
    twin = make_twin(limits={"tiers": {1: 1, 2: 2, 3: 3, 4: 4}})
    client = twin.client()
    for _ in range(3):
        await client.conversations_history(channel=CHANNEL)
    answer = await refused(client.conversations_history(channel=CHANNEL))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "20")
    clock.ahead += 20
    await client.conversations_history(channel=CHANNEL)


async def test_the_sdk_waits_out_a_planted_limit(twin: Twin) -> None:
    fault = {"kind": "status", "path": "chat.postMessage", "status": 429, "headers": {"Retry-After": "1"}}
    twin.hands.post("/_twin/faults", json=fault).raise_for_status()
    client = twin.client()
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    await client.chat_postMessage(channel=CHANNEL, text="at last")
    assert [one["text"] for one in twin.messages()] == ["at last"]


async def test_a_message_may_be_posted_and_its_answer_lost(twin: Twin) -> None:
    twin.hands.post("/_twin/faults", json={"kind": "drop_after_effect", "path": "chat.postMessage"}).raise_for_status()
    with pytest.raises(Exception, match="payload"):
        await twin.client().chat_postMessage(channel=CHANNEL, text="Approve?", metadata=METADATA)
    history = body(await twin.client().conversations_history(channel=CHANNEL, include_all_metadata=True))
    assert [one["metadata"] for one in history["messages"]] == [METADATA]


async def test_slack_may_answer_that_it_cannot(twin: Twin) -> None:
    fault = {"kind": "status", "path": "chat.update", "status": 200, "body": {"ok": False, "error": "internal_error"}}
    ts = await posted(twin)
    twin.hands.post("/_twin/faults", json=fault).raise_for_status()
    answer = await refused(twin.client().chat_update(channel=CHANNEL, ts=ts, text="x"))
    assert answer["error"] == "internal_error"
    assert twin.messages()[0]["edits"] == 0


async def test_messages_outlive_a_restart_when_they_are_kept(make_twin: MakeTwin, tmp_path: Any) -> None:
    before = make_twin(store=str(tmp_path / "messages.jsonl"))
    ts, gone = await posted(before, metadata=METADATA), await posted(before)
    await before.client().chat_update(channel=CHANNEL, ts=ts, text="Approved", blocks=approval_blocks()[:2])
    await before.client().chat_delete(channel=CHANNEL, ts=gone)
    after = make_twin(store=str(tmp_path / "messages.jsonl"))
    assert after.messages() == before.messages() != []
    await after.client().chat_update(channel=CHANNEL, ts=ts, text="Done", blocks=[])
