"""A kept state put back, on real parts: what Pulumi believes changes, once, and nothing else does."""

import asyncio
import hashlib
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
from tests.sandbox.pulumi.conftest import PASSPHRASE_CANARY, Database
from tests.sandbox.pulumi.steps.conftest import CHANGE_PASSWORD, LOOK_PASSWORD, SHOP, Shop, make_roles, make_state
from tests.sandbox.pulumi.steps.test_bad_days import MORE, altered

OTHER_SALT = "v1:OKPMLVKl/B4=:v1:BQAhHNRfSr1sXLuk:cp9mTSFyH5sYDb5V7F9o2bXxzw=="
"""Made with a passphrase that nobody here has."""

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


NAME = "restored"
LOCALE = "LC_COLLATE 'C' LC_CTYPE 'C'"
FORMER: dict[tuple[str, ...], tuple[str, ...]] = {}
"""The databases that stood after these programs, one after the other; for each a copy of the state's database."""


@pytest.fixture(scope="module")
def roles(database: Database) -> None:
    make_roles(database, NAME)


@pytest.fixture
def stack_name(database: Database, roles: None) -> str:
    """One for all tests here, so that a state that one of them deployed is the next one's, too."""
    del roles
    for one in database.names:
        if one.startswith(f"{NAME}_"):
            database.asked(f"DROP DATABASE {one} WITH (FORCE)")
    return NAME


async def deployed(shop: Shop, *programs: str) -> None:
    """These programs were applied one after the other; by an earlier test, if there was one."""
    if programs not in FORMER:
        if programs[:-1]:
            await deployed(shop, *programs[:-1])
        await shop.deployed(programs[-1])
        shop.database.copy(NAME, copy_of(programs), "postgres")
        FORMER[programs] = tuple(shop.databases)
        return
    make_state(shop.database, NAME, copy_of(programs))
    for one in {*FORMER[programs]} - {*shop.databases}:
        shop.database.asked(f"CREATE DATABASE {NAME}_{one} OWNER {NAME}_change TEMPLATE template0 {LOCALE}")
        shop.database.asked(f"COMMENT ON DATABASE {NAME}_{one} IS 'first'")
    await shop.prepare(programs[-1])


def copy_of(programs: tuple[str, ...]) -> str:
    return f"copy_{hashlib.sha256(repr(programs).encode()).hexdigest()[:12]}"


async def seen(shop: Shop) -> StackOutputs:
    """The state that is there, kept."""
    return await shop.run(shop.looks.read_outputs, await shop.look())


async def kept(shop: Shop) -> str:
    """Its artifact."""
    exported = (await seen(shop)).exported
    assert exported is not None
    return exported


async def compare(shop: Shop, backup: str) -> StackPreviewed:
    look = await shop.look()
    return await shop.run(shop.looks.preview_restore, RestoreLook(backup=backup, **look.model_dump()))


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
    await deployed(shop, SHOP)
    old = await kept(shop)
    await deployed(shop, SHOP, MORE)
    compared = await compare(shop, old)
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
    await deployed(shop, SHOP)
    compared = await compare(shop, await shop.store.put(EMPTY_STATE))
    await deployed(shop, SHOP, MORE)
    after = await seen(shop)
    assert shop.prepared is not None
    old = altered(compared, prepared=shop.prepared.prepared, commit=shop.prepared.commit)
    with pytest.raises(Conflict, match="its state was changed since; plan again"):
        await restore(shop, shop.granted(old))
    assert (await seen(shop)).exported == after.exported


async def test_a_grant_for_another_artifact_than_it_says_puts_nothing_back(shop: Shop) -> None:
    await deployed(shop, SHOP)
    old = await kept(shop)
    await deployed(shop, SHOP, MORE)
    before = await seen(shop)
    compared = await compare(shop, old)
    empty = await shop.store.put(EMPTY_STATE)
    with pytest.raises(Conflict, match="of other states than the plan says"):
        await restore(shop, shop.granted(altered(compared, backup=empty)))
    with pytest.raises(Conflict, match="of other states than the plan says"):
        await restore(shop, shop.granted(altered(compared, exported=empty)))
    with pytest.raises(InvalidRequest, match="the plan is for 'staging'"):
        await restore(shop, shop.granted(altered(compared, environment="staging")))
    assert (await seen(shop)).exported == before.exported


async def test_what_is_no_state_of_this_stack_is_refused_when_it_is_looked_at_and_when_it_is_put_back(
    shop: Shop,
) -> None:
    await deployed(shop, SHOP)
    old = await kept(shop)
    compared = await compare(shop, await shop.store.put(EMPTY_STATE))
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
    assert await kept(shop) == old


async def test_a_state_that_another_passphrase_keeps_is_refused_by_pulumi_itself(shop: Shop) -> None:
    await deployed(shop, SHOP)
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
    await deployed(shop, SHOP)
    old = await kept(shop)
    await deployed(shop, SHOP, MORE)
    compared = await compare(shop, old)
    digest = old.removeprefix("sha256:")
    file = Path(shop.store.location) / digest[:2] / digest
    file.write_bytes(file.read_bytes().replace(b"first", b"other"))
    with pytest.raises(Unavailable, match="holds other bytes"):
        await compare(shop, old)
    with pytest.raises(Unavailable, match="holds other bytes"):
        await restore(shop, shop.grant(compared))
    assert (await seen(shop)).exported == compared.exported


async def test_a_worker_lost_after_it_put_the_state_back_does_so_once(shop: Shop) -> None:
    """Putting it back encrypts all secrets anew: the very same bytes were written once."""
    await deployed(shop, SHOP)
    old = await kept(shop)
    await deployed(shop, SHOP, MORE)
    granted = shop.grant(await compare(shop, old))
    mine: dict[str, object] = {"activity_id": uuid.uuid4().hex[:8], "scheduled_time": datetime.now(UTC)}
    late = await restore(shop, granted, **mine, attempt=2)
    assert late.ended is Ended.APPLIED, "an earlier attempt that did nothing is no reason to stop"
    async with asyncio.timeout(60):
        again = await tried_again(shop, granted, **mine, attempt=3)
    assert (again.ended, again.exported) == (Ended.APPLIED, late.exported)
    assert "A worker was lost" in again.said
    await shop.deployed(SHOP.replace("first", "third"))
    assert shop.prepared is not None
    with pytest.raises(ApplicationError, match="begun already"):
        await restore(shop, granted)


async def test_a_stack_that_is_not_there_is_made_first(shop: Shop) -> None:
    await shop.prepare()
    with pytest.raises(NotFound, match="preview it first, which makes it"):
        await compare(shop, await shop.store.put(EMPTY_STATE))
