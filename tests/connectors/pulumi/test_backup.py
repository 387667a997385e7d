"""Putting a kept state back: what is foretold is what the real CLI makes of it, and only a state of this stack is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.pulumi.approval import RESTORE_ACTION, RestoreStateParameters, approval_plan
from connectors.pulumi.backup import BackupRefused, Restoration, restoration
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.empty_state import EMPTY_STATE, EMPTY_STATE_REFERENCE
from connectors.pulumi.identity import NO_STATE, state_identity
from connectors.pulumi.rendering import restoring_lines, short_lines
from hitl.approval.plan import Risk
from tests.connectors.pulumi.machine import PROGRAM, PROJECT, Stack
from tests.connectors.pulumi.machine import STACK as NAME

pytestmark = pytest.mark.timeout(1800)

COMMIT = "c" * 40
DIGEST = f"sha256:{'a' * 64}"
FILE = "banksman:files:File"
Edit = Callable[[dict[str, Any]], object]


def found(present: bytes, kept: bytes) -> Restoration:
    return restoration(present, kept, project=PROJECT, stack=NAME, commit=COMMIT)


def edited(exported: bytes, edit: Edit) -> bytes:
    """An exported state that somebody changed by hand."""
    read = json.loads(exported)
    edit(read)
    return json.dumps(read).encode()


def put_back(stack: Stack, kept: bytes, folder: Path) -> bytes:
    """What the CLI makes of it."""
    (folder / "kept.json").write_bytes(kept)
    stack.run("stack", "import", f"--file={folder / 'kept.json'}").must()
    return stack.export()


def told(restored: Restoration) -> dict[str, ChangeKind]:
    return {one.name: one.change for one in restored.plan.changes if one.type == FILE}


def test_what_is_foretold_is_what_is_there_afterwards(stack: Stack, tmp_path: Path) -> None:
    kept = stack.export()
    stack.configure("first", "2")
    stack.configure("password", "hunter3-canary", secret=True)
    stack.write(PROGRAM.replace('second = file("second"', 'third = file("third"'))
    stack.logged("up", "--yes", "--skip-preview").must()
    now = stack.export()
    restored = found(now, kept)
    known = {"first": ChangeKind.UPDATE, "locked": ChangeKind.UPDATE, "second": ChangeKind.IMPORT}
    assert told(restored) == {**known, "third": ChangeKind.FORGET}
    assert restored.plan.changes[0].change is ChangeKind.FORGET
    assert "outputs.content 2 → 1" in "\n".join(short_lines(restored.plan))
    kept_of_it = restored.plan.model_dump_json()
    assert not [word for word in ("canary", "ciphertext", "v1:") if word in kept_of_it]
    assert state_identity(put_back(stack, kept, tmp_path)) == restored.restored == state_identity(kept)
    assert found(stack.export(), kept).plan.empty
    assert state_identity(put_back(stack, now, tmp_path)) == restored.present, "it can be undone"


def test_pending_operations_do_not_come_back_and_are_counted(stack: Stack, tmp_path: Path) -> None:
    def interrupt(state: dict[str, Any]) -> None:
        one = next(it for it in state["deployment"]["resources"] if it["type"] == FILE)
        state["deployment"]["pending_operations"] = [{"resource": one, "type": "updating"}]

    plain = stack.export()
    kept = edited(plain, interrupt)
    restored = found(plain, kept)
    assert (restored.dropped, restored.plan.empty, restored.present == restored.restored) == (1, True, True)
    assert state_identity(put_back(stack, kept, tmp_path)) == restored.restored
    gone = found(kept, plain)
    assert [(one.path, one.before) for one in gone.plan.changes[0].properties] == [("pending operations", "1")]
    assert gone.present != gone.restored


def test_a_state_of_nothing_forgets_all_and_deletes_nothing(stack: Stack, tmp_path: Path) -> None:
    restored = found(stack.export(), EMPTY_STATE)
    assert set(told(restored).values()) == {ChangeKind.FORGET}
    assert restored.restored == NO_STATE
    assert [one.before for one in restored.plan.outputs] == ["x"]
    files = sorted(path.name for path in stack.files.iterdir())
    assert state_identity(put_back(stack, EMPTY_STATE, tmp_path)) == NO_STATE
    assert sorted(path.name for path in stack.files.iterdir()) == files
    assert f"sha256:{hashlib.sha256(EMPTY_STATE).hexdigest()}" == EMPTY_STATE_REFERENCE


def last(state: dict[str, Any]) -> dict[str, Any]:
    """The resource that comes last."""
    return state["deployment"]["resources"][-1]


def elsewhere(state: dict[str, Any]) -> None:
    resources = state["deployment"]["resources"]
    provider = next(one for one in resources if one["type"].startswith("pulumi:providers:"))
    provider["inputs"] = {"address": "http://elsewhere"}


def half_replaced(state: dict[str, Any]) -> None:
    state["deployment"]["resources"].append({**last(state), "delete": True})


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (elsewhere, "inputs.address = http://elsewhere"),
        (lambda state: last(state).update(id="other"), "→ other"),
        (lambda state: last(state).update(protect=True), "protect = true"),
        (lambda state: state["deployment"].update(metadata={"x": 1}), "metadata one → another"),
        (half_replaced, "old ones left to delete 0 → 1"),
    ],
)
def test_nothing_that_differs_goes_unsaid(deployed: Stack, edit: Edit, line: str) -> None:
    """A provider, an id, the engine's own words: what people are not shown they cannot approve."""
    plain = deployed.export()
    restored = found(plain, edited(plain, edit))
    assert line in "\n".join(short_lines(restored.plan))
    assert restored.present != restored.restored


def interrupted_elsewhere(state: dict[str, Any]) -> None:
    resource = {"urn": "urn:pulumi:dev::blog::a:b:C::d", "type": "a:b:C"}
    state["deployment"]["pending_operations"] = [{"type": "deleting", "resource": resource}]


def kept_by_somebody(state: dict[str, Any]) -> None:
    state["deployment"]["secrets_providers"] = {"type": "service", "state": {"url": "https://elsewhere.example"}}


def nested(state: dict[str, Any]) -> None:
    last(state)["inputs"]["deep"] = json.loads("[" * 900 + "]" * 900)


def of_another(state: dict[str, Any]) -> None:
    last(state)["urn"] = f"urn:pulumi:prod::{PROJECT}::{FILE}::first"


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda state: state.update(version=9), r"version 9, and this release knows 3 and 4"),
        (lambda state: state.pop("version"), r"version None"),
        (lambda state: state.update(deployment="x"), r"it has no deployment"),
        (lambda state: state["deployment"]["resources"].append("x"), r"one of its resources is none"),
        (lambda state: last(state).update(urn="x"), r"has no name: 'x' is no URN"),
        (lambda state: last(state).pop("type"), r"has no type"),
        (of_another, r"it is a state of 'shop/prod', and not of 'shop/dev'"),
        (interrupted_elsewhere, r"it is a state of 'blog/dev'"),
        (kept_by_somebody, r"its secrets are kept by 'service'"),
        (nested, r"nested deeper"),
    ],
)
def test_what_is_no_state_of_this_stack_is_refused_and_named(deployed: Stack, edit: Edit, why: str) -> None:
    plain = deployed.export()
    with pytest.raises(BackupRefused, match=why):
        found(plain, edited(plain, edit))


def test_what_is_no_json_is_refused_without_a_word_of_it(deployed: Stack) -> None:
    with pytest.raises(BackupRefused, match="it is no JSON") as caught:
        found(deployed.export(), b"hunter2-canary")
    assert "canary" not in str(caught.value)


def test_people_read_first_that_nothing_outside_is_changed(deployed: Stack) -> None:
    restored = found(deployed.export(), EMPTY_STATE)
    parameters = RestoreStateParameters(
        **dict.fromkeys(("prepared", "backup", "image", "exported", "whole_plan"), DIGEST),
        repository="acme/shop",
        folder=".",
        project=PROJECT,
        stack=NAME,
        environment="live",
        commit=COMMIT,
        state=restored.present,
        restored=restored.restored,
        salt="",
    )
    why = "\n".join(restoring_lines(restored, DIGEST))
    plan = approval_plan(restored.plan, parameters, action=RESTORE_ACTION, why=why)
    assert plan.summary[0].startswith(f"Put the kept state {DIGEST} back")
    assert plan.summary[1].startswith("Nothing outside is made, changed or deleted")
    assert "DetectDrift" in plan.summary[4]
    assert "PreviewAndUp" in plan.summary[4]
    assert plan.risk is Risk.HIGH
    assert {one.kind.partition(" of ")[0] for one in plan.resources} == {"Pulumi's knowledge"}
