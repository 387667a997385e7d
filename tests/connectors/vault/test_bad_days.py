"""Vault sealed, down, slow, limited or lying; and the token kept alive, or lost, meanwhile."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.errors import ConnectorError, OutcomeUnknown, RateLimited, Unavailable
from connectors.vault import TokenLost, VaultSession, WrappedSecretId
from tests.connectors.vault.relay import answering, relay
from tests.connectors.vault.server import House, VaultServer, free_port, until

MINUTE = timedelta(seconds=60)
METADATA = {"attempt": "1"}


async def test_sealed_is_unavailable_says_so_and_passes(own_house: House) -> None:
    session = await own_house.login("connectors")
    own_house.server.seal()
    with pytest.raises(Unavailable, match="sealed"):
        await session.read("payload-keys")
    with pytest.raises(Unavailable, match="sealed"):
        await session.step("github-read", metadata=METADATA, ttl=MINUTE).__aenter__()
    own_house.server.unseal()
    async with session.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        assert await token.read("github/app")


async def test_a_login_at_a_sealed_vault_leaves_the_wrapped_secret_id_unused(own_house: House) -> None:
    wrapped = await own_house.mint("goals")
    own_house.server.seal()
    with pytest.raises(Unavailable, match="sealed"):
        await own_house.login("goals", wrapped)
    own_house.server.unseal()
    await own_house.login("goals", wrapped)


async def test_down_is_unavailable(own_house: House) -> None:
    session = await own_house.login("connectors")
    own_house.server.stop()
    with pytest.raises(Unavailable, match="reach"):
        await session.read("payload-keys")
    with pytest.raises(ConnectorError):
        await session.close()


async def test_nobody_at_the_address_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await login(f"http://127.0.0.1:{free_port()}")


async def test_the_token_is_renewed_past_its_period(own_house: House) -> None:
    shorten(own_house.server, seconds=2)
    session = await own_house.login("goals")
    keeping = asyncio.create_task(session.keep_alive())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(keeping), 4)
    assert await session.read("payload-keys")
    assert session.ttl_seconds > 0
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_revoked_token_is_lost(own_house: House) -> None:
    shorten(own_house.server, seconds=2)
    session = await own_house.login("goals")
    own_house.server.admin("POST", "auth/token/revoke", {"token": session._token.get_secret_value()})
    with pytest.raises(TokenLost, match="goals"):
        await asyncio.wait_for(session.keep_alive(), 20)
    assert session.ttl_seconds == 0


async def test_a_sealed_vault_is_waited_out_while_the_token_lives(own_house: House) -> None:
    shorten(own_house.server, seconds=30)
    session = await own_house.login("goals")
    session._period = 0.3  # the first renewal comes at once
    own_house.server.seal()
    keeping = asyncio.create_task(session.keep_alive())
    done, _ = await asyncio.wait({keeping}, timeout=1)
    assert not done
    own_house.server.unseal()
    await asyncio.to_thread(until, lambda: session.ttl_seconds > 29, what="the token is renewed")
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_token_that_ended_while_vault_was_away_is_lost(own_house: House) -> None:
    shorten(own_house.server, seconds=1)
    session = await own_house.login("goals")
    own_house.server.stop()
    with pytest.raises(TokenLost, match="while Vault was away"):
        await asyncio.wait_for(session.keep_alive(), 20)


async def test_a_step_of_a_process_without_token_is_tried_again_elsewhere(house: House) -> None:
    session = await house.login("connectors")
    house.server.admin("POST", "auth/token/revoke", {"token": session._token.get_secret_value()})
    with pytest.raises(Unavailable):
        await session.step("github-read", metadata=METADATA, ttl=MINUTE).__aenter__()


async def test_a_quota_is_a_rate_limit_with_its_wait(own_house: House) -> None:
    session = await own_house.login("connectors")
    own_house.server.admin("POST", "sys/quotas/rate-limit/few", {"rate": 0.2, "path": "banksman/"})
    with pytest.raises(RateLimited) as limited:
        await read_often(session)
    assert limited.value.retry_after is not None
    assert timedelta(0) < limited.value.retry_after <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>a proxy</html>"), (200, b"[]"), (200, b"{}"), (502, b"bad gateway"), (500, b""), (302, b"")],
)
async def test_what_is_not_vault_is_unavailable(status: int, body: bytes) -> None:
    with answering(status, body) as address, pytest.raises(Unavailable):
        await login(address)


async def test_a_login_whose_answer_was_lost_is_not_tried_again(own_house: House) -> None:
    with (
        relay(own_house.server.address, drop="/v1/auth/approle/login") as seen,
        pytest.raises(OutcomeUnknown, match="new wrapped secret id"),
    ):
        await VaultSession.login(
            address=seen.address,
            role="goals",
            role_id=own_house.result.role_ids["goals"],
            wrapped=await own_house.mint("goals"),
        )
    assert seen.paths.count("/v1/auth/approle/login") == 1


def shorten(server: VaultServer, *, seconds: int) -> None:
    server.admin("POST", "auth/approle/role/goals", {"token_period": seconds})


async def read_often(session: VaultSession) -> None:
    for _ in range(20):
        await session.read("payload-keys")


async def login(address: str) -> VaultSession:
    return await VaultSession.login(
        address=address, role="goals", role_id="r", wrapped=WrappedSecretId(token=SecretStr("w"))
    )
