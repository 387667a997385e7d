"""What is seen of a role's locks: the strongest of each table, for as long as it is held, and nobody else's."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.neon.twin.app import create_twin
from connectors.postgres.locks import Locks, SeenLock, watched_locks
from connectors.postgres.session import Rows, Server, connected
from tests.connectors.neon.at_neon import MAIN, AtNeon, config
from tests.connectors.serving import served_twin

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served_twin(create_twin(config(tmp_path))) as served:
        query = {"branch_id": MAIN, "database_name": "shop", "role_name": "shop_owner"}
        uri = AtNeon(served).ask("GET", "/connection_uri", params=query)["uri"]
        yield Server.of(SecretStr(uri), what="the shop")


def test_the_strongest_lock_counts_and_its_time_alone() -> None:
    locks = Locks()
    locks.note({"public.a": 0, "public.b": 7}, 1.0)
    locks.note({"public.a": 2}, 0.5)
    locks.note({"public.a": 2, "public.b": 1}, 0.25)
    locks.note({"public.a": 0}, 10.0)
    assert locks.looks == 4
    assert list(locks.seen().items()) == [
        ("public.b", SeenLock("AccessExclusiveLock", 1.0)),
        ("public.a", SeenLock("RowExclusiveLock", 0.75)),
    ]


async def test_the_locks_of_one_role_are_seen_while_they_are_held(server: Server) -> None:
    async with connected(server) as looking, connected(server) as working, connected(server) as other:
        await working.run("CREATE TABLE orders (id int); CREATE TABLE carts (id int)")
        async with watched_locks(looking, server.role) as locks, working.whole():
            await working.run("LOCK TABLE orders IN SHARE MODE")
            await _seen(locks, "public.orders")
            await working.run("LOCK TABLE carts")
            await _seen(locks, "public.carts")
        assert {table: one.mode for table, one in locks.seen().items()} == {
            "public.carts": "AccessExclusiveLock",
            "public.orders": "ShareLock",
        }
        async with watched_locks(looking, "somebody_else") as locks, other.whole():
            await other.run("LOCK TABLE orders")
            before = locks.looks
            while locks.looks < before + 3:  # noqa: ASYNC110 - the other task looks
                await asyncio.sleep(0.01)
        assert locks.seen() == {}


async def test_a_look_that_is_under_way_ends_before_its_connection_is_closed(server: Server) -> None:
    async with connected(server) as looking:
        run, under_way = looking.run, list[str]()

        async def slowly(sql: str, **values: object) -> Rows:
            under_way.append(sql)
            try:
                return await run("SELECT pg_sleep(0.3); SELECT 1, 1")
            finally:
                under_way.pop()

        looking.run = slowly  # type: ignore[method-assign]
        async with watched_locks(looking, server.role):
            while not under_way:  # noqa: ASYNC110 - the other task looks
                await asyncio.sleep(0.01)
        assert not under_way
        assert await run("SELECT 1") == [[1]]


async def _seen(locks: Locks, table: str) -> None:
    async with asyncio.timeout(20):
        while table not in locks.seen():  # noqa: ASYNC110 - the other task looks
            await asyncio.sleep(0.01)


async def test_looks_that_come_to_an_end_say_so(server: Server) -> None:
    async with connected(server) as looking:
        async with watched_locks(looking, server.role) as locks:
            [pid] = await looking.names("SELECT pg_backend_pid()")
            async with connected(server) as other:
                await other.run("SELECT pg_terminate_backend(:pid)", pid=int(pid))
            async with asyncio.timeout(20):
                while locks.complete:  # noqa: ASYNC110 - the other task looks
                    await asyncio.sleep(0.01)
        assert not locks.complete
