"""Socket Mode, as slack-bolt's own client meets it, and what people see on the other side."""

import asyncio
from typing import Any

import pytest
import websockets
from slack_sdk.errors import SlackApiError

from tests.connectors.slack.conftest import MakeTwin
from tests.connectors.slack.workspace import (
    ALICE,
    BORIS,
    CHANNEL,
    Clock,
    Gateway,
    Json,
    Twin,
    approval_blocks,
    confirmation,
    eventually,
    gateway,
    modal,
    posted,
)

TIMED_OUT = "Operation timed out. Apps need to respond within three seconds."


def note_clicks(app: Gateway) -> None:
    """Acknowledge each click and keep what it said."""

    async def note(ack: Any, body: Json) -> None:
        app.heard.append(body)
        await ack()

    app.app.action("approve")(note)
    app.app.action("reject")(note)


def open_on_click(app: Gateway, view: Json) -> None:
    async def open_it(ack: Any, body: Json, client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()

    app.app.action("reject")(open_it)


async def click(twin: Twin, ts: str, action: str = "approve", user: str = BORIS, **more: object) -> Json:
    return await twin.act("click", user=user, channel=CHANNEL, ts=ts, action_id=action, **more)


async def plant(twin: Twin, **fault: object) -> None:
    answer = await asyncio.to_thread(twin.hands.post, "/_twin/envelope-faults", json=fault)
    assert answer.is_success, answer.text


async def test_a_click_tells_who_what_and_where(twin: Twin) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        assert (await click(twin, ts))["acknowledged"]
    (body,) = app.heard
    (action,) = body["actions"]
    assert (body["user"]["id"], body["team"]["id"], body["channel"]["id"]) == (BORIS, "T0ACME", CHANNEL)
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "approval", "1")
    assert body["message"]["ts"] == body["container"]["message_ts"] == ts
    assert float(action["action_ts"]) > float(ts)
    assert body["response_url"].startswith(twin.address)


async def test_a_message_is_changed_in_place_and_has_no_button_left(twin: Twin) -> None:
    async with gateway(twin) as app:

        async def settle(ack: Any, body: Json, client: Any) -> None:
            await ack()
            ts, blocks = body["message"]["ts"], body["message"]["blocks"][:2]
            await client.chat_update(channel=CHANNEL, ts=ts, text="Approved", blocks=blocks)

        app.app.action("approve")(settle)
        ts = await posted(twin)
        await click(twin, ts)
        await eventually(lambda: twin.messages()[0]["text"] == "Approved")
        again = await asyncio.to_thread(
            twin.hands.post,
            "/_twin/click",
            json={"user": ALICE, "channel": CHANNEL, "ts": ts, "action_id": "approve"},
        )
    assert (again.status_code, "no button" in again.json()["message"]) == (409, True)


async def test_a_confirmation_that_is_denied_reaches_nobody(twin: Twin) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin, approval_blocks(confirm=confirmation()))
        assert not (await click(twin, ts, confirm=False))["acknowledged"]
        assert (await click(twin, ts, confirm=True))["acknowledged"]
    assert len(app.heard) == 1


async def test_a_click_that_nobody_acknowledges_shows_an_error(make_twin: MakeTwin) -> None:
    twin = make_twin(ack_seconds=0.3)
    async with gateway(twin) as app:

        async def sleepy(ack: Any, body: Json) -> None:
            app.heard.append(body)
            await eventually(lambda: bool(twin.ask("notices", user=BORIS)))
            await ack()

        app.app.action("approve")(sleepy)
        ts = await posted(twin)
        told = await click(twin, ts)
        assert (told["acknowledged"], told["ending"], told["shown"]) == (False, "timed_out", TIMED_OUT)
        assert [(one["ts"], one["text"]) for one in twin.ask("notices", user=BORIS)] == [(ts, TIMED_OUT)]
        assert twin.ask("notices", user=ALICE) == []
        assert len(app.heard) == 1


async def test_without_a_connection_the_person_sees_it_at_once(twin: Twin) -> None:
    ts = await posted(twin)
    told = await click(twin, ts)
    assert (told["acknowledged"], told["ending"]) == (False, "unreachable")
    command = await twin.act("command", user=BORIS, channel=CHANNEL, command="/banksman goals")
    assert command["shown"] == '/banksman failed with the error "dispatch_failed"'


async def test_a_modal_is_opened_filled_refused_and_filled_again(twin: Twin) -> None:
    async with gateway(twin) as app:
        open_on_click(app, modal())

        async def take(ack: Any, body: Json) -> None:
            app.heard.append(body)
            said = body["view"]["state"]["values"]["reason"]["text"]["value"]
            errors = {"reason": "Say more"} if len(said) < 5 else None
            await (ack(response_action="errors", errors=errors) if errors else ack())

        app.app.view("reject")(take)
        opened = await click(twin, await posted(twin), "reject")
        view = twin.ask("view", user=BORIS)
        assert (opened["view"], view["private_metadata"]) == (view["id"], "approval-1")
        empty = await twin.act("submit", user=BORIS, values={"reason": "  "})
        assert empty["errors"] == {"reason": "Please complete this required field."}
        short = await twin.act("submit", user=BORIS, values={"reason": "no"})
        assert (short["errors"], short["view"]) == ({"reason": "Say more"}, view["id"])
        done = await twin.act("submit", user=BORIS, values={"reason": "Not on a Friday"}, view=view["id"])
    assert (done["errors"], done["view"], done["acknowledged"]) == ({}, None, True)
    assert [one["view"]["state"]["values"]["reason"]["text"]["value"] for one in app.heard] == ["no", "Not on a Friday"]
    assert {(one["user"]["id"], one["view"]["callback_id"]) for one in app.heard} == {(BORIS, "reject")}


async def test_a_modal_is_updated_and_pushed_by_its_answer(twin: Twin) -> None:
    async with gateway(twin) as app:
        open_on_click(app, modal())

        async def next_page(ack: Any, body: Json) -> None:
            app.heard.append(body)
            first = len(app.heard) == 1
            view = modal(callback_id="second" if first else "third")
            await ack(response_action="update" if first else "push", view=view)

        app.app.view("reject")(next_page)
        app.app.view("second")(next_page)
        await click(twin, await posted(twin), "reject")
        first = twin.ask("view", user=BORIS)
        await twin.act("submit", user=BORIS, values={"reason": "one"})
        updated = twin.ask("view", user=BORIS)
        await twin.act("submit", user=BORIS, values={"reason": "two"})
        pushed = twin.ask("view", user=BORIS)
        assert (updated["id"], updated["callback_id"]) == (first["id"], "second")
        assert (pushed["callback_id"], pushed["previous_view_id"]) == ("third", first["id"])
        await twin.act("close", user=BORIS)
        assert twin.ask("view", user=BORIS)["callback_id"] == "second"


async def test_a_closed_modal_is_told_when_the_app_wants_it(twin: Twin) -> None:
    async with gateway(twin) as app:
        open_on_click(app, modal(notify_on_close=True))

        async def closed(ack: Any, body: Json) -> None:
            app.heard.append(body)
            await ack()

        app.app.view_closed("reject")(closed)
        await click(twin, await posted(twin), "reject")
        assert (await twin.act("close", user=BORIS))["acknowledged"]
    assert [one["type"] for one in app.heard] == ["view_closed"]


async def test_an_answer_for_an_unknown_field_is_the_apps_mistake(twin: Twin) -> None:
    async with gateway(twin) as app:
        open_on_click(app, modal())

        async def mistaken(ack: Any) -> None:
            await ack(response_action="errors", errors={"nowhere": "x"})

        app.app.view("reject")(mistaken)
        await click(twin, await posted(twin), "reject")
        told = await twin.act("submit", user=BORIS, values={"reason": "because"})
        assert (told["shown"], told["view"] is not None) == ("We had some trouble connecting. Try again?", True)


@pytest.mark.parametrize(("seconds", "times", "error"), [(4, 1, "expired_trigger_id"), (0, 2, "exchanged_trigger_id")])
async def test_a_trigger_opens_one_modal_for_three_seconds(
    twin: Twin, clock: Clock, seconds: float, times: int, error: str
) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        await click(twin, await posted(twin))
        clock.ahead += seconds
        trigger, client = app.heard[0]["trigger_id"], twin.client()
        for _ in range(times - 1):
            await client.views_open(trigger_id=trigger, view=modal())
        with pytest.raises(SlackApiError, match=error):
            await client.views_open(trigger_id=trigger, view=modal())


async def test_a_command_is_answered_to_one_or_to_all(twin: Twin) -> None:
    async with gateway(twin) as app:

        async def answer(ack: Any, body: Json) -> None:
            app.heard.append(body)
            kind = "in_channel" if body["text"] == "loudly" else "ephemeral"
            await ack(text=f"said {body['text']}", response_type=kind)

        app.app.command("/banksman")(answer)
        for text in ("goals", "loudly"):
            told = await twin.act("command", user=ALICE, channel=CHANNEL, command=f"/banksman {text}")
            assert told["acknowledged"]
    assert [one["text"] for one in twin.messages(user=ALICE)] == ["said goals", "said loudly"]
    assert [one["text"] for one in twin.messages(user=BORIS)] == ["said loudly"]
    assert {(one["user_id"], one["user_name"], one["channel_id"]) for one in app.heard} == {(ALICE, "alice", CHANNEL)}


async def test_a_command_nobody_registered_reaches_nobody(twin: Twin) -> None:
    async with gateway(twin):
        told = await twin.act("command", user=ALICE, channel=CHANNEL, command="/deploy now")
    assert told["shown"] == "/deploy is not a valid command."
    assert twin.ask("envelopes") == []


async def test_a_response_url_serves_five_times_in_half_an_hour(twin: Twin, clock: Clock) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        await click(twin, ts)
        await click(twin, ts)
    urls = [one["response_url"] for one in app.heard]
    answers = [twin.hands.post(urls[0], json={"text": f"answer {number}"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert answers[-1].json()["error"] == "used_url"
    assert [one["text"] for one in twin.messages(user=ALICE)] == ["Approve?"]
    twin.hands.post(urls[1], json={"text": "Approved", "replace_original": True}).raise_for_status()
    assert twin.messages(user=ALICE)[0]["text"] == "Approved"
    clock.ahead += 1801
    assert twin.hands.post(urls[1], json={"text": "late"}).json()["error"] == "expired_url"


async def test_each_event_goes_to_one_of_several_connections(twin: Twin) -> None:
    async with gateway(twin) as one, gateway(twin) as other:
        for app in (one, other):
            note_clicks(app)
        ts = await posted(twin)
        for _ in range(4):
            await click(twin, ts)
    assert (len(one.heard), len(other.heard)) == (2, 2)


async def test_a_duplicate_is_handled_twice_by_bolt(twin: Twin) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        await plant(twin, kind="duplicate", of="interactive")
        assert (await click(twin, ts))["acknowledged"]
        await eventually(lambda: len(app.heard) == 2)
        assert app.heard[0]["actions"][0]["action_ts"] == app.heard[1]["actions"][0]["action_ts"]


async def test_a_lost_envelope_shows_an_error_and_reaches_nobody(make_twin: MakeTwin) -> None:
    twin = make_twin(ack_seconds=0.3)
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        await plant(twin, kind="lose")
        assert (await click(twin, ts))["shown"] == TIMED_OUT
        assert app.heard == []


async def test_a_lost_acknowledgement_shows_an_error_though_the_app_took_it(twin: Twin) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        await plant(twin, kind="lose_acknowledgement")
        assert (await click(twin, ts))["shown"] == TIMED_OUT
        assert len(app.heard) == 1
    assert [(one["ending"], one["fault"]) for one in twin.ask("envelopes")] == [("timed_out", "lose_acknowledgement")]


async def test_a_limit_may_come_after_the_acknowledgement(twin: Twin) -> None:
    async with gateway(twin) as app:

        async def settle(ack: Any, body: Json, client: Any) -> None:
            await ack()
            try:
                await client.chat_update(channel=CHANNEL, ts=body["message"]["ts"], text="Approved")
            except SlackApiError as error:
                app.heard.append({"error": error.response["error"], "wait": error.response.headers["Retry-After"]})

        app.app.action("approve")(settle)
        ts = await posted(twin)
        await plant(twin, kind="rate_limit_after", method="chat.update", retry_after=7)
        assert (await click(twin, ts))["acknowledged"]
        await eventually(lambda: app.heard == [{"error": "ratelimited", "wait": "7"}])
        await click(twin, ts)
        await eventually(lambda: twin.messages()[0]["text"] == "Approved")


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_an_app_that_is_asked_to_leave_comes_back(twin: Twin, reason: str) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        before = {one["id"] for one in twin.ask("connections")}
        await twin.act("disconnect", reason=reason)
        await eventually(lambda: bool({one["id"] for one in twin.ask("connections")} - before))
        await eventually(lambda: any(not one["leaving"] for one in twin.ask("connections")))
        assert (await click(twin, ts))["acknowledged"]
        assert len(app.heard) == 1


async def test_a_disconnect_may_come_instead_of_the_click(twin: Twin) -> None:
    async with gateway(twin) as app:
        note_clicks(app)
        ts = await posted(twin)
        await plant(twin, kind="disconnect")
        assert (await click(twin, ts))["ending"] == "unreachable"
        await app.connected()
        assert (await click(twin, ts))["acknowledged"]
        assert len(app.heard) == 1


async def test_an_address_of_a_socket_serves_once(twin: Twin, clock: Clock) -> None:
    client = twin.client()
    answer = await client.apps_connections_open(app_token=twin.config.app.app_token)
    url = str(answer["url"])
    assert url.startswith(f"ws{twin.address.removeprefix('http')}/")
    async with websockets.connect(url) as socket:
        assert '"type": "hello"' in str(await socket.recv())
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(url)
    late = str((await client.apps_connections_open(app_token=twin.config.app.app_token))["url"])
    clock.ahead += 31
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(late)


async def test_the_eleventh_connection_is_sent_away(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"enforced": False})
    client, sockets = twin.client(), list[websockets.ClientConnection]()
    for _ in range(11):
        url = (await client.apps_connections_open(app_token=twin.config.app.app_token))["url"]
        sockets.append(await websockets.connect(str(url)))
    hello = [str(await socket.recv()) for socket in sockets]
    for socket in sockets:
        await socket.close()
    assert ['"hello"' in one for one in hello] == [True] * 10 + [False]
    assert "too_many_websockets" in hello[-1]


async def test_a_mention_is_an_event_and_comes_again_until_it_is_taken(make_twin: MakeTwin) -> None:
    twin = make_twin(ack_seconds=0.3, event_retry_seconds=(0.0, 0.0, 0.0))
    async with gateway(twin) as app:

        async def hear(body: Json) -> None:
            app.heard.append(body)

        app.app.event("app_mention")(hear)
        await plant(twin, kind="lose", of="events_api", times=2)
        await twin.act("say", user=ALICE, channel=CHANNEL, text="@Banksman what waits? <b>")
        await twin.act("say", user=ALICE, channel=CHANNEL, text="nobody is meant")
        await eventually(lambda: len(app.heard) == 1)
        await eventually(lambda: twin.ask("envelopes")[-1]["ending"] is not None)
    assert app.heard[0]["event"]["text"] == "<@U0BANKSMAN> what waits? &lt;b&gt;"
    sent = [(one["attempt"], one["ending"]) for one in twin.ask("envelopes")]
    assert sent == [(0, "timed_out"), (1, "timed_out"), (2, "acknowledged")]


async def test_who_is_gone_or_not_in_the_channel_cannot_act(make_twin: MakeTwin) -> None:
    people = [
        {"id": ALICE, "name": "alice", "real_name": "Alice"},
        {"id": BORIS, "name": "boris", "real_name": "Boris"},
        {"id": "U0GONE", "name": "gone", "real_name": "Gone", "deactivated": True},
    ]
    twin = make_twin(people=people, channels=[{"id": CHANNEL, "name": "deployments", "members": [ALICE, "U0GONE"]}])
    ts = await posted(twin)
    for user in (BORIS, "U0GONE", "U0NOBODY"):
        asked = {"user": user, "channel": CHANNEL, "ts": ts, "action_id": "approve"}
        assert twin.hands.post("/_twin/click", json=asked).status_code == 409
    assert twin.ask("envelopes") == []
