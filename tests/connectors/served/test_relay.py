"""The relay and a machine's end of it, over real TLS: the honest way, and everybody who has no business there."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from activities.models.served import ServedPage
from tests.connectors.models.compatible import Compatible, says
from tests.connectors.served.tunnelled import CALLER, HERE, TICKET, Tunnelled, tunnelled, until
from tests.connectors.serving import served

BODY: dict[str, Any] = {"model": "lamp-1", "messages": []}
CHAT = "/v1/chat/completions"
SECRET = "5" * 64


@pytest.fixture
def model() -> Compatible:
    return Compatible()


@pytest.fixture
def port(model: Compatible) -> Iterator[int]:
    with served(model.app()) as url:
        yield int(url.rpartition(":")[2])


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Tunnelled]:
    async with tunnelled(tmp_path) as found:
        yield found


def hello(**more: object) -> dict[str, object]:
    return {"version": 1, "name": "gpu", "ticket": TICKET, "secret": SECRET, **more}


async def is_refused(place: Tunnelled, told: object) -> bool:
    """Whether nothing at all is said to it."""
    reader, writer = await place.raw(told)
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True
    finally:
        writer.close()


async def is_admitted(place: Tunnelled, told: object) -> bool:
    reader, writer = await place.raw(told)
    said = await reader.readline()
    writer.close()
    return said == b'{"admitted": true}\n'


async def test_a_machine_that_dialled_in_is_asked_and_sees_nothing_of_ours(
    place: Tunnelled, model: Compatible, port: int
) -> None:
    model.answers = [says("lit"), says("still lit")]
    await place.claim()
    async with place.machine(port):
        await until(lambda: _has(place, 2))
        for word in ("lit", "still lit"):
            told = await place.ask(CHAT, method="POST", body=BODY)
            assert told.json()["choices"][0]["message"]["content"] == word
        await until(lambda: _has(place, 2))
    assert model.keys == ["", ""]
    assert model.asked == [BODY, BODY]


async def test_what_it_is_known_by_lies_nowhere_but_on_the_machine(place: Tunnelled, port: int) -> None:
    await place.claim()
    async with place.machine(port) as home:
        await until(lambda: _has(place, 2))
        secret = (home / "secret").read_text()
    assert (home / "secret").stat().st_mode & 0o077 == 0
    kept = "".join(place.book.pages.values())
    assert secret not in kept
    assert TICKET not in kept
    assert CALLER not in kept


async def test_it_comes_back_by_itself_after_its_end_was_killed(place: Tunnelled, model: Compatible, port: int) -> None:
    model.answers = [says()]
    await place.claim()
    async with place.machine(port) as home:
        await until(lambda: _has(place, 2))
    await until(lambda: _has(place, 0))
    assert (await place.ask(CHAT, method="POST", body=BODY)).status_code == 503
    async with place.machine(port, home=home):
        await until(lambda: _has(place, 2))
        assert (await place.ask(CHAT, method="POST", body=BODY)).status_code == 200


async def test_a_tunnel_that_is_cut_in_mid_request_ends_that_request(place: Tunnelled) -> None:
    begun = asyncio.Event()

    async def never(request: Request) -> JSONResponse:
        begun.set()
        await request.receive()
        await asyncio.Event().wait()
        return JSONResponse({})

    with served(Starlette(routes=[Route(CHAT, never, methods=["POST"])])) as url:
        await place.claim()
        async with place.machine(int(url.rpartition(":")[2])):
            await until(lambda: _has(place, 2))
            asking = asyncio.create_task(place.ask(CHAT, method="POST", body=BODY))
            await until(lambda: _set(begun))
    with pytest.raises(Exception, match="disconnected"):
        await asking


@pytest.mark.parametrize(
    "told",
    [
        hello(ticket="8" * 64),
        hello(ticket=""),
        hello(name="other"),
        hello(version=2),
        hello(secret="short"),
        b"\x00\xff",
        b"GET / HTTP/1.1\r\n",
        [1, 2],
    ],
    ids=["wrong-ticket", "no-ticket", "another-name", "version", "short-secret", "bytes", "http", "list"],
)
async def test_an_impostor_is_refused_and_told_nothing(place: Tunnelled, told: object) -> None:
    await place.claim()
    assert await is_refused(place, told)
    assert await is_admitted(place, hello())


async def test_a_ticket_takes_the_name_once(place: Tunnelled) -> None:
    await place.claim()
    assert await is_admitted(place, hello())
    assert await is_refused(place, hello(secret="6" * 64))
    assert await is_admitted(place, hello())


async def test_of_two_machines_that_come_at_once_one_has_the_name(place: Tunnelled) -> None:
    await place.claim()
    told = [hello(secret=str(number) * 64) for number in range(4)]
    lines = [await place.raw(one) for one in told]
    said = await asyncio.gather(*(reader.readline() for reader, _ in lines), return_exceptions=True)
    assert [one for one in said if one == b'{"admitted": true}\n'] == [b'{"admitted": true}\n']
    for _, writer in lines:
        writer.close()


async def test_a_name_is_one_goals_until_its_end(place: Tunnelled) -> None:
    assert await place.claim()
    assert not await place.claim(goal="serve/other", ticket="9" * 64)
    await place.served.withdraw("gpu", "serve/other")
    assert await is_admitted(place, hello())
    await place.served.withdraw("gpu", "serve/one")
    assert await place.claim(goal="serve/other", ticket="9" * 64)
    assert await is_refused(place, hello())


async def test_a_lease_that_is_over_admits_nobody(place: Tunnelled) -> None:
    await place.claim(hours=0)
    assert await is_refused(place, hello())


async def test_who_serves_no_longer_is_cut_off_in_mid_line(place: Tunnelled, port: int) -> None:
    await place.claim()
    async with place.machine(port):
        await until(lambda: _has(place, 2))
        await place.served.withdraw("gpu", "serve/one")
        assert (await place.ask("/v1/models")).status_code == 503
        await place.relay.review()
        await place.claim(ticket="9" * 64)
        assert await place.lines() == 0


@pytest.mark.parametrize("key", [TICKET, "wrong"])
async def test_who_has_not_the_key_asks_no_machine(place: Tunnelled, model: Compatible, port: int, key: str) -> None:
    await place.claim()
    async with place.machine(port):
        await until(lambda: _has(place, 2))
        assert (await place.ask(CHAT, method="POST", body=BODY, key=key)).status_code == 401
        assert (await place.ask("/-/state", key=key)).status_code == 401
    assert model.asked == []


@pytest.mark.parametrize(
    ("path", "method"),
    [("/admin", "GET"), ("/v1/../admin", "GET"), (CHAT, "DELETE"), ("/v1/models?a=b", "GET")],
)
async def test_only_a_models_own_paths_are_passed_on(place: Tunnelled, path: str, method: str) -> None:
    await place.claim()
    assert await is_admitted(place, hello())
    head = f"{method} /gpu{path} HTTP/1.1\r\nauthorization: Bearer {CALLER}\r\n\r\n"
    assert b" 404 " in await _said(place, head)


async def test_it_says_that_it_is_there_to_whoever_starts_it(place: Tunnelled) -> None:
    assert b" 200 " in await _said(place, "GET /healthz HTTP/1.1\r\n\r\n")


async def test_a_line_that_talks_out_of_turn_ends(place: Tunnelled) -> None:
    await place.claim()
    reader, writer = await place.raw(hello())
    await reader.readline()
    writer.write(b"GET /v1/models HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()


async def test_a_machine_trusts_no_other_relay(place: Tunnelled, tmp_path: Path, port: int) -> None:
    """Whoever sits between is shown neither ticket nor secret."""
    (tmp_path / "false").mkdir()
    broken_off: list[int] = []
    async with tunnelled(tmp_path / "false") as false:

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = await asyncio.open_connection(HERE, false.port)
            passing = [asyncio.create_task(_pass(reader, there[1])), asyncio.create_task(_pass(there[0], writer))]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            broken_off.append(1)
            there[1].close()
            writer.close()

        await false.claim()
        async with await asyncio.start_server(between, HERE, 0) as sitting:
            home = place.configured(port)
            text = (home / "tunnel.json").read_text()
            (home / "tunnel.json").write_text(text.replace(str(place.port), str(sitting.sockets[0].getsockname()[1])))
            async with place.machine(port, home=home):
                await until(lambda: _at_least(broken_off, 2))
        assert ServedPage.read(false.book.pages["served/local/gpu"]).secret == ""
        assert await is_admitted(false, hello())


async def _said(place: Tunnelled, head: str) -> bytes:
    host, _, port = place.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode())
    found = await reader.read()
    writer.close()
    return found


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(4096):
        writer.write(chunk)


async def _at_least(seen: list[int], many: int) -> bool:
    return len(seen) >= many


async def _has(place: Tunnelled, lines: int) -> bool:
    return await place.lines() == lines


async def _set(event: asyncio.Event) -> bool:
    return event.is_set()
