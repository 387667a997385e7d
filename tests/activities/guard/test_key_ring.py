"""The key ring: fresh keys, a rotation and a revocation at a real Vault, and no trust in old ones."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.guard.key_ring import TOO_OLD_SECONDS, KeyRing
from connectors.errors import AuthDenied, Unavailable
from connectors.vault.session import VaultSession
from connectors.vault.transport import Transport
from hitl.approval.decision import SignedDecision
from hitl.approval.signing import refuse_signature
from hitl.protocol import Refusal, RefusalReason
from tests.connectors.vault.server import House, VaultServer

TEXT = "banksman-decision/v1\n{}"
PEPPER = bytes(range(32))


class Source:
    """Vault's side, by hand."""

    def __init__(self) -> None:
        self.answer: Mapping[int, bytes] | Exception = {1: PEPPER}
        self.asked = 0
        self.now = 1000.0
        self.slow = 0.0

    async def __call__(self) -> Mapping[int, bytes]:
        self.asked += 1
        self.now += self.slow
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ring(self) -> KeyRing:
        return KeyRing(self, clock=lambda: self.now)


async def test_before_the_first_answer_nothing_is_verified() -> None:
    source = Source()
    ring = source.ring()
    assert ring.age_seconds == float("inf")
    with pytest.raises(Unavailable, match="since this process started"):
        ring.current()
    await ring.refresh()
    assert set(ring.current()) == {1}


async def test_keys_are_trusted_for_ten_minutes_and_not_a_second_longer() -> None:
    source = Source()
    ring = source.ring()
    await ring.refresh()
    source.now += TOO_OLD_SECONDS - 0.001
    assert set(ring.current()) == {1}
    source.answer = Unavailable("Vault is sealed")
    with pytest.raises(Unavailable):
        await ring.refresh()
    assert set(ring.current()) == {1}
    source.now += 0.001
    with pytest.raises(Unavailable, match="for 10 minutes"):
        ring.current()


async def test_the_age_counts_from_the_question() -> None:
    source = Source()
    source.slow = TOO_OLD_SECONDS
    ring = source.ring()
    await ring.refresh()
    with pytest.raises(Unavailable):
        ring.current()


async def test_a_key_that_is_none_is_a_fault_and_the_old_ones_stay() -> None:
    source = Source()
    ring = source.ring()
    await ring.refresh()
    source.answer = {2: b"short"}
    with pytest.raises(Unavailable, match="not one of Ed25519"):
        await ring.refresh()
    assert set(ring.current()) == {1}


async def test_it_goes_on_asking_through_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.guard.key_ring._RETRY_SECONDS", 0.0)
    source = Source()
    source.answer = AuthDenied("Vault refuses")
    ring = source.ring()
    task = asyncio.create_task(ring.keep_fresh())
    async with asyncio.timeout(10):
        while source.asked < 3:  # noqa: ASYNC110 - the ring has no event for it
            await asyncio.sleep(0)
        source.answer = {3: PEPPER}
        while ring.age_seconds == float("inf"):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)
    assert set(ring.current()) == {3}
    asked = source.asked
    for _ in range(20):  # and then waits for the minute
        await asyncio.sleep(0)
    assert source.asked == asked
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


# At a real OpenBao, whose transit engine signs.


@pytest.fixture(scope="module")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture
async def house(vault_server: VaultServer) -> AsyncIterator[House]:
    house = await House.build(vault_server)
    yield house
    await house.close()


@pytest_asyncio.fixture
async def session(house: House) -> AsyncIterator[VaultSession]:
    transport = Transport(house.server.address)
    yield VaultSession(transport, SecretStr(house.server.root.get_secret_value()), role="test", ttl=60)
    transport.close()


def sign(server: VaultServer, key: str) -> SignedDecision:
    answer = server.admin("PUT", f"transit/sign/{key}", {"input": base64.b64encode(TEXT.encode()).decode()})
    data = answer["data"]
    assert isinstance(data, dict)
    return SignedDecision.from_vault(TEXT, str(data["signature"]))


def reason(ring: KeyRing, signed: SignedDecision) -> RefusalReason | None:
    found = refuse_signature(signed, ring.current())
    return found.reason if isinstance(found, Refusal) else None


async def test_vault_signs_and_the_ring_verifies_through_rotation_until_revoked(
    house: House, session: VaultSession
) -> None:
    server = house.server
    ring = KeyRing(lambda: session.public_keys("approvals"))
    await ring.refresh()
    old = sign(server, "approvals")
    assert reason(ring, old) is None
    assert reason(ring, old.model_copy(update={"text": TEXT + " "})) is RefusalReason.BAD_SIGNATURE

    server.admin("PUT", "transit/keys/approvals/rotate")
    new = sign(server, "approvals")
    assert reason(ring, new) is RefusalReason.UNKNOWN_KEY
    await ring.refresh()
    assert (reason(ring, new), reason(ring, old)) == (None, None)

    server.admin("PUT", "transit/keys/approvals/config", {"min_decryption_version": new.key_version})
    await ring.refresh()
    assert (reason(ring, new), reason(ring, old)) == (None, RefusalReason.UNKNOWN_KEY)


async def test_a_key_of_another_kind_is_refused(house: House, session: VaultSession) -> None:
    house.server.admin("PUT", "transit/keys/other", {"type": "aes256-gcm96"})
    with pytest.raises(Unavailable, match="aes256-gcm96"):
        await session.public_keys("other")


async def test_a_sealed_vault_is_a_fault_and_not_an_answer(tmp_path: Path) -> None:
    server = VaultServer.start(tmp_path)
    try:
        house = await House.build(server)
        transport = Transport(server.address)
        session = VaultSession(transport, server.root, role="test", ttl=60)
        ring = KeyRing(lambda: session.public_keys("approvals"))
        await ring.refresh()
        server.seal()
        with pytest.raises(Unavailable, match="sealed"):
            await ring.refresh()
        assert ring.current()
        transport.close()
        await house.close()
    finally:
        server.stop()
