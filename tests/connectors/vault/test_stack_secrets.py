"""The credentials of stacks: who may look, who may change, and who reaches neither."""

import secrets
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.errors import AuthDenied, NotFound
from connectors.vault import TokenLost
from deploy.vault.bootstrap import seed_secret
from tests.connectors.vault.server import House, VaultServer

MINUTE = timedelta(seconds=60)
METADATA = {"workflow_id": "preview-and-up/acme/shop", "run_id": "run-1"}
LOOK = {"passphrase": SecretStr("passphrase-canary-1c"), "state-password": SecretStr("look-canary-77")}
CHANGE = {"passphrase": SecretStr("passphrase-canary-1c"), "state-password": SecretStr("change-canary-88")}
RUN = "run-1"


@pytest_asyncio.fixture(autouse=True)
async def seeded(house: House) -> None:
    for path, values in (("pulumi/look", LOOK), ("pulumi/change", CHANGE)):
        await seed_secret(address=house.server.address, token=house.server.root, path=path, values=values)


@pytest.mark.parametrize("role", ["goals", "connectors", "sandbox", "gateway", "codec"])
async def test_only_the_destructive_process_reaches_what_changes_a_stack(house: House, role: str) -> None:
    session = await house.login(role)
    token = session._token
    assert house.server.status("GET", "banksman/data/pulumi/change", token) == 403
    assert house.server.status("GET", "banksman/data/pulumi/look", token) == 403
    assert house.server.status("POST", "auth/token/create/pulumi-change", token) == 403
    with pytest.raises(AuthDenied):
        await session.step("pulumi-change", metadata=METADATA, ttl=MINUTE).__aenter__()


async def test_who_looks_cannot_read_what_changes(house: House) -> None:
    connectors = await house.login("connectors")
    async with connectors.step("pulumi-look", metadata=METADATA, ttl=MINUTE) as token:
        with pytest.raises(AuthDenied):
            await token.read("pulumi/change")


async def test_what_a_look_needs_is_sealed_for_one_run_of_the_sandbox(house: House) -> None:
    connectors, sandbox = await house.login("connectors"), await house.login("sandbox")
    async with connectors.step("pulumi-look", metadata=METADATA, ttl=MINUTE) as token:
        sealed = await token.seal(await token.read("pulumi/look"), run=RUN, ttl=MINUTE)
    assert "canary" not in sealed
    # The step's token is gone by now; what it sealed is not.
    assert await sandbox.unseal(sealed, run=RUN) == LOOK


async def test_the_step_that_changes_reads_its_own_and_seals_nothing(house: House) -> None:
    destructive = await house.login("destructive")
    async with destructive.step("pulumi-change", metadata=METADATA, ttl=MINUTE) as token:
        assert await token.read("pulumi/change") == CHANGE
        for path in ("pulumi/look", "github/destructive-app", "payload-keys"):
            with pytest.raises(AuthDenied):
                await token.read(path)
        with pytest.raises(AuthDenied):
            await token.seal(CHANGE, run=RUN, ttl=MINUTE)


async def test_a_grant_that_was_used_stays_used(house: House) -> None:
    destructive = await house.login("destructive")
    path, token = f"grants/{secrets.token_hex(8)}", destructive._token
    assert await destructive.write_once(path, "first") == "first"
    assert await destructive.write_once(path, "second") == "first"
    assert await destructive.write_once(path, "first") == "first"
    assert written_over(house.server, path, token) == 403
    assert house.server.status("DELETE", f"banksman/data/{path}", token) == 403
    assert house.server.status("DELETE", f"banksman/metadata/{path}", token) == 403
    house.server.admin("DELETE", f"banksman/data/{path}")
    with pytest.raises(NotFound):
        await destructive.write_once(path, "third")


@pytest.mark.parametrize("role", ["goals", "connectors", "sandbox", "gateway", "codec"])
async def test_no_other_process_says_which_grants_were_used(house: House, role: str) -> None:
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.write_once(f"grants/{secrets.token_hex(8)}", "mine")


async def test_no_step_says_which_grants_were_used(house: House) -> None:
    destructive = await house.login("destructive")
    for action in ("pulumi-change", "github-delete-branch"):
        async with destructive.step(action, metadata=METADATA, ttl=MINUTE) as token:
            path = f"banksman/data/grants/{secrets.token_hex(8)}"
            assert house.server.status("GET", path, token._token) == 403
            assert house.server.status("POST", path, token._token) == 403


async def test_a_process_whose_token_is_gone_ends_and_refuses_no_grant(house: House) -> None:
    destructive = await house.login("destructive")
    house.server.admin("POST", "auth/token/revoke", {"token": destructive._token.get_secret_value()})
    with pytest.raises(TokenLost):
        await destructive.write_once(f"grants/{secrets.token_hex(8)}", "mine")


def written_over(server: VaultServer, path: str, token: SecretStr) -> int:
    """The status of an attempt to write another text there, which knows the version that it replaces."""
    headers = {"X-Vault-Token": token.get_secret_value()}
    body = {"data": {"text": "mine"}, "options": {"cas": 1}}
    return httpx.post(f"{server.address}/v1/banksman/data/{path}", json=body, headers=headers).status_code
