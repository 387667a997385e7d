"""The bootstrap on a real OpenBao: what it makes, that it changes nothing twice, and that it puts drift right."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import httpx
import pytest
from hvac import exceptions
from pydantic import JsonValue, SecretStr

from deploy.vault.bootstrap import Change, Verb, bootstrap, seed_secret
from deploy.vault.layout import APP_ROLES, TOKEN_ROLES, policies
from deploy.vault.rights import PERSONS
from tests.connectors.vault.server import CANARY, Json, VaultServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


async def run(server: VaultServer, *, check: bool = False) -> list[Change]:
    changes: list[Change] = []
    await bootstrap(address=server.address, token=server.root, report=changes.append, check=check, deliverer=False)
    return changes


def changed(changes: list[Change]) -> list[str]:
    return [str(change) for change in changes if change.verb is not Verb.UNCHANGED]


async def test_an_empty_vault_gets_everything_and_a_second_run_changes_nothing(server: VaultServer) -> None:
    first = await run(server)
    assert {change.verb for change in first} == {Verb.CREATED}
    before = snapshot(server)
    second = await run(server)
    assert {change.verb for change in second} == {Verb.UNCHANGED}
    assert [change.what for change in second] == [change.what for change in first]
    assert snapshot(server) == before


async def test_check_says_the_same_and_changes_nothing(server: VaultServer) -> None:
    before = snapshot(server)
    said = await run(server, check=True)
    assert snapshot(server) == before
    assert changed(said) == changed(await run(server))
    assert changed(await run(server, check=True)) == []


DRIFT: list[tuple[str, Mapping[str, JsonValue], str]] = [
    ("sys/policies/acl/goals", {"policy": 'path "*" { capabilities = ["sudo", "read"] }'}, "policy goals"),
    ("auth/approle/role/goals", {"secret_id_num_uses": 0}, "AppRole goals"),
    ("auth/approle/role/goals", {"secret_id_ttl": "0"}, "AppRole goals"),
    ("auth/approle/role/goals", {"token_period": 7}, "AppRole goals"),
    ("auth/approle/role/connectors", {"token_policies": ["connectors", "root2"]}, "AppRole connectors"),
    ("auth/approle/role/connectors", {"token_num_uses": 3}, "AppRole connectors"),
    ("auth/token/roles/github-read", {"orphan": False}, "token role github-read"),
    ("auth/token/roles/github-read", {"renewable": True}, "token role github-read"),
    ("auth/token/roles/github-read", {"token_explicit_max_ttl": 0}, "token role github-read"),
    ("auth/token/roles/github-read", {"allowed_policies": ["step-github-read", "goals"]}, "token role github-read"),
    ("auth/token/roles/github-read", {"allowed_policies_glob": ["*"]}, "token role github-read"),
    ("auth/token/roles/github-read", {"token_period": 86400}, "token role github-read"),
    ("auth/token/roles/github-read", {"period": 86400}, "token role github-read"),
    ("auth/token/roles/github-read", {"disallowed_policies": ["default"]}, "token role github-read"),
    ("auth/token/roles/github-read", {"path_suffix": "later"}, "token role github-read"),
    ("auth/approle/role/goals", {"token_max_ttl": 60}, "AppRole goals"),
    ("auth/token/roles/deliverer", {"allowed_policies": ["deliverer", "goals"]}, "token role deliverer"),
    ("auth/token/roles/deliverer", {"allowed_policies_glob": ["*"]}, "token role deliverer"),
]


@pytest.mark.parametrize(("path", "values", "what"), DRIFT)
async def test_drift_is_put_right_and_reported(
    shared: VaultServer, path: str, values: Mapping[str, JsonValue], what: str
) -> None:
    await run(shared)
    before = shared.data(path)
    shared.admin("POST", path, values)
    assert content(shared.data(path)) != content(before)
    assert changed(await run(shared, check=True)) == [f"updated {what}"]
    assert changed(await run(shared)) == [f"updated {what}"]
    assert content(shared.data(path)) == content(before)
    assert changed(await run(shared)) == []


async def test_the_payload_key_is_32_random_bytes_and_never_replaced(server: VaultServer) -> None:
    await run(server)
    ring = cast("dict[str, str]", server.data("banksman/data/payload-keys")["data"])
    assert len(base64.b64decode(ring[ring["current"]], validate=True)) == 32
    server.admin("POST", "banksman/data/payload-keys", {"data": {**ring, "current": "key-2", "key-2": "later"}})
    assert changed(await run(server)) == []
    assert cast("Json", server.data("banksman/data/payload-keys")["data"])["current"] == "key-2"


async def test_the_approval_key_signs_and_cannot_be_exported(shared: VaultServer) -> None:
    await run(shared)
    key = shared.data("transit/keys/approvals")
    assert (key["type"], key["exportable"], key["allow_plaintext_backup"]) == ("ed25519", False, False)


async def test_secret_ids_and_tokens_are_as_short_as_they_should_be(shared: VaultServer) -> None:
    await run(shared)
    for role in APP_ROLES:
        found = shared.data(f"auth/approle/role/{role.name}")
        assert (found["secret_id_num_uses"], found["token_num_uses"], found["token_period"]) == (1, 0, 3600)
        assert 0 < cast("int", found["secret_id_ttl"]) <= 300
        assert found["token_policies"] == [role.name]
    for token_role in TOKEN_ROLES:
        found = shared.data(f"auth/token/roles/{token_role.name}")
        assert (found["orphan"], found["renewable"], found["token_period"]) == (True, False, 0)
        assert found["allowed_policies"] == [f"step-{token_role.name}"]


def test_every_row_of_the_layout_has_its_policy_and_the_deliverer_knows_every_role() -> None:
    texts = policies()
    assert set(texts) == {role.name for role in APP_ROLES} | {f"step-{role.name}" for role in TOKEN_ROLES} | {
        "deliverer",
        *PERSONS,
    }
    for role in APP_ROLES:
        assert f'path "auth/approle/role/{role.name}/secret-id"' in texts["deliverer"]
    for token_role in TOKEN_ROLES:
        makers = [name for name, text in texts.items() if f'path "auth/token/create/{token_role.name}"' in text]
        assert makers in (["connectors"], ["destructive"], ["models"]), "what an action reaches belongs to one process"
    assert "*" not in "".join(line for text in texts.values() for line in text.splitlines() if "path" in line)


async def test_a_secret_is_seeded_once_and_changed_only_by_another_value(server: VaultServer) -> None:
    await run(server)
    seed = {"address": server.address, "token": server.root, "path": "github/app"}
    assert await seed_secret(**seed, values={"private_key": SecretStr(CANARY)})  # pyright: ignore[reportArgumentType] - one dict for three calls
    assert not await seed_secret(**seed, values={"private_key": SecretStr(CANARY)})  # pyright: ignore[reportArgumentType] - the same
    assert await seed_secret(**seed, values={"private_key": SecretStr("next")})  # pyright: ignore[reportArgumentType] - the same
    assert cast("Json", server.data("banksman/data/github/app")["metadata"])["version"] == 2
    server.admin("DELETE", "banksman/data/github/app")
    assert await seed_secret(**seed, values={"private_key": SecretStr("next")})  # pyright: ignore[reportArgumentType] - the same


async def test_a_token_that_may_not_do_it_is_refused(server: VaultServer) -> None:
    made = cast("Json", server.admin("POST", "auth/token/create", {"policies": ["default"]})["auth"])
    with pytest.raises(exceptions.Forbidden) as refused:
        await bootstrap(address=server.address, token=SecretStr(str(made["client_token"])), report=lambda _: None)
    assert str(made["client_token"]) not in f"{refused.value!r} {refused.value}"


async def test_nothing_that_it_says_holds_a_secret(server: VaultServer) -> None:
    changes: list[Change] = []
    result = await bootstrap(address=server.address, token=server.root, report=changes.append)
    ring = cast("dict[str, str]", server.data("banksman/data/payload-keys")["data"])
    said = f"{result!r} {result} {changes!r} {[str(change) for change in changes]}"
    for secret in (server.root, result.deliverer_token, SecretStr(ring[ring["current"]])):
        assert secret.get_secret_value() not in said


def content(data: Json) -> Json:
    """Without what counts its changes."""
    return {name: value for name, value in data.items() if name not in {"modified", "version"}}


def snapshot(server: VaultServer) -> Json:
    """Everything that the bootstrap may touch, as Vault tells it; accessors of tokens left out."""
    headers = {"X-Vault-Token": server.root.get_secret_value()}

    def read(method: str, path: str) -> JsonValue:
        answer = httpx.request(method, f"{server.address}/v1/{path}", headers=headers)
        return cast("JsonValue", answer.json().get("data")) if answer.is_success else answer.status_code

    lists = ["sys/policies/acl", "auth/approle/role", "auth/token/roles", "banksman/metadata", "transit/keys"]
    reads = ["sys/mounts", "sys/auth", "banksman/data/payload-keys", "transit/keys/approvals"]
    reads += [f"auth/approle/role/{role.name}" for role in APP_ROLES]
    reads += [f"auth/approle/role/{role.name}/role-id" for role in APP_ROLES]
    reads += [f"auth/token/roles/{role.name}" for role in TOKEN_ROLES]
    reads += [f"sys/policies/acl/{name}" for name in policies()]
    return {path: read("LIST", path) for path in lists} | {path: read("GET", path) for path in reads}
