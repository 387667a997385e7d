"""A state for a rehearsal has no secret in it, nor what opens one, and is otherwise the same."""

import json
from typing import Any

import pytest

from connectors.pulumi.copying import PLACEHOLDER, without_secrets
from connectors.pulumi.identity import SECRET, SIGNATURE, state_identity
from sandbox.pulumi.project import StackSettings

URN = "urn:pulumi:dev::shop::random:index:Password::owner"


def exported(**inputs: object) -> bytes:
    providers = {"type": "passphrase", "state": {"salt": "v1:c2FsdA==:v1:bm9uY2U=:Y2FuYXJ5"}}
    resources = [{"urn": URN, "type": "random:index:Password", "custom": True, "id": "1", "inputs": inputs}]
    return json.dumps(
        {"version": 3, "deployment": {"manifest": {}, "secrets_providers": providers, "resources": resources}}
    ).encode()


def secret(ciphertext: str) -> dict[str, str]:
    return {SIGNATURE: SECRET, "ciphertext": ciphertext}


def test_every_secret_is_left_out_however_deep_and_stays_marked_as_one() -> None:
    state = exported(name="owner", password=secret("canary-1"), many=[{"in": {"it": secret("canary-2")}}])
    copied, count = without_secrets(state)
    assert count == 2
    assert b"canary" not in copied
    assert b"salt" not in copied
    found: dict[str, Any] = json.loads(copied)
    inputs = found["deployment"]["resources"][0]["inputs"]
    assert inputs["name"] == "owner"
    assert inputs["password"] == {SIGNATURE: SECRET, "plaintext": json.dumps(PLACEHOLDER)}
    assert inputs["many"][0]["in"]["it"] == inputs["password"]


def test_what_has_no_secret_is_copied_as_it_is() -> None:
    state = exported(name="owner", tags={"plain": "value"})
    copied, count = without_secrets(state)
    assert count == 0
    whole: dict[str, Any] = json.loads(state)
    del whole["deployment"]["secrets_providers"]
    assert json.loads(copied) == whole
    assert state_identity(copied) == state_identity(json.dumps(whole).encode())


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"deployment": 1}'])
def test_what_is_no_state_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="pulumi stack export"):
        without_secrets(text)


def test_a_configuration_is_copied_without_its_secrets_too() -> None:
    salt = "v1:c2FsdA==:v1:bm9uY2U=:Y2FuYXJ5"
    config = {"shop:share": 25, "shop:token": {"secure": "v1:canary"}, "shop:deep": [{"in": {"secure": "v1:canary"}}]}
    copied = StackSettings.model_validate({"salt": salt, "config": config}).without_secrets(PLACEHOLDER)
    assert copied.salt is None
    assert b"canary" not in copied.written()
    assert copied.config == {"shop:share": 25, "shop:token": PLACEHOLDER, "shop:deep": [{"in": PLACEHOLDER}]}
