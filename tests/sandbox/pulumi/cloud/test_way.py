"""A stack whose state is in Pulumi Cloud, on the real CLI: from nothing to a database, and back to nothing."""

import json
import shutil
from pathlib import Path

import pytest

from connectors.pulumi.history import read_history
from sandbox.pulumi import pair
from sandbox.pulumi.outcome import PreviewOutcome, RunOutcome
from sandbox.pulumi.request import DestroyRequest, ImportRequest, ReadRequest, RefreshRequest
from tests.sandbox.pulumi.cloud.conftest import URL, CloudStack, kept
from tests.sandbox.pulumi.cloud.service import Json
from tests.sandbox.pulumi.conftest import PASSWORD_CANARY, Database, said, still_wanted
from tests.sandbox.pulumi.programs import DATABASE, LOOK_AROUND

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

SECRET = "output-canary-1b2c"
SHUT = '        (_HOME / "policies").touch()\n'
SWITCH = '"PULUMI_OPTIMIZED_CHECKPOINT_PATCH": "false",'


def shop(stack: CloudStack, more: str = "") -> str:
    return f"""{DATABASE}
Database("shop", "{stack.name}_shop")
pulumi.export("plain", "seen")
pulumi.export("token", pulumi.Output.secret("{SECRET}"))
{more}
"""


async def applied(
    stack: CloudStack, code: str, *, check_drift: bool = False, message: str = ""
) -> tuple[PreviewOutcome, RunOutcome]:
    planned = await stack.preview(code)
    assert planned.ended == "done", said(planned)
    version = planned.update_version
    return planned, await stack.up(code, planned, update_version=version, check_drift=check_drift, message=message)


async def test_a_stack_in_pulumi_cloud_comes_and_goes(stack: CloudStack, database: Database, tmp_path: Path) -> None:
    planned, done = await applied(stack, shop(stack), message="made by a test", check_drift=True)
    assert done.ended == "done", said(done)
    assert f"{stack.name}_shop" in database.names
    there = stack.member.stack
    assert (planned.update_version, done.update_version, there.version) == (0, 0, 1)
    assert "banksman:postgres:Database" in [one["type"] for one in there.resources]

    again = await stack.preview(shop(stack))
    assert again.ended == "done", said(again)
    step = again.step("preview")
    assert step is not None
    assert set(step.changes) == {"same"}
    assert (again.identity_before, again.update_version) == (done.identity_after, 1)

    request = ReadRequest.model_validate(stack.fields())
    exported = await stack.pulumi.export_state(request, stack.secrets)
    assert exported.identity_before == done.identity_after

    refreshed = await stack.pulumi.refresh(
        RefreshRequest.model_validate({**stack.fields(), "preview_only": False}), stack.secrets
    )
    assert refreshed.ended == "done", said(refreshed)
    assert refreshed.identity_after == done.identity_after

    fields = {**stack.fields(), "identity": refreshed.identity_after, "update_version": refreshed.update_version}
    gone = await stack.pulumi.destroy(DestroyRequest.model_validate(fields), stack.secrets, last_look=still_wanted)
    assert gone.ended == "done", said(gone)
    assert f"{stack.name}_shop" not in database.names
    history = await stack.pulumi.history(request, stack.secrets)
    told = read_history(await stack.store.get(history.content or ""))
    assert [(one.version, one.kind, one.result) for one in told] == [
        (3, "destroy", "succeeded"), (2, "refresh", "succeeded"), (1, "update", "succeeded"),
    ]  # fmt: skip
    assert told[-1].message == "made by a test"
    assert told[-1].changes["create"] == 2  # the stack itself is one

    written = await kept(tmp_path / "artifacts")
    written += "".join(one.model_dump_json() for one in (planned, done, again, refreshed, gone)).encode()
    assert b"banksman:postgres:Database" in written
    for secret in (stack.member.token, PASSWORD_CANARY):
        assert secret.encode() not in written
    assert SECRET not in json.dumps(there.checkpoints), "Pulumi Cloud is sent secrets to encrypt, and keeps no other"


async def test_a_program_finds_no_token(stack: CloudStack) -> None:
    # Written backwards, because the way out masks what the engine knows.
    outcome = await stack.preview(LOOK_AROUND.replace("CANARIES", repr([stack.member.token[::-1]])))
    assert outcome.ended == "done", said(outcome)
    assert "tried" in outcome.program_output, said(outcome)
    assert "ESCAPED" not in outcome.program_output


async def test_an_update_of_somebody_elses_in_between_changes_nothing(stack: CloudStack, database: Database) -> None:
    """One after which the state is as it was; a refresh that saw nothing new is none."""
    _, done = await applied(stack, shop(stack))
    assert done.ended == "done", said(done)
    code = shop(stack, f'Database("more", "{stack.name}_more")\n')
    planned = await stack.preview(code)
    refresh = RefreshRequest.model_validate({**stack.fields(), "preview_only": False})
    assert (await stack.pulumi.refresh(refresh, stack.secrets)).ended == "done"
    bound = {"identity": planned.identity_before, "update_version": planned.update_version}
    looked = await stack.pulumi.refresh(RefreshRequest.model_validate({**stack.fields(), **bound}), stack.secrets)
    assert looked.ended == "done", said(looked)
    assert stack.member.stack.version == 2

    stack.member.update_elsewhere()
    stale = await stack.up(code, planned, check_drift=False, update_version=planned.update_version)
    assert (stale.ended, stale.changed) == ("changed", ("version",)), said(stale)
    assert stale.identity_before == planned.identity_before
    assert stale.step("up") is None
    assert (f"{stack.name}_shop" in database.names, f"{stack.name}_more" in database.names) == (True, False)
    canary = await stack.up(code, planned, check_drift=False)
    assert canary.ended == "done", "only the version stood against it"
    assert f"{stack.name}_more" in database.names


def without(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine as it would be without this line."""
    inside = folder / "inside"
    shutil.copytree(pair._INSIDE, inside)
    source = (inside / "engine.py").read_text()
    assert source.count(line) == 1
    (inside / "engine.py").write_text(source.replace(line, ""))
    monkeypatch.setattr(pair, "_INSIDE", inside)


@pytest.mark.parametrize("shut", [True, False], ids=["shut", "canary: without the file"])
async def test_a_policy_pack_that_pulumi_cloud_names_is_not_even_fetched(
    stack: CloudStack, shut: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shut:
        without(SHUT, tmp_path, monkeypatch)
    member = stack.member
    where = f"{URL}/packs/{member.organization}"
    pack: Json = {"name": "evil", "version": 1, "versionTag": "1.0.0", "packLocation": where}
    member.cloud.twin.service.policies[member.organization] = [pack]
    outcome = await stack.preview("import pulumi\n")
    assert outcome.ended == "failed", said(outcome)
    assert outcome.plan is None
    assert bool(member.asked("/packs/")) is not shut
    assert (": not a directory" in said(outcome)) is shut


async def test_an_exported_state_is_put_back(stack: CloudStack) -> None:
    _, first = await applied(stack, shop(stack))
    _, later = await applied(stack, shop(stack, f'Database("more", "{stack.name}_more")\n'))
    fields = {**stack.fields(), "exported": first.state_after, "identity": later.identity_after}
    back = await stack.pulumi.import_state(ImportRequest.model_validate(fields), stack.secrets, last_look=still_wanted)
    assert back.ended == "done", said(back)
    assert back.identity_after == first.identity_after
    assert stack.member.stack.version == 3


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "canary: as differences"])
async def test_what_has_begun_is_in_the_state(
    stack: CloudStack, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a provider is asked for anything, Pulumi Cloud knows of it; not so by the CLI's other way."""
    if not whole:
        without(SWITCH, tmp_path, monkeypatch)
    _, done = await applied(stack, shop(stack))
    assert done.ended == "done", said(done)
    checkpoints = json.dumps(stack.member.stack.checkpoints)
    assert "banksman:postgres:Database" in checkpoints
    assert ('"pending_operations"' in checkpoints) is whole
    ways = {path.rpartition("/")[2] for path in stack.member.asked("/checkpoint")}
    assert ways == ({"checkpoint"} if whole else {"checkpointverbatim", "checkpointdelta"})
