"""Secrets for one run: opened once, by the sandbox worker, for that run, and unreadable to whoever reads histories."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.errors import AuthDenied, Conflict, InvalidRequest
from connectors.vault import StepToken, VaultSession
from connectors.vault.handover import unseal
from connectors.vault.step_token import step_token
from connectors.vault.transport import Transport
from tests.connectors.vault.relay import relay
from tests.connectors.vault.server import House

SECRETS = {"token": SecretStr("ghs_canary-7a31"), "password": SecretStr("pass canary ü\n")}
RUN = "run-in-sandbox/acme/shop 0192f3"
TTL = timedelta(seconds=60)
SEALS = 'path "transit/encrypt/handover" { capabilities = ["update"] }'


@pytest_asyncio.fixture
async def step(house: House) -> AsyncIterator[StepToken]:
    """A step that may seal, as one that hands a credential to a run has it."""
    server = house.server
    server.admin("PUT", "sys/policies/acl/step-seals", {"policy": SEALS})
    server.admin("POST", "auth/token/roles/seals", {"allowed_policies": ["step-seals"], "orphan": True})
    transport = Transport(server.address)
    token = await step_token(transport, server.root, "seals", metadata={}, ttl=TTL)
    yield token
    await token.release()
    transport.close()


@pytest_asyncio.fixture
async def worker(house: House) -> VaultSession:
    return await house.login("sandbox")


async def test_they_come_as_they_went(step: StepToken, worker: VaultSession) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    assert await worker.unseal(sealed, run=RUN) == SECRETS


async def test_what_travels_shows_and_opens_nothing(house: House, step: StepToken) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    assert sealed.startswith("vault:v1:")
    assert "canary" not in sealed
    for wrapping in (sealed, sealed.removeprefix("vault:v1:")):
        assert house.server.status("POST", "sys/wrapping/unwrap", SecretStr(wrapping)) >= 400


async def test_they_open_once(step: StepToken, worker: VaultSession) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    await worker.unseal(sealed, run=RUN)
    with pytest.raises(Conflict, match="opened before"):
        await worker.unseal(sealed, run=RUN)


async def test_of_two_who_open_at_once_one_gets_them(step: StepToken, worker: VaultSession) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    both = await asyncio.gather(*(worker.unseal(sealed, run=RUN) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["Conflict", "dict"]


async def test_an_opening_that_vault_does_not_answer_is_to_be_sealed_again(
    house: House, step: StepToken, worker: VaultSession
) -> None:
    """It may have been this one that opened them."""
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    with relay(house.server.address, drop="/v1/sys/wrapping/unwrap") as seen:
        transport = Transport(seen.address)
        with pytest.raises(Conflict, match="did not say whether"):
            await unseal(transport, worker._token, sealed, run=RUN)
        transport.close()
    with pytest.raises(Conflict, match="opened before"):
        await worker.unseal(sealed, run=RUN)


async def test_they_open_for_no_other_run(step: StepToken, worker: VaultSession) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    with pytest.raises(InvalidRequest, match="not sealed for"):
        await worker.unseal(sealed, run=f"{RUN}2")
    assert await worker.unseal(sealed, run=RUN) == SECRETS


async def test_after_their_time_they_are_gone(house: House, step: StepToken, worker: VaultSession) -> None:
    before = house.server.accessors()
    sealed = await step.seal(SECRETS, run=RUN, ttl=timedelta(seconds=1))
    (wrapping,) = house.server.accessors() - before
    async with asyncio.timeout(20):
        while house.server.alive(wrapping):  # noqa: ASYNC110 - Vault ends it
            await asyncio.sleep(0.1)
    with pytest.raises(Conflict, match="too old"):
        await worker.unseal(sealed, run=RUN)


@pytest.mark.parametrize("role", ["goals", "connectors", "gateway", "codec"])
async def test_no_other_process_opens_them(house: House, step: StepToken, role: str) -> None:
    sealed = await step.seal(SECRETS, run=RUN, ttl=TTL)
    other = await house.login(role)
    with pytest.raises(AuthDenied):
        await other.unseal(sealed, run=RUN)


async def test_the_worker_itself_seals_nothing(house: House, worker: VaultSession) -> None:
    assert house.server.status("POST", "transit/encrypt/handover", worker._token) == 403


@pytest.mark.parametrize("text", ["", "nonsense", "vault:v1:AAAA", "vault:v9:AAAA"])
async def test_nonsense_is_refused(worker: VaultSession, text: str) -> None:
    with pytest.raises(InvalidRequest, match="not sealed for"):
        await worker.unseal(text, run=RUN)
