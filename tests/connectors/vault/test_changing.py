"""A text that many change at once, at a real OpenBao."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from connectors.errors import Unavailable
from connectors.vault.changing import change_text
from connectors.vault.transport import Transport
from hitl.console.access.key_uses import UsedBefore, used_once_more
from tests.connectors.vault.server import House


@pytest.fixture
def transport(house: House) -> Iterator[Transport]:
    transport = Transport(house.server.address)
    yield transport
    transport.close()


async def test_of_many_at_once_none_is_lost(house: House, transport: Transport) -> None:
    path, root = f"webauthn/{secrets.token_hex(8)}", house.server.root
    changes = [change_text(transport, root, path, lambda text: str(int(text or 0) + 1)) for _ in range(4)]
    await asyncio.gather(*changes)
    seen: list[str | None] = []

    def look(text: str | None) -> str:
        seen.append(text)
        return "over"

    await change_text(transport, root, path, look)
    assert seen == ["4"]


async def test_what_was_deleted_by_hand_is_not_begun_anew(house: House, transport: Transport) -> None:
    path, root = f"webauthn/{secrets.token_hex(8)}", house.server.root
    await change_text(transport, root, path, lambda _: "first")
    house.server.admin("DELETE", f"banksman/data/{path}")
    with pytest.raises(Unavailable, match="an operator must look"):
        await change_text(transport, root, path, lambda _: "second")


async def test_a_confirmation_counts_once_and_a_key_only_upwards(house: House, transport: Transport) -> None:
    path, root = f"webauthn/{secrets.token_hex(8)}", house.server.root

    async def use(count: int, challenge: str) -> None:
        await change_text(transport, root, path, lambda text: used_once_more(text, count=count, challenge=challenge))

    await use(5, "first")
    for count, challenge, problem in (
        (6, "first", "was used already"),
        (5, "second", "counts less"),
        (3, "second", "counts less"),
        (0, "second", "counts less"),
    ):
        with pytest.raises(UsedBefore, match=problem):
            await use(count, challenge)
    await use(6, "second")
    at_once = await asyncio.gather(use(7, "third"), use(7, "third"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in at_once) == ["NoneType", "UsedBefore"]


async def test_a_key_that_does_not_count_is_used_once_for_each_challenge() -> None:
    record = used_once_more(None, count=0, challenge="first")
    record = used_once_more(record, count=0, challenge="second")
    with pytest.raises(UsedBefore):
        used_once_more(record, count=0, challenge="first")
