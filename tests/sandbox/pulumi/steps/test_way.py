"""From a commit to a database and back: every step on real parts."""

import json

import pytest

from activities.pulumi.contracts import DriftLook, PrepareStackRequest, PreviewRequest, SaidDone
from connectors.pulumi.approval import UpdateStackParameters
from connectors.pulumi.outcome import Ended
from hitl.approval.plan import read_plan
from tests.sandbox.pulumi.conftest import ONE_LOOP, PASSPHRASE_CANARY
from tests.sandbox.pulumi.steps.conftest import CHANGE_PASSWORD, FOLDER, LOOK_PASSWORD, REPOSITORY, SHOP, Shop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]


@pytest.mark.parametrize("unmade", [True])
async def test_a_commit_becomes_a_database_and_goes_again(shop: Shop) -> None:
    prepared = await shop.prepare()
    assert prepared.project == "example"
    first = await shop.run(shop.looks.refresh_stack, await shop.look())
    assert not first.deployed

    previewed = await shop.preview(why="because of a test")
    assert previewed.plan is not None
    plan = read_plan(previewed.plan)
    assert plan.action == "pulumi.update_stack"
    assert plan.summary[0] == "because of a test"
    wanted = plan.parameters_as(UpdateStackParameters)
    assert (wanted.inputs.commit, wanted.repository, wanted.environment) == (prepared.commit, REPOSITORY, "live")
    assert "1 to create" in previewed.headline
    assert shop.databases == []

    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.APPLIED
    assert changed.outputs == {"database": f"{shop.name}_shop", "token": "[secret]"}
    assert shop.databases == ["shop"]
    assert any("create" in str(beat) for beat in shop.beats)

    again = await shop.preview()
    assert again.plan is None
    assert again.deployed

    await gone(shop)


async def gone(shop: Shop) -> None:
    """It is destroyed as it was looked at, and its history tells of all."""
    look = await shop.look()
    planned = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    assert "1 to delete" in planned.headline
    assert shop.databases == ["shop"]
    destroyed = await shop.run(shop.changes.destroy_stack, shop.grant(planned))
    assert destroyed.outcome.ended is Ended.APPLIED, destroyed
    assert shop.databases == []
    history = await shop.run(shop.looks.read_history, await shop.look())
    assert shop.prepared is not None
    told = [(one.version, one.kind, one.result, one.commit) for one in history.deployments]
    commit = shop.prepared.commit
    assert told == [(2, "destroy", "succeeded", commit), (1, "update", "succeeded", commit)]
    assert history.deployments[0].message == f"Banksman: {REPOSITORY} at {commit} in {FOLDER}"
    look = await shop.look()
    empty = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    assert empty.plan is None
    assert empty.deployed


async def test_what_is_kept_and_answered_holds_no_secret(shop: Shop) -> None:
    changed = await shop.deploy()
    outputs = await shop.run(shop.looks.read_outputs, await shop.look())
    assert outputs.outputs == {"database": f"{shop.name}_shop", "token": "[secret]"}
    assert outputs.state == changed.outcome.state_after
    kept = changed.model_dump_json() + await shop.text(changed.events) + await shop.text(outputs.exported)
    kept += outputs.model_dump_json() + repr(shop.beats)
    for secret in (PASSPHRASE_CANARY, LOOK_PASSWORD, CHANGE_PASSWORD, "output-canary"):
        assert secret not in kept


async def test_drift_is_told_once_and_a_refresh_writes_it_down(shop: Shop) -> None:
    await shop.deployed()
    assert (await shop.drift()).fingerprints == ()
    shop.database.asked(f"COMMENT ON DATABASE {shop.name}_shop IS 'by hand'")
    seen = await shop.drift()
    assert len(seen.fingerprints) == 1
    assert "by hand" in "".join(seen.new)
    assert seen.complete
    assert seen.looked_at == 1
    known = await shop.drift(*seen.fingerprints)
    assert known.new == ()
    assert known.lines == seen.lines

    refreshed = await shop.run(shop.looks.refresh_stack, await shop.look())
    assert refreshed.fingerprints == seen.fingerprints
    assert refreshed.state != seen.state
    previewed = await shop.preview(drift=refreshed.report)
    assert previewed.state == refreshed.state
    assert "Overwrites what was changed by hand: shop" in previewed.lines
    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.APPLIED, changed
    assert (await shop.drift()).fingerprints == ()


@pytest.mark.parametrize("unmade", [True])
async def test_a_stack_that_is_not_there_is_an_answer(shop: Shop) -> None:
    await shop.prepare()
    look = await shop.look()
    assert not (await shop.run(shop.looks.read_outputs, look)).deployed
    assert not (await shop.run(shop.looks.read_history, await shop.look())).deployed
    assert not (await shop.drift()).deployed
    locked = await shop.run(shop.looks.look_at_lock, await shop.look())
    assert (locked.deployed, locked.owners) == (False, ())
    look = await shop.look()
    planned = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    assert (planned.deployed, planned.plan) == (False, None)


async def test_a_plan_of_megabytes_is_in_no_answer(shop: Shop) -> None:
    await shop.prepare(
        """
import pulumi
from databases import Database
for number in range(6):
    pulumi.ComponentResource("example:index:Large", f"large-{number}", {"text": str(number + 10) * 200_000})
Database("shop", "NAME_shop")
"""
    )
    previewed = await shop.preview()
    assert previewed.plan is not None
    wanted = read_plan(previewed.plan).parameters_as(UpdateStackParameters)
    assert len(await shop.store.get(wanted.inputs.plan_file)) > 2_000_000
    assert len(previewed.model_dump_json()) < 256 * 1024
    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.APPLIED
    assert len(changed.model_dump_json()) < 256 * 1024


async def test_the_same_commit_is_the_same_artifact(shop: Shop) -> None:
    source = await shop.commit(SHOP, **{"Pulumi.dev.yaml": "config:\n  example:comment: second\n"})
    asked = PrepareStackRequest(place=shop.place, source=source)
    first = await shop.run(shop.looks.prepare_stack, asked)
    assert await shop.run(shop.looks.prepare_stack, asked) == first
    kept = json.loads(await shop.text(first.prepared))
    assert kept["settings"]["config"] == {"example:comment": "second"}
    other = await shop.prepare(SHOP + "\n", **{"Pulumi.dev.yaml": "config:\n  example:comment: second\n"})
    changed = json.loads(await shop.text(other.prepared))
    assert changed["archive"] != kept["archive"]


async def test_what_is_said_to_be_done_is_looked_up_in_the_state(shop: Shop) -> None:
    previewed = await shop.planned()
    assert previewed.whole_plan is not None
    assert previewed.exported is not None
    said = SaidDone(whole_plan=previewed.whole_plan, exported=previewed.exported)

    async def missing() -> int | None:
        look = await shop.look()
        asked = DriftLook(place=look.place, prepared=look.prepared, secrets=look.secrets, said_done=said)
        return (await shop.run(shop.looks.detect_drift, asked)).missing

    async def otherwise(*done: str, refused: bool = False) -> int | None:
        """The same of a change that was stopped on its way, or refused, by the state alone."""
        part = said.model_copy(update={"done": done, "refused": refused})
        look = (await shop.look()).model_copy(update={"said_done": part})
        return (await shop.run(shop.looks.read_outputs, look)).otherwise

    assert (await missing(), await otherwise("urn:of:none"), await otherwise(refused=True)) == (1, 1, 0)
    [made] = [one.urn for one in (await shop.update(previewed)).outcome.done]
    assert (await missing(), await otherwise(made), await otherwise(made, f"{made}-2")) == (0, 0, 1)
    assert await otherwise(refused=True) == 1
