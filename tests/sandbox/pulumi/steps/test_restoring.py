"""A kept state put back, on real parts: what Pulumi believes changes, once, and nothing else does."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.guard.granted import GrantedRequest
from activities.pulumi.contracts import RestoreLook, StackOutputs, StackPreviewed, StackRestored
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from connectors.pulumi.approval import RESTORE_ACTION, RestoreStateParameters
from connectors.pulumi.empty_state import EMPTY_STATE
from connectors.pulumi.outcome import Ended
from hitl.approval.plan import Risk, read_plan
from tests.sandbox.pulumi.conftest import ONE_LOOP, PASSPHRASE_CANARY
from tests.sandbox.pulumi.steps.conftest import CHANGE_PASSWORD, LOOK_PASSWORD, SHOP, Shop
from tests.sandbox.pulumi.steps.test_bad_days import MORE, altered

OTHER_SALT = "v1:OKPMLVKl/B4=:v1:BQAhHNRfSr1sXLuk:cp9mTSFyH5sYDb5V7F9o2bXxzw=="
"""Made with a passphrase that nobody here has."""

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

KEPT: dict[tuple[str, ...], str] = {}
"""What was exported after these programs were applied, one after the other."""
COMPARED: dict[tuple[tuple[str, ...], str], StackPreviewed] = {}
"""With which kept states that was compared."""


async def seen(shop: Shop) -> StackOutputs:
    """The state that is there, kept."""
    return await shop.run(shop.looks.read_outputs, await shop.look())


async def kept(shop: Shop) -> str:
    """Its artifact; on a stack that only `deployed` has changed an earlier test's will do."""
    if shop.applied not in KEPT:
        exported = (await seen(shop)).exported
        assert exported is not None
        KEPT[shop.applied] = exported
    return KEPT[shop.applied]


async def compare(shop: Shop, backup: str) -> StackPreviewed:
    look = await shop.look()
    return await shop.run(shop.looks.preview_restore, RestoreLook(backup=backup, **look.model_dump()))


async def compared_once(shop: Shop, backup: str) -> StackPreviewed:
    """The same on a stack that only `deployed` has changed, unless an earlier test did."""
    key = (shop.applied, backup)
    if key not in COMPARED:
        COMPARED[key] = await compare(shop, backup)
    return COMPARED[key]


async def restore(shop: Shop, granted: GrantedRequest, **info: object) -> StackRestored:
    return await shop.run(shop.changes.restore_state, granted, **info)


async def tried_again(shop: Shop, granted: GrantedRequest, **info: object) -> StackRestored:
    """As Temporal tries it, until the container of the attempt before is gone."""
    while True:
        try:
            return await restore(shop, granted, **info)
        except Unavailable:
            await asyncio.sleep(0.2)


async def test_a_kept_state_is_put_back_and_the_restoring_undone(shop: Shop) -> None:
    await shop.deployed(SHOP)
    old = await kept(shop)
    await shop.deployed(SHOP, MORE)
    compared = await compared_once(shop, old)
    assert compared.plan is not None
    plan = read_plan(compared.plan)
    wanted = plan.parameters_as(RestoreStateParameters)
    assert (plan.action, plan.risk, wanted.backup, wanted.environment) == (RESTORE_ACTION, Risk.HIGH, old, "live")
    assert (wanted.state, wanted.exported) == (compared.state, compared.exported)
    assert f"? forget banksman:postgres:Database more: id was {shop.name}_more" in plan.summary
    assert plan.summary[1].startswith("Nothing outside is made, changed or deleted")

    restored = await restore(shop, shop.grant(compared))
    assert (restored.ended, restored.state, restored.replaced) == (Ended.APPLIED, wanted.restored, compared.exported)
    assert (await seen(shop)).state == wanted.restored
    assert shop.databases == ["more", "shop"], "what is forgotten stays"
    assert (await compare(shop, old)).plan is None, "it is so already"

    told = compared.model_dump_json() + restored.model_dump_json() + await shop.text(compared.whole_plan)
    for secret in (PASSPHRASE_CANARY, LOOK_PASSWORD, CHANGE_PASSWORD, "output-canary", "ciphertext"):
        assert secret not in told

    undone = await restore(shop, shop.grant(await compare(shop, restored.replaced)))
    assert (undone.ended, undone.state) == (Ended.APPLIED, compared.state)
    assert (await shop.preview()).plan is None, "Pulumi believes again what its program says"


async def test_a_state_that_changed_since_the_approval_is_a_conflict(shop: Shop) -> None:
    await shop.deployed(SHOP)
    compared = await compared_once(shop, await shop.store.put(EMPTY_STATE))
    await shop.deployed(SHOP, MORE)
    after = await kept(shop)
    assert shop.prepared is not None
    old = altered(compared, prepared=shop.prepared.prepared, commit=shop.prepared.commit)
    with pytest.raises(Conflict, match="its state was changed since; plan again"):
        await restore(shop, shop.granted(old))
    assert (await seen(shop)).exported == after


async def test_a_grant_for_another_artifact_than_it_says_puts_nothing_back(shop: Shop) -> None:
    await shop.deployed(SHOP)
    old = await kept(shop)
    await shop.deployed(SHOP, MORE)
    before = await kept(shop)
    compared = await compared_once(shop, old)
    empty = await shop.store.put(EMPTY_STATE)
    with pytest.raises(Conflict, match="of other states than the plan says"):
        await restore(shop, shop.granted(altered(compared, backup=empty)))
    with pytest.raises(Conflict, match="of other states than the plan says"):
        await restore(shop, shop.granted(altered(compared, exported=empty)))
    with pytest.raises(InvalidRequest, match="the plan is for 'staging'"):
        await restore(shop, shop.granted(altered(compared, environment="staging")))
    assert (await seen(shop)).exported == before


async def test_what_is_no_state_of_this_stack_is_refused_when_it_is_looked_at_and_when_it_is_put_back(
    shop: Shop,
) -> None:
    await shop.deployed(SHOP)
    old = await kept(shop)
    compared = await compared_once(shop, await shop.store.put(EMPTY_STATE))
    text = await shop.text(old)
    assert shop.prepared is not None
    refused = {
        await shop.store.put(text.replace("::example::", "::blog::").encode()): "it is a state of 'blog/dev'",
        await shop.store.put(text.replace("urn:pulumi:dev::", "urn:pulumi:prod::").encode()): "of 'example/prod'",
        await shop.store.put(text.replace('"version": 3', '"version": 9').encode()): "its schema has version 9",
        shop.prepared.prepared: "it has no deployment",
    }
    for backup, why in refused.items():
        with pytest.raises(InvalidRequest, match=why):
            await compare(shop, backup)
        with pytest.raises(InvalidRequest, match=why):
            await restore(shop, shop.granted(altered(compared, backup=backup)))
    with pytest.raises(NotFound, match="does not hold"):
        await compare(shop, f"sha256:{'0' * 64}")
    assert (await seen(shop)).exported == old


async def test_a_state_that_another_passphrase_keeps_is_refused_by_pulumi_itself(shop: Shop) -> None:
    await shop.deployed(SHOP)
    before = await seen(shop)
    state = json.loads(await shop.text(before.exported))
    state["deployment"]["secrets_providers"]["state"]["salt"] = OTHER_SALT
    compared = await compare(shop, await shop.store.put(json.dumps(state).encode()))
    assert compared.plan is not None
    assert OTHER_SALT not in compared.plan
    refused = await restore(shop, shop.grant(compared))
    assert (refused.ended, refused.state, refused.exported) == (Ended.REFUSED, before.state, before.exported)
    assert "passphrase" in refused.said


async def test_an_artifact_that_somebody_tampered_with_is_not_put_back(shop: Shop) -> None:
    await shop.deployed(SHOP)
    old = await kept(shop)
    await shop.deployed(SHOP, MORE)
    compared = await compared_once(shop, old)
    digest = old.removeprefix("sha256:")
    file = Path(shop.store.location) / digest[:2] / digest
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"first", b"other"))
    try:
        with pytest.raises(Unavailable, match="holds other bytes"):
            await compare(shop, old)
        with pytest.raises(Unavailable, match="holds other bytes"):
            await restore(shop, shop.grant(compared))
    finally:
        file.write_bytes(whole)  # other tests restore it
    assert (await seen(shop)).exported == compared.exported


async def test_a_worker_lost_after_it_put_the_state_back_does_so_once(shop: Shop) -> None:
    """Putting it back encrypts all secrets anew: the very same bytes were written once."""
    await shop.deployed(SHOP)
    old = await kept(shop)
    await shop.deployed(SHOP, MORE)
    granted = shop.grant(await compared_once(shop, old))
    mine: dict[str, object] = {"activity_id": uuid.uuid4().hex[:8], "scheduled_time": datetime.now(UTC)}
    late = await restore(shop, granted, **mine, attempt=2)
    assert late.ended is Ended.APPLIED, "an earlier attempt that did nothing is no reason to stop"
    async with asyncio.timeout(60):
        again = await tried_again(shop, granted, **mine, attempt=3)
    assert (again.ended, again.exported) == (Ended.APPLIED, late.exported)
    assert "A worker was lost" in again.said
    await shop.deploy(SHOP.replace("first", "third"))
    assert shop.prepared is not None
    with pytest.raises(ApplicationError, match="begun already"):
        await restore(shop, granted)


@pytest.mark.parametrize("unmade", [True])
async def test_a_stack_that_is_not_there_is_made_first(shop: Shop) -> None:
    await shop.prepare()
    with pytest.raises(NotFound, match="preview it first, which makes it"):
        await compare(shop, await shop.store.put(EMPTY_STATE))
