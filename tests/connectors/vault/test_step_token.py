"""A step's token: what it reaches, how long it lives, and that it always ends."""

import asyncio
from datetime import timedelta
from typing import cast

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, ConnectorError
from connectors.vault import VaultSession
from deploy.vault.bootstrap import seed_secret
from tests.connectors.vault.relay import relay
from tests.connectors.vault.server import CANARY, House, Json

MINUTE = timedelta(seconds=60)
METADATA = {"workflow_id": "read-file/acme/shop", "run_id": "run-1", "attempt": "2"}


async def test_reads_the_one_secret_of_its_action(connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        fields = await token.read("github/app")
    assert fields["private_key"].get_secret_value() == CANARY
    assert CANARY not in f"{fields!r} {token!r} {token} {connectors!r}"


@pytest.mark.parametrize("path", ["payload-keys", "github", "github/other", "github/app/../../payload-keys"])
async def test_reads_nothing_else(connectors: VaultSession, path: str) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.read(path)


async def test_keeps_a_secret_where_it_may_and_reads_none_of_them(house: House, connectors: VaultSession) -> None:
    async with connectors.step("neon-keep", metadata=METADATA, ttl=MINUTE) as token:
        for value in ("first", CANARY):
            await token.write("neon/connections/br-1", {"uri": SecretStr(value)})
        for refused in (token.read("neon/connections/br-1"), token.write("neon/key", {"key": SecretStr("other")})):
            with pytest.raises(AuthDenied):
                await refused
    kept = cast("Json", house.server.admin("GET", "banksman/data/neon/connections/br-1")["data"])
    assert kept["data"] == {"uri": CANARY}


async def test_is_an_orphan_with_an_end_and_says_for_whom_it_was_made(house: House, connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        found = house.server.admin("POST", "auth/token/lookup-accessor", {"accessor": token.accessor})
        data = cast("Json", found["data"])
    assert data["orphan"] is True
    assert data["renewable"] is False
    assert data["meta"] == METADATA
    assert cast("int", data["ttl"]) <= 60
    assert "step-github-read" in cast("list[str]", data["policies"])
    assert "connectors" not in cast("list[str]", data["policies"])


async def test_lives_no_longer_than_its_role_allows(house: House, connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=timedelta(days=3)) as token:
        found = house.server.admin("POST", "auth/token/lookup-accessor", {"accessor": token.accessor})
        assert cast("int", cast("Json", found["data"])["ttl"]) <= 900


async def test_is_revoked_when_the_step_ends(house: House, connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        assert house.server.alive(token.accessor)
    assert not house.server.alive(token.accessor)


async def test_is_revoked_when_the_step_fails(house: House, connectors: VaultSession) -> None:
    accessors: list[str] = []

    async def fail() -> None:
        async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
            accessors.append(token.accessor)
            raise RuntimeError("the step")

    with pytest.raises(RuntimeError, match="the step"):
        await fail()
    assert not house.server.alive(accessors[0])


async def test_is_revoked_when_the_step_is_cancelled(house: House, connectors: VaultSession) -> None:
    held: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
            held.set_result(token.accessor)
            await asyncio.Event().wait()

    step = asyncio.create_task(wait())
    accessor = await held
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert not house.server.alive(accessor)


async def test_none_is_left_when_the_step_is_cancelled_while_it_is_made(house: House) -> None:
    path = "/v1/auth/token/create/github-read"
    with relay(house.server.address, hold=path) as seen:
        session = await VaultSession.login(
            address=seen.address,
            role="connectors",
            role_id=house.result.role_ids["connectors"],
            wrapped=await house.mint("connectors"),
        )
        before = house.server.accessors()
        step = asyncio.create_task(session.step("github-read", metadata=METADATA, ttl=MINUTE).__aenter__())
        assert await asyncio.to_thread(seen.arrived.wait, 20)
        assert len(house.server.accessors() - before) == 1
        step.cancel()
        seen.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert house.server.accessors() <= before
        await session.close()


async def test_release_ends_it_early_and_twice_is_harmless(house: House, connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        await token.read("github/app")
        await asyncio.gather(token.release(), token.release())
        assert not house.server.alive(token.accessor)
        with pytest.raises(AuthDenied):
            await token.read("github/app")


async def test_a_release_begun_early_is_done_when_the_step_ends(house: House, connectors: VaultSession) -> None:
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        await token.read("github/app")
        token.release_soon()
        assert house.server.alive(token.accessor)  # nothing was awaited yet
    assert not house.server.alive(token.accessor)


async def test_a_release_begun_early_is_done_when_the_step_is_cancelled(house: House, connectors: VaultSession) -> None:
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def step() -> None:
        async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
            token.release_soon()
            begun.set_result(token.accessor)
            await asyncio.Event().wait()

    running = asyncio.create_task(step())
    accessor = await begun
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not house.server.alive(accessor)


async def test_outlives_the_process_that_made_it(house: House) -> None:
    session = await house.login("connectors")
    step = session.step("github-read", metadata=METADATA, ttl=MINUTE)
    token = await step.__aenter__()
    house.server.admin("POST", "auth/token/revoke", {"token": session._token.get_secret_value()})
    assert house.server.alive(token.accessor)
    assert await token.read("github/app")
    await step.__aexit__(None, None, None)
    assert not house.server.alive(token.accessor)


@pytest.mark.parametrize(
    "action", ["github-read", "github-write", "github-delete-branch", "pulumi-look", "pulumi-change", "models-request"]
)
@pytest.mark.parametrize("role", ["goals", "connectors", "destructive", "sandbox", "gateway", "codec", "models"])
async def test_each_action_belongs_to_one_process(house: House, role: str, action: str) -> None:
    """What reads and writes is the connectors worker's, what destroys the destructive one's, and a key of language
    models the models worker's; the others make none."""
    session = await house.login(role)
    mine = {
        "connectors": ("github-read", "github-write", "pulumi-look"),
        "destructive": ("github-delete-branch", "pulumi-change"),
        "models": ("models-request",),
    }
    if action in mine.get(role, ()):
        async with session.step(action, metadata=METADATA, ttl=MINUTE):
            return
    with pytest.raises(AuthDenied):
        await session.step(action, metadata=METADATA, ttl=MINUTE).__aenter__()


async def test_the_key_that_destroys_is_read_by_its_own_step_alone(house: House) -> None:
    await seed_secret(
        address=house.server.address,
        token=house.server.root,
        path="github/destructive-app",
        values={"private_key": SecretStr(CANARY)},
    )
    connectors, destructive = await house.login("connectors"), await house.login("destructive")
    async with connectors.step("github-read", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.read("github/destructive-app")
    async with destructive.step("github-delete-branch", metadata=METADATA, ttl=MINUTE) as token:
        assert (await token.read("github/destructive-app"))["private_key"].get_secret_value() == CANARY
        with pytest.raises(AuthDenied):
            await token.read("github/app")


@pytest.mark.parametrize("role", ["goals", "connectors", "destructive", "sandbox", "codec"])
async def test_no_worker_signs_decisions(house: House, role: str) -> None:
    session = await house.login(role)
    assert house.server.status("POST", "transit/sign/approvals", session._token) == 403


async def test_an_unknown_action_is_refused(connectors: VaultSession) -> None:
    with pytest.raises(ConnectorError, match="github-destroy"):
        await connectors.step("github-destroy", metadata=METADATA, ttl=MINUTE).__aenter__()


async def test_what_a_step_makes_it_writes_where_its_action_says_and_cannot_read(connectors: VaultSession) -> None:
    made = {"url": SecretStr("https://db.example.com:6333"), "api_key": SecretStr("made-key-canary-1d0f")}
    async with connectors.step("qdrant-issue", metadata=METADATA, ttl=MINUTE) as token:
        before = await token.write("qdrant/readers/shop", {**made, "api_key": SecretStr("an-earlier-key-canary")})
        assert await token.write("qdrant/readers/shop", made) == before + 1
        with pytest.raises(AuthDenied):
            await token.read("qdrant/readers/shop")
        for elsewhere in ("qdrant/readers", "qdrant/readers/a/b", "qdrant/reading-key", "github/app"):
            with pytest.raises(AuthDenied):
                await token.write(elsewhere, made)
        with pytest.raises(AuthDenied):
            await token.delete("qdrant/readers/shop")
    async with connectors.step("qdrant-search", metadata=METADATA, ttl=MINUTE) as token:
        assert await token.read("qdrant/readers/shop") == made
        with pytest.raises(AuthDenied):
            await token.write("qdrant/readers/shop", made)
        with pytest.raises(AuthDenied):
            await token.read("qdrant/writers/shop")
