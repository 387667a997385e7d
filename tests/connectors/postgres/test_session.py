"""The connection to a database: what each refusal becomes, and that a password goes in plain to nobody elsewhere."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, MalformedAnswer, NotFound, Unavailable
from connectors.neon.twin.app import create_twin
from connectors.postgres.session import Server, connected
from tests.connectors.neon.at_neon import MAIN, PASSWORD_CANARY, AtNeon, config
from tests.connectors.serving import served_twin

pytestmark = pytest.mark.timeout(180)
LEFT_OPEN = "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'banksman' AND pid <> pg_backend_pid()"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served_twin(create_twin(config(tmp_path))) as served:
        query = {"branch_id": MAIN, "database_name": "shop", "role_name": "shop_owner"}
        uri = AtNeon(served).ask("GET", "/connection_uri", params=query)["uri"]
        yield Server.of(SecretStr(uri), what="the shop")


async def said(server: Server, sql: str = "SELECT 1", **values: object) -> str:
    """What the error says, with its kind."""
    with pytest.raises(ConnectorError) as told:
        async with connected(server) as database:
            await database.run(sql, **values)
    assert PASSWORD_CANARY not in f"{told.value!r} {told.value.__cause__!r} {server!r}"
    return f"{type(told.value).__name__}: {told.value}"


async def test_statements_are_run_with_values_that_are_no_part_of_them(server: Server) -> None:
    async with connected(server) as database:
        assert await database.names("SELECT :name", name="'; DROP TABLE x; --") == ["'; DROP TABLE x; --"]
        await database.run("CREATE TABLE one (id int); INSERT INTO one VALUES (1)")
        assert await database.run("SELECT id FROM one") == [[1]]


async def test_a_transaction_is_done_wholly_or_not_at_all(server: Server) -> None:
    async def broken() -> None:
        async with connected(server) as database, database.whole():
            await database.run("CREATE TABLE half (id int)")
            await database.run("SELECT nothing FROM nowhere")

    with pytest.raises(InvalidRequest):
        await broken()
    async with connected(server) as database:
        assert await database.run("SELECT to_regclass('half') IS NULL") == [[True]]


async def test_each_refusal_is_of_its_kind_and_shows_no_password(server: Server) -> None:
    wrong = replace(server, password=SecretStr("wrong"))
    assert (await said(wrong)).startswith(f"{AuthDenied.__name__}: ")
    assert (await said(replace(server, database="nothing"))).startswith(f"{NotFound.__name__}: ")
    assert (await said(server, "SELECT nothing")).startswith(f"{InvalidRequest.__name__}: ")
    locked = await said(server, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03'; END $$")
    assert locked.startswith(f"{Unavailable.__name__}: ")
    assert (await said(replace(server, port=1))).startswith(f"{Unavailable.__name__}: ")


async def test_a_server_elsewhere_gets_no_password_without_a_certificate_that_is_trusted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (server.local, server.sslmode) == (True, "disable")
    elsewhere = replace(server, host="db.example.com")
    assert (elsewhere.local, elsewhere.sslmode) == (False, "verify-full")
    # The twin's server speaks no TLS, as one between us and the real one would like it.
    monkeypatch.setattr(Server, "local", False)
    assert "does not answer" in await said(server)
    monkeypatch.undo()
    async with connected(server) as database:
        assert await database.run(LEFT_OPEN) == [[0]]


@pytest.mark.parametrize(
    "uri", ["", "postgresql://", "postgresql://host/db", "postgresql://a:b@host", "postgresql://a:b@/db"]
)
def test_a_connection_string_without_its_parts_is_refused(uri: str) -> None:
    with pytest.raises(MalformedAnswer, match="names no host, role or database"):
        Server.of(SecretStr(uri), what="the shop")


def test_what_is_escaped_in_a_connection_string_is_read() -> None:
    found = Server.of(SecretStr("postgresql://a%40b:p%2Fq@h.example.com/d%20b?sslmode=require"), what="it")
    assert (found.role, found.password.get_secret_value(), found.database) == ("a@b", "p/q", "d b")
    assert (found.host, found.port) == ("h.example.com", 5432)


async def test_one_that_is_cancelled_while_it_opens_is_closed(server: Server) -> None:
    async def use() -> None:
        async with connected(server):
            await asyncio.get_running_loop().create_future()

    opening = asyncio.create_task(use())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with connected(server) as database, asyncio.timeout(30):
        while await database.run(LEFT_OPEN) != [[0]]:  # noqa: ASYNC110 - what is asked lies in a server
            await asyncio.sleep(0.05)
