"""The state's identity on exports of the real CLI: the same while nothing changes, another as soon as anything does."""

import json

import pytest

from connectors.pulumi.digests import (
    ApprovedInputs,
    ConfigValue,
    configuration_digest,
    content_digest,
    program_digest,
    state_identity,
)
from connectors.pulumi.identity import NO_STATE
from tests.connectors.pulumi.machine import PROGRAM, Stack

pytestmark = pytest.mark.timeout(1800)


def shuffled(exported: bytes) -> bytes:
    """The same state in another order of keys and resources."""
    read = json.loads(exported)
    read["deployment"]["resources"].reverse()

    def turned(value: object) -> object:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return [turned(one) for one in value] if isinstance(value, list) else value

    return json.dumps(turned(read), indent=1).encode()


def test_two_exports_of_one_state_and_any_order_of_them_are_one(deployed: Stack) -> None:
    exported = deployed.export()
    again = deployed.run("stack", "export").must().text.encode()
    assert state_identity(exported) == state_identity(again) == state_identity(shuffled(exported))
    assert state_identity(exported) != NO_STATE


def test_an_up_and_a_refresh_that_change_nothing_keep_it_although_they_write_the_state_anew(stack: Stack) -> None:
    before = stack.export()
    stack.logged("up", "--yes", "--skip-preview").must()
    after_up = stack.export()
    stack.logged("refresh", "--yes").must()
    after_refresh = stack.export()
    assert len({before, after_up, after_refresh}) == 3
    assert len({state_identity(one) for one in (before, after_up, after_refresh)}) == 1


def test_a_secret_that_is_rotated_changes_it_although_its_ciphertext_is_left_out(stack: Stack) -> None:
    before = stack.export()
    stack.configure("password", "hunter3-canary", secret=True)
    stack.logged("up", "--yes", "--skip-preview").must()
    assert state_identity(stack.export()) != state_identity(before)


def test_anything_that_an_update_could_meet_changes_it(deployed: Stack) -> None:
    exported = deployed.export()
    known = state_identity(exported)

    def other(change: str) -> str:
        read = json.loads(exported)
        deployment = read["deployment"]
        resource = next(one for one in deployment["resources"] if one["urn"].endswith("::first"))
        match change:
            case "input":
                resource["inputs"]["content"] = "9"
            case "id":
                resource["id"] = "elsewhere"
            case "gone":
                deployment["resources"].remove(resource)
            case "condemned":
                resource["delete"] = True
            case "pending":
                deployment["pending_operations"] = [{"resource": resource, "type": "updating"}]
            case _:
                deployment["secrets_providers"]["state"]["salt"] = "another"
        return state_identity(json.dumps(read).encode())

    found = {known, *(other(one) for one in ("input", "id", "gone", "condemned", "pending", "salt"))}
    assert len(found) == 7


def test_a_stack_without_anything_has_no_state(stack: Stack) -> None:
    stack.logged("destroy", "--yes").must()
    assert state_identity(stack.export()) == NO_STATE
    assert state_identity(b'{"version": 3, "deployment": null}') == NO_STATE


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"deployment": 3}', b'{"deployment": {"resources": 3}}'])
def test_what_is_no_export_has_no_identity(text: bytes) -> None:
    with pytest.raises(ValueError, match="this is not what `pulumi stack export` prints"):
        state_identity(text)


def inputs(**changes: str) -> ApprovedInputs:
    digest = content_digest(b"")
    values = {"commit": "a" * 40, "state": "b" * 64} | dict.fromkeys(
        ("program", "configuration", "plan_file", "image", "program_image"), digest
    )
    return ApprovedInputs.model_validate({**values, **changes})


def test_what_was_approved_names_what_is_no_longer_so() -> None:
    approved = inputs()
    assert approved.differences(inputs()) == ()
    assert approved.digest() == inputs().digest()
    now = inputs(state="c" * 64, program=program_digest({"__main__.py": PROGRAM.encode()}))
    assert approved.differences(now) == ("program", "state")
    assert approved.digest() != now.digest()


def test_a_program_is_its_files_whatever_their_order() -> None:
    one = program_digest({"a.py": b"1", "b.py": b"2"})
    assert one == program_digest({"b.py": b"2", "a.py": b"1"})
    assert one != program_digest({"a.py": b"2", "b.py": b"1"})
    assert one != program_digest({"a.py": b"1"})


def test_a_configuration_changes_with_a_secrets_version_and_holds_none_of_its_value() -> None:
    first = configuration_digest({"shop:password": ConfigValue(secret="vault:kv/shop#password@3")})
    assert first != configuration_digest({"shop:password": ConfigValue(secret="vault:kv/shop#password@4")})
    assert first != configuration_digest({"shop:password": ConfigValue(plain="vault:kv/shop#password@3")})
