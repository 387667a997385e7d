"""Who may sign decisions: the gateway, with a key that never leaves Vault; and nothing else is in its reach."""

import pytest

from activities.guard.audit_checkpoint import AUDIT_KEY, SignedCheckpoint
from connectors.errors import AuthDenied, Unavailable
from connectors.vault import VaultSession
from hitl.approval.decision import SignedDecision
from hitl.approval.signing import public_key, refuse_signature
from hitl.protocol import RefusalReason
from tests.connectors.vault.server import House

TEXT = "banksman-decision/v1\n{}"
KEY = "approvals"


async def refusal(session: VaultSession, signed: SignedDecision) -> RefusalReason | None:
    keys = {version: public_key(raw) for version, raw in (await session.public_keys(KEY)).items()}
    found = refuse_signature(signed, keys)
    return found.reason if found else None


async def test_the_gateway_signs_and_everybody_who_verifies_can_tell(house: House) -> None:
    gateway, goals = await house.login("gateway"), await house.login("goals")
    signed = SignedDecision.from_vault(TEXT, await gateway.sign(KEY, TEXT))
    assert await refusal(goals, signed) is None
    assert await refusal(goals, signed.model_copy(update={"text": f"{TEXT} "})) is RefusalReason.BAD_SIGNATURE


async def test_a_rotated_key_signs_on_and_a_revoked_one_is_void(own_house: House) -> None:
    gateway, server = await own_house.login("gateway"), own_house.server
    before = SignedDecision.from_vault(TEXT, await gateway.sign(KEY, TEXT))
    server.admin("POST", f"transit/keys/{KEY}/rotate")
    after = SignedDecision.from_vault(TEXT, await gateway.sign(KEY, TEXT))
    assert (before.key_version, after.key_version) == (1, 2)
    assert [await refusal(gateway, one) for one in (before, after)] == [None, None]
    server.admin("POST", f"transit/keys/{KEY}/config", {"min_decryption_version": 2})
    assert [await refusal(gateway, one) for one in (before, after)] == [RefusalReason.UNKNOWN_KEY, None]


@pytest.mark.parametrize("role", ["goals", "connectors", "destructive", "sandbox", "codec"])
@pytest.mark.parametrize("key", [KEY, AUDIT_KEY])
async def test_no_other_process_signs(house: House, role: str, key: str) -> None:
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.sign(key, TEXT)


async def test_what_is_signed_of_audit_files_is_signed_with_a_key_of_its_own(house: House) -> None:
    gateway = await house.login("gateway")
    signed = SignedCheckpoint.from_vault(TEXT, await gateway.sign(AUDIT_KEY, TEXT))
    keys = {name: await gateway.public_keys(name) for name in (KEY, AUDIT_KEY)}
    found = {name: {version: public_key(raw) for version, raw in each.items()} for name, each in keys.items()}
    assert signed.refuse(found[AUDIT_KEY]) is None
    assert signed.refuse(found[KEY]) == "it is not signed with this key: forged or changed"


FORBIDDEN = [
    ("POST", "transit/keys/approvals"),
    ("POST", "transit/keys/approvals/rotate"),
    ("POST", "transit/keys/approvals/config"),
    ("GET", "transit/export/signing-key/approvals"),
    ("POST", "transit/keys/audit/rotate"),
    ("POST", "transit/keys/audit/config"),
    ("GET", "transit/export/signing-key/audit"),
    ("POST", "transit/sign/handover"),
    ("POST", "transit/decrypt/handover"),
    ("GET", "transit/keys/handover"),
    ("GET", "banksman/data/github/app"),
    ("GET", "banksman/data/github/destructive-app"),
    ("GET", "banksman/data/pulumi/look"),
    ("GET", "banksman/data/pulumi/change"),
    ("POST", "banksman/data/slack/app"),
    ("GET", "banksman/metadata/slack/app"),
    ("POST", "auth/token/create"),
    ("POST", "auth/token/create/github-read"),
    ("POST", "auth/token/create/github-delete-branch"),
    ("POST", "auth/token/create/pulumi-look"),
    ("POST", "auth/token/create/pulumi-change"),
    ("POST", "auth/approle/role/destructive/secret-id"),
    ("GET", "auth/approle/role/destructive/role-id"),
]


@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
async def test_nothing_else_is_the_gateways(house: House, method: str, path: str) -> None:
    gateway = await house.login("gateway")
    assert house.server.status(method, path, gateway._token) == 403


async def test_a_sealed_vault_signs_nothing_and_signs_again_when_it_is_open(own_house: House) -> None:
    gateway = await own_house.login("gateway")
    own_house.server.seal()
    with pytest.raises(Unavailable, match="sealed"):
        await gateway.sign(KEY, TEXT)
    own_house.server.unseal()
    assert (await gateway.sign(KEY, TEXT)).startswith("vault:v1:")
