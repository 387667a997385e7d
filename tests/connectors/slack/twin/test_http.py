"""HTTP mode: signed requests to the app's own address, taken by slack-bolt, which checks the signature."""

import contextlib
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest
import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.slack.twin.requests import signature
from tests.connectors.slack.conftest import MakeTwin
from tests.connectors.slack.workspace import ALICE, BORIS, CHANNEL, PATIENCE, Clock, Json, Twin, eventually, posted

SECRET = "signing-secret-of-the-tests"


@contextlib.contextmanager
def app_at(client: AsyncWebClient, heard: list[Json], *, statuses: list[int]) -> Generator[str]:
    """An app with an address; what it answers is noted in `statuses`."""
    app = AsyncApp(client=client, signing_secret=SECRET)
    handler = AsyncSlackRequestHandler(app)

    async def note(ack: Any, body: Json) -> None:
        heard.append(body)
        await ack()

    async def answer(ack: Any, body: Json) -> None:
        heard.append(body)
        await ack(f"said {body['text']}")

    app.action("approve")(note)
    app.event("app_mention")(note)
    app.command("/banksman")(answer)

    async def events(request: Request) -> Response:
        response = await handler.handle(request)
        statuses.append(response.status_code)
        return response

    routed = Starlette(routes=[Route("/slack/events", events, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(routed, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/slack/events"
        server.should_exit = True
        thread.join(timeout=PATIENCE)


def by_http(make_twin: MakeTwin, url: str, **more: object) -> Twin:
    app = {"request_url": url, "signing_secret": SECRET, **more}
    return make_twin(app=app, event_retry_seconds=[])


async def test_clicks_commands_and_events_come_signed(make_twin: MakeTwin) -> None:
    heard, statuses, client = list[Json](), list[int](), AsyncWebClient(token="xoxb-banksman-embedded")
    with app_at(client, heard, statuses=statuses) as url:
        twin = by_http(make_twin, url)
        client.base_url = f"{twin.address}/api/"
        ts = await posted(twin)
        clicked = await twin.act("click", user=BORIS, channel=CHANNEL, ts=ts, action_id="approve")
        commanded = await twin.act("command", user=ALICE, channel=CHANNEL, command="/banksman goals & more")
        await twin.act("say", user=ALICE, channel=CHANNEL, text="@banksman hello")
        await eventually(lambda: len(heard) == 3)
    assert (clicked["acknowledged"], commanded["acknowledged"], statuses) == (True, True, [200, 200, 200])
    assert heard[0]["actions"][0]["action_id"] == "approve"
    assert heard[2]["event"]["user"] == ALICE
    assert [one["text"] for one in twin.messages(user=ALICE) if one["only_for"]] == ["said goals & more"]


@pytest.mark.parametrize(("secret", "ahead"), [("another-secret", 0), (SECRET, -400)])
async def test_a_forged_or_old_request_is_refused_and_the_person_sees_it(
    make_twin: MakeTwin, clock: Clock, secret: str, ahead: float
) -> None:
    heard, statuses, client = list[Json](), list[int](), AsyncWebClient(token="xoxb-banksman-embedded")
    with app_at(client, heard, statuses=statuses) as url:
        twin = by_http(make_twin, url, signing_secret=secret)
        client.base_url = f"{twin.address}/api/"
        ts = await posted(twin)
        clock.ahead = ahead
        told = await twin.act("click", user=BORIS, channel=CHANNEL, ts=ts, action_id="approve")
    assert (told["acknowledged"], told["ending"], statuses, heard) == (False, "refused", [401], [])


async def test_there_is_no_socket_mode_beside_it(make_twin: MakeTwin) -> None:
    twin = by_http(make_twin, "http://127.0.0.1:9/slack/events")
    answer = twin.hands.post(
        "/api/apps.connections.open", headers={"Authorization": f"Bearer {twin.config.app.app_token}"}
    )
    assert answer.json() == {"ok": False, "error": "socket_mode_not_enabled"}
    told = await twin.act("click", user=BORIS, channel=CHANNEL, ts=await posted(twin), action_id="approve")
    assert told["ending"] == "unreachable"


def test_the_signature_is_the_one_that_the_sdk_checks(clock: Clock) -> None:
    timestamp, body = str(int(clock())), "payload=%7B%7D"
    signed = signature(SECRET, timestamp=timestamp, body=body.encode())
    assert SignatureVerifier(SECRET).is_valid(body=body, timestamp=timestamp, signature=signed)
