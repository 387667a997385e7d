"""What is written once, at a real OpenBao."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from connectors.errors import AuthDenied, NotFound
from connectors.vault.once import write_once, written
from connectors.vault.transport import Transport
from tests.connectors.vault.server import House


@pytest.fixture
def transport(house: House) -> Iterator[Transport]:
    transport = Transport(house.server.address)
    yield transport
    transport.close()


@pytest.fixture
def path() -> str:
    return f"grants/{secrets.token_hex(8)}"


async def test_the_first_text_stays(house: House, transport: Transport, path: str) -> None:
    root = house.server.root
    assert await write_once(transport, root, path, "first") == "first"
    assert await write_once(transport, root, path, "second") == "first"
    assert await write_once(transport, root, path, "first") == "first"


async def test_of_many_at_once_one_wins_and_all_know_who(house: House, transport: Transport, path: str) -> None:
    root = house.server.root
    found = await asyncio.gather(*(write_once(transport, root, path, f"writer {number}") for number in range(12)))
    assert len(set(found)) == 1


async def test_what_was_deleted_is_not_written_again(house: House, transport: Transport, path: str) -> None:
    await write_once(transport, house.server.root, path, "first")
    house.server.admin("DELETE", f"banksman/data/{path}")
    with pytest.raises(NotFound):
        await write_once(transport, house.server.root, path, "second")


async def test_what_was_written_is_read_and_what_was_not_or_was_deleted_is_none(
    house: House, transport: Transport, path: str
) -> None:
    root = house.server.root
    assert await written(transport, root, path) is None
    await write_once(transport, root, path, "first")
    assert await written(transport, root, path) == "first"
    house.server.admin("DELETE", f"banksman/data/{path}")
    assert await written(transport, root, path) is None


async def test_who_may_not_read_it_is_told_and_not_that_there_is_none(house: House, path: str) -> None:
    goals = await house.login("goals")
    with pytest.raises(AuthDenied):
        await goals.written(path)
