"""The fault injector in front of a small application, served by a real server: what a client meets, and what ran."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from connectors.twins.faults import FaultInjector

pytestmark = pytest.mark.asyncio(loop_scope="module")

_CANARY = "canary-ghs_7c1f"


class Effects:
    """An application that remembers what it did."""

    def __init__(self) -> None:
        self.done: list[bytes] = []

    async def answer(self, request: Request) -> Response:
        self.done.append(await request.body())
        return JSONResponse({"done": len(self.done)}, status_code=201)

    def app(self) -> FaultInjector:
        return FaultInjector(Starlette(routes=[Route("/{rest:path}", self.answer, methods=["GET", "POST", "PUT"])]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[tuple[str, Effects]]:
    effects = Effects()
    config = uvicorn.Config(effects.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", effects
        server.should_exit = True
        await serving


@pytest.fixture
def effects(served: tuple[str, Effects]) -> Effects:
    served[1].done.clear()
    return served[1]


@pytest_asyncio.fixture(loop_scope="module")
async def client(served: tuple[str, Effects], effects: Effects) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served[0], timeout=10) as client:
        await client.delete("/_twin/faults")
        await client.delete("/_twin/requests")
        yield client


async def plant(client: httpx.AsyncClient, *faults: dict[str, object]) -> None:
    response = await client.post("/_twin/faults", json=list(faults))
    assert response.status_code == 201, response.text


async def seen(client: httpx.AsyncClient) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", (await client.get("/_twin/requests")).json())


async def test_without_a_fault_the_app_answers(client: httpx.AsyncClient, effects: Effects) -> None:
    response = await client.post("/a", content=b"payload")
    assert (response.status_code, response.json(), effects.done) == (201, {"done": 1}, [b"payload"])
    [one] = await seen(client)
    assert one["at"]
    del one["at"]
    assert one == {"method": "POST", "path": "/a", "status": 201, "handled": True, "fault": None}


async def test_a_status_with_headers_and_body_stands_for_the_effect(
    client: httpx.AsyncClient, effects: Effects
) -> None:
    await plant(client, {"kind": "status", "status": 429, "headers": {"retry-after": "7"}, "body": {"message": "slow"}})
    response = await client.get("/a")
    assert (response.status_code, response.headers["retry-after"], response.json()) == (429, "7", {"message": "slow"})
    assert effects.done == []
    [one] = await seen(client)
    assert (one["status"], one["handled"], one["fault"]) == (429, False, "status")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_body_stays_without(client: httpx.AsyncClient, status: int) -> None:
    await plant(client, {"kind": "status", "status": status, "body": "never sent"})
    response = await client.get("/a")
    assert (response.status_code, response.content) == (status, b"")


async def test_garbage_is_a_success_that_means_nothing(client: httpx.AsyncClient, effects: Effects) -> None:
    await plant(client, {"kind": "garbage"})
    response = await client.get("/a")
    assert response.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()
    assert effects.done == []


async def test_a_dropped_answer_leaves_no_effect(client: httpx.AsyncClient, effects: Effects) -> None:
    await plant(client, {"kind": "drop"})
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/a")
    assert effects.done == []
    [one] = await seen(client)
    assert (one["status"], one["handled"]) == (None, False)


async def test_an_answer_dropped_after_the_effect_leaves_the_effect(
    client: httpx.AsyncClient, effects: Effects
) -> None:
    await plant(client, {"kind": "drop_after_effect"})
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/a", content=b"x")
    assert effects.done == [b"x"]
    [one] = await seen(client)
    assert (one["status"], one["handled"], one["fault"]) == (None, True, "drop_after_effect")


async def test_a_delay_keeps_the_body_for_the_app(client: httpx.AsyncClient, effects: Effects) -> None:
    await plant(client, {"kind": "delay", "seconds": 0.2})
    body = b"b" * 300_000
    response = await client.post("/a", content=body)
    assert response.status_code == 201
    assert effects.done == [body]


async def test_a_client_that_hangs_up_during_a_delay_has_asked_for_nothing(
    client: httpx.AsyncClient, effects: Effects
) -> None:
    # The second delay ends after the first: had the app been going to run for the first request, it would have by then.
    await plant(client, {"kind": "delay", "seconds": 0.4}, {"kind": "delay", "seconds": 0.5})
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/a", content=b"x", timeout=0.1)
    await client.post("/b", content=b"y")
    assert effects.done == [b"y"]
    first = (await seen(client))[0]
    assert (first["path"], first["status"], first["handled"], first["fault"]) == ("/a", None, False, "delay")


async def test_a_fault_holds_as_often_as_it_says(client: httpx.AsyncClient) -> None:
    await plant(client, {"kind": "status", "status": 500, "times": 2})
    assert [(await client.get("/a")).status_code for _ in range(3)] == [500, 500, 201]
    assert (await client.get("/_twin/faults")).json() == []


async def test_what_is_left_of_a_fault_is_shown(client: httpx.AsyncClient) -> None:
    await plant(client, {"kind": "drop", "times": 3, "path": "^/never$"})
    await plant(client, {"kind": "status", "status": 503, "times": 2})
    await client.get("/a")
    left = cast("list[dict[str, object]]", (await client.get("/_twin/faults")).json())
    assert [(one["kind"], one["times"]) for one in left] == [("drop", 3), ("status", 1)]


async def test_faults_meet_requests_by_method_and_path_in_order(client: httpx.AsyncClient) -> None:
    await plant(
        client,
        {"kind": "status", "status": 500, "method": "post", "path": "^/a/[0-9]+$"},
        {"kind": "status", "status": 502, "path": "/a"},
        {"kind": "status", "status": 503, "path": "/a"},
    )
    assert (await client.post("/b/1")).status_code == 201
    assert (await client.post("/a/x")).status_code == 502
    assert (await client.get("/a/1")).status_code == 503
    assert (await client.post("/a/1")).status_code == 500
    assert (await client.post("/a/1")).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"3",
        b"null",
        b"{}",
        b'{"kind": "flood"}',
        b'{"kind": "status"}',
        b'{"kind": "status", "status": 99}',
        b'{"kind": "status", "status": 150}',
        b'{"kind": "status", "status": 500, "headers": {"a": "b\\r\\nc: d"}}',
        b'{"kind": "status", "status": 500, "headers": {"a b": "c"}}',
        b'{"kind": "status", "status": 500, "body": {"a": NaN}}',
        b'{"kind": "status", "status": 500, "body": {"a": "\\ud800"}}',
        b'{"kind": "drop", "times": 0}',
        b'{"kind": "drop", "path": "("}',
        b'{"kind": "drop", "unknown": 1}',
        b'{"kind": "delay", "seconds": -1}',
        b'{"kind": "delay", "seconds": NaN}',
        b'{"kind": "delay", "seconds": 1e9}',
        b'[{"kind": "drop"}, {"kind": "flood"}]',
        b"[" * 100_000,
    ],
)
async def test_an_invalid_fault_is_refused_whole(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/_twin/faults", content=body)
    assert response.status_code == 422
    assert response.json()["message"]
    assert (await client.get("/_twin/faults")).json() == []
    assert (await client.get("/a")).status_code == 201


async def test_faults_and_requests_are_forgotten_on_demand(client: httpx.AsyncClient) -> None:
    await plant(client, {"kind": "drop"})
    assert (await client.delete("/_twin/faults")).status_code == 204
    assert (await client.get("/a")).status_code == 201
    assert (await client.delete("/_twin/requests")).status_code == 204
    assert await seen(client) == []


async def test_an_unknown_control_path_says_which_there_are(client: httpx.AsyncClient) -> None:
    response = await client.put("/_twin/faults")
    assert response.status_code == 404
    assert "/_twin/requests" in response.json()["message"]


async def test_the_request_log_holds_neither_bodies_nor_credentials(client: httpx.AsyncClient) -> None:
    await plant(client, {"kind": "drop_after_effect"})
    for _ in range(2):
        try:
            await client.post(
                f"/a?token={_CANARY}",
                content=_CANARY.encode(),
                headers={"authorization": f"Bearer {_CANARY}", "cookie": f"session={_CANARY}"},
            )
        except httpx.RemoteProtocolError:
            continue
    assert len(await seen(client)) == 2
    assert _CANARY not in (await client.get("/_twin/requests")).text


async def test_concurrent_requests_share_a_fault_only_as_often_as_it_says(client: httpx.AsyncClient) -> None:
    await plant(client, {"kind": "status", "status": 500, "times": 7})
    answers = await asyncio.gather(*(client.get("/a") for _ in range(20)))
    assert sorted(one.status_code for one in answers) == [201] * 13 + [500] * 7


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_not_http_passes_untouched(kind: str) -> None:
    met: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        met.append(scope)
        await send(await receive())

    async def receive() -> Message:
        return {"type": f"{kind}.receive"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": kind, "path": "/_twin/faults"}
    await FaultInjector(app)(scope, receive, send)
    assert met == [scope]
    assert sent == [{"type": f"{kind}.receive"}]
