"""Secrets that steps make: written by one that cannot read them, read by another, on a real Vault."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, NotFound
from tests.connectors.vault.server import House

MINUTE = timedelta(seconds=60)
METADATA = {"workflow_id": "provision-redis/upstash/a", "run_id": "run-1"}
PATH = "upstash/databases/id-1/web"
FIRST, SECOND = ({"password": SecretStr(f"made-canary-{one}")} for one in (1, 2))


async def test_who_writes_a_login_writes_it_again_and_cannot_read_it(house: House) -> None:
    connectors = await house.login("connectors")
    for values in (FIRST, SECOND, SECOND):
        async with connectors.step("upstash-grant", metadata=METADATA, ttl=MINUTE) as token:
            await token.write(PATH, values)
            with pytest.raises(AuthDenied):
                await token.read(PATH)
    async with connectors.step("upstash-check", metadata=METADATA, ttl=MINUTE) as token:
        assert await token.read(PATH) == SECOND
        with pytest.raises(AuthDenied):
            await token.write(PATH, FIRST)


@pytest.mark.parametrize("path", ["upstash/account", "upstash/databases/id-1", "rediscloud/databases/id-1/web"])
async def test_who_writes_logins_writes_nothing_else(house: House, path: str) -> None:
    connectors = await house.login("connectors")
    async with connectors.step("upstash-grant", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.write(path, FIRST)


async def test_who_checks_reads_no_account(house: House) -> None:
    connectors = await house.login("connectors")
    async with connectors.step("upstash-check", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.read("upstash/account")
        with pytest.raises(NotFound):
            await token.read("upstash/databases/id-2/web")
