"""What was approved is no longer there, or something breaks: nothing is applied, or people are told what was."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard.granted import GrantedRequest
from activities.pulumi.contracts import PreviewRequest, StackChanged, StackPreviewed
from connectors.errors import Conflict, InvalidRequest, Unavailable
from connectors.pulumi.approval import UNLOCK_ACTION, UnlockStackParameters, UpdateStackParameters
from connectors.pulumi.outcome import Ended
from hitl.approval.plan import Change, Plan, Resource, Risk, read_plan
from sandbox.pulumi.outcome import RunOutcome
from tests.sandbox.pulumi.conftest import LOCKS, ONE_LOOP, Database
from tests.sandbox.pulumi.steps.conftest import SHOP, Shop, put_secrets

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

MORE = SHOP + 'Database("more", "NAME_more")\n'
NOISE = """\
noise:
  - urn: urn:pulumi:dev::example::banksman:postgres:Database::shop
    properties: [comment]
    reason: somebody writes the comment by hand
    until: 2099-01-01
"""
WAITING = """
import pulumi
from databases import Database
first = Database("first", "NAME_first")
Database("last", "NAME_last", comment=first.id.apply(lambda _: __import__("time").sleep(600) or "late"))
"""
HISTORY = "SELECT count(*) FROM pulumi_state WHERE key LIKE '%/.pulumi/history/%.history.json'"


def altered(previewed: StackPreviewed, **parameters: JsonValue) -> str:
    """The plan with other parameters, as a goal gone wrong could put it before people."""
    assert previewed.plan is not None
    plan = read_plan(previewed.plan)
    return plan.model_copy(update={"parameters": {**plan.parameters, **parameters}}).text()


async def test_what_is_not_what_was_approved_applies_nothing(shop: Shop) -> None:
    """A program that was changed since, another configuration, another environment's plan: each with its own grant."""
    previewed = await shop.planned()
    program = await shop.prepare(MORE)
    with pytest.raises(Conflict, match=r"no longer as approved: commit, program"):
        await shop.run(shop.changes.update_stack, shop.granted(altered(previewed, prepared=program.prepared)))
    settings = await shop.prepare(SHOP, **{"Pulumi.dev.yaml": "config:\n  example:comment: other\n"})
    with pytest.raises(Conflict, match="configuration"):
        await shop.run(shop.changes.update_stack, shop.granted(altered(previewed, prepared=settings.prepared)))
    with pytest.raises(InvalidRequest, match="the plan is for 'staging'"):
        await shop.run(shop.changes.update_stack, shop.granted(altered(previewed, environment="staging")))
    assert shop.databases == []


async def test_a_state_that_another_update_changed_is_a_conflict(shop: Shop) -> None:
    old = await shop.planned(MORE)
    await shop.deployed()
    with pytest.raises(Conflict, match="its state was changed since"):
        await shop.update(old)
    assert shop.databases == ["shop"]


async def test_drift_since_the_approval_is_a_conflict(shop: Shop, database: Database) -> None:
    await shop.deployed()
    previewed = await shop.planned(MORE)
    database.asked(f"COMMENT ON DATABASE {shop.name}_shop IS 'by hand'")
    with pytest.raises(Conflict, match="by hand"):
        await shop.update(previewed)
    assert shop.databases == ["shop"]
    look = await shop.look()
    planned = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    with pytest.raises(Conflict, match="by hand"):
        await shop.run(shop.changes.destroy_stack, shop.grant(planned))
    assert shop.databases == ["shop"]


@pytest.mark.parametrize("noise", [NOISE])
async def test_known_noise_stops_nobody(shop: Shop, database: Database, noise: str) -> None:
    assert noise
    await shop.deployed()
    await shop.prepare(MORE)
    previewed = await shop.preview()
    database.asked(f"COMMENT ON DATABASE {shop.name}_shop IS 'by hand'")
    seen = await shop.drift()
    assert (seen.quiet, seen.fingerprints, seen.new) == (1, (), ())
    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.APPLIED, changed
    assert shop.databases == ["more", "shop"]


async def test_an_attempt_after_one_that_did_nothing_applies_and_a_grant_applies_once(shop: Shop) -> None:
    granted = shop.grant(await shop.planned())
    changed = await shop.run(shop.changes.update_stack, granted, attempt=2)
    assert changed.outcome.ended is Ended.APPLIED
    assert shop.databases == ["shop"]
    with pytest.raises(ApplicationError, match="begun already"):
        await shop.run(shop.changes.update_stack, granted)


async def begun(shop: Shop, request: GrantedRequest, **info: object) -> tuple[str, "asyncio.Task[RunOutcome]"]:
    """The first attempt at an update that has made one thing, holds the lock, and waits."""
    run, running = await shop.begun(request, **info)
    await reached(shop, running)
    return run, running


async def reached(shop: Shop, running: "asyncio.Task[RunOutcome] | asyncio.Task[StackChanged]") -> None:
    async with asyncio.timeout(120):
        while "first" not in shop.databases:
            assert not running.done(), running.result()
            await asyncio.sleep(0.2)
    assert shop.database.asked(LOCKS, shop.name) == "1"


@pytest.mark.parametrize("next_", [(2, 3), (1, 1)], ids=["tried again", "reset, and counted from one again"])
async def test_a_worker_lost_half_way_does_not_apply_twice(shop: Shop, next_: tuple[int, int]) -> None:
    """The first attempt's process is gone without a word: its container with it, and its lock is left."""
    granted = shop.grant(await shop.planned(WAITING))
    mine: dict[str, object] = {"activity_id": uuid.uuid4().hex[:8], "scheduled_time": datetime.now(UTC)}
    run, running = await begun(shop, granted, **mine)
    with pytest.raises(Unavailable, match="still runs"):
        await shop.run(shop.changes.update_stack, granted, **mine, attempt=next_[0])
    await shop.kill(run)
    assert (await running).ended == "lost"
    assert shop.database.asked(LOCKS, shop.name) == "1"
    history = shop.database.asked(HISTORY, shop.name)
    told = await shop.run(shop.changes.update_stack, granted, **mine, attempt=next_[1])
    assert told.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.UNKNOWN}
    assert "last" in [one.urn.rpartition("::")[2] for one in told.outcome.not_done]
    assert shop.databases == ["first"]
    assert shop.database.asked(HISTORY, shop.name) == history, "no other update was begun"
    assert shop.database.asked(LOCKS, shop.name) == "0"


async def test_an_engine_lost_half_way_is_told_with_what_was_done(shop: Shop) -> None:
    running = asyncio.create_task(shop.update(await shop.planned(WAITING)))
    await reached(shop, running)
    live = [name for name in shop.sandbox.containers.live if name.startswith("banksman-run-") and "u-engine" in name]
    await shop.kill(live[0].removeprefix("banksman-run-").partition("-engine")[0])
    told = await running
    assert told.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.UNKNOWN}
    assert shop.databases == ["first"]
    assert shop.database.asked(LOCKS, shop.name) == "0"


async def test_a_cancelled_update_ends_cleanly_and_tells_what_was_done(shop: Shop) -> None:
    granted = shop.grant(await shop.planned(WAITING))
    environment = shop.environment()
    step = shop.admitted(shop.changes.update_stack)
    running = asyncio.create_task(environment.run(step, granted))
    await reached(shop, running)
    environment.cancel(activity.ActivityCancellationDetails(cancel_requested=True))
    told = await running
    assert told.outcome.ended is Ended.PARTIALLY_APPLIED
    assert [one.urn.rpartition("::")[2] for one in told.outcome.done] == ["first"]
    assert told.said == "It was cancelled."
    assert shop.database.asked(LOCKS, shop.name) == "0"


async def test_a_worker_that_ends_leaves_the_rest_to_another(shop: Shop) -> None:
    granted = shop.grant(await shop.planned(WAITING))
    environment = shop.environment()
    step = shop.admitted(shop.changes.update_stack)
    running = asyncio.create_task(environment.run(step, granted))
    await reached(shop, running)
    environment.cancel(activity.ActivityCancellationDetails(worker_shutdown=True))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert shop.database.asked(LOCKS, shop.name) == "0"


async def test_a_syntax_error_is_one_clear_error(shop: Shop) -> None:
    await shop.prepare("import pulumi\ndef broken(:\n")
    with pytest.raises(InvalidRequest, match=r"the preview of example/dev at [0-9a-f]{12} failed: .*SyntaxError"):
        await shop.preview()


async def test_a_program_that_fails_while_it_is_applied_is_partially_applied(shop: Shop) -> None:
    code = SHOP + 'if not pulumi.runtime.is_dry_run():\n    raise RuntimeError("only when it is real")\n'
    await shop.prepare(code)
    changed = await shop.update(await shop.preview())
    assert changed.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.REFUSED}
    assert "only when it is real" in changed.said


async def test_a_wrong_passphrase_is_named(shop: Shop) -> None:
    previewed = await shop.planned()
    salt = read_plan(previewed.plan or "").parameters_as(UpdateStackParameters).salt
    await shop.prepare(SHOP, **{"Pulumi.dev.yaml": f"encryptionsalt: {salt}\n"})
    await put_secrets(shop.vault, shop.name, passphrase="another-canary-aa")
    with pytest.raises(InvalidRequest, match="the passphrase in Vault"):
        await shop.preview()


async def test_a_backend_that_refuses_is_named_without_the_password(shop: Shop, database: Database) -> None:
    await shop.prepare()
    database.asked(f"ALTER ROLE {shop.name}_look NOLOGIN")
    with pytest.raises(InvalidRequest, match="not permitted to log in") as caught:
        await shop.preview()
    assert "canary" not in str(caught.value)


async def test_a_backend_that_is_gone_is_tried_again(shop: Shop) -> None:
    await shop.prepare()
    shop.way.shut()
    with pytest.raises(Unavailable, match="does not answer"):
        await shop.preview()


async def test_a_lock_of_a_dead_run_is_seen_and_taken_away(shop: Shop) -> None:
    run, running = await begun(shop, shop.grant(await shop.planned(WAITING)))
    with pytest.raises(Conflict, match="still lives"):
        await shop.run(shop.changes.unlock_stack, unlocking(shop, f"pulumi-{run}"))
    await shop.kill(run)
    assert (await running).ended == "lost"
    seen = await shop.run(shop.looks.look_at_lock, await shop.look())
    assert seen.owners == (f"pulumi-{run}",)
    with pytest.raises(Conflict, match=f"holds the stack's lock .*pulumi-{run}"):
        await shop.run(shop.looks.refresh_stack, await shop.look())
    other = await shop.run(shop.changes.unlock_stack, unlocking(shop, "pulumi-somebody-else"))
    assert (other.released, other.owners) == (False, seen.owners)
    freed = await shop.run(shop.changes.unlock_stack, unlocking(shop, seen.owners[0]))
    assert freed.released
    assert shop.database.asked(LOCKS, shop.name) == "0"


def unlocking(shop: Shop, owner: str) -> GrantedRequest:
    assert shop.prepared is not None
    parameters = UnlockStackParameters(
        repository=shop.place.repository,
        folder=shop.place.folder,
        project="example",
        stack="dev",
        prepared=shop.prepared.prepared,
        owner=owner,
    )
    plan = Plan(
        action=UNLOCK_ACTION,
        parameters=parameters.model_dump(mode="json"),
        resources=(Resource(kind="lock of a stack", name="example/dev", change=Change.DELETE),),
        summary=("Take a lock away",),
        risk=Risk.LOW,
    )
    return shop.granted(plan.text())


async def test_a_secret_opens_once(shop: Shop) -> None:
    await shop.prepare()
    look = await shop.look()
    await shop.run(shop.looks.look_at_lock, look)
    with pytest.raises(Conflict, match="opened before"):
        await shop.run(shop.looks.look_at_lock, look)
