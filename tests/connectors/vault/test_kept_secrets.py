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


async def test_who_forgets_logins_finds_them_by_name_and_reads_none(house: House) -> None:
    connectors = await house.login("connectors")
    paths = ["upstash/databases/id-9/web", "upstash/databases/id-9/jobs", "upstash/databases/id-90/web"]
    async with connectors.step("upstash-grant", metadata=METADATA, ttl=MINUTE) as token:
        for path in paths:
            await token.write(path, FIRST)
        with pytest.raises(AuthDenied):
            await token.list("upstash/databases/id-9")
        with pytest.raises(AuthDenied):
            await token.delete(paths[0])
    async with connectors.step("upstash-forget", metadata=METADATA, ttl=MINUTE) as token:
        assert sorted(await token.list("upstash/databases/id-9")) == ["jobs", "web"]
        assert await token.list("upstash/databases/none") == []
        for path in ("upstash", "upstash/databases", "rediscloud/databases/id-9"):
            with pytest.raises(AuthDenied):
                await token.list(path)
        for path in paths[:2]:
            with pytest.raises(AuthDenied):
                await token.read(path)
            with pytest.raises(AuthDenied):
                await token.write(path, SECOND)
            await token.delete(path)
            await token.delete(path)
        assert await token.list("upstash/databases/id-9") == []
    async with connectors.step("upstash-check", metadata=METADATA, ttl=MINUTE) as token:
        assert await token.read(paths[2]) == FIRST
        with pytest.raises(NotFound):
            await token.read(paths[0])


async def test_who_checks_reads_no_account(house: House) -> None:
    connectors = await house.login("connectors")
    async with connectors.step("upstash-check", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.read("upstash/account")
        with pytest.raises(NotFound):
            await token.read("upstash/databases/id-2/web")
