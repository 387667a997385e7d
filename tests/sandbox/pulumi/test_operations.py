"""Everything beside preview and up, and the bad days of both."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import cast

import pytest

from connectors.artifacts import ArtifactStore
from sandbox.docker.provider import DockerSandbox
from sandbox.errors import SandboxError, SpecRefused
from sandbox.pulumi.outcome import RunOutcome
from sandbox.pulumi.request import (
    STATE_PASSWORD,
    DestroyRequest,
    ImportRequest,
    ReadRequest,
    RefreshRequest,
    UnlockRequest,
    UpRequest,
)
from tests.sandbox.pulumi.conftest import LOCKS, ONE_LOOP, Database, Stack, said, still_wanted
from tests.sandbox.pulumi.programs import DATABASE

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

WAIT = """
waiting = Database("first", "NAME_first")
waiting.id.apply(lambda _: __import__("time").sleep(600))
"""


@pytest.fixture
def unmade() -> bool:
    return False


def shop(stack: Stack, more: str = "") -> str:
    return DATABASE + f'Database("shop", "{stack.name}_shop")\npulumi.export("plain", "seen")\n' + more


async def applied(stack: Stack, code: str) -> RunOutcome:
    """A program, to what is there now."""
    done = await stack.up(code, await stack.preview(code), check_drift=False)
    assert done.ended == "done", said(done)
    return done


async def test_history_and_export_are_read(stack: Stack) -> None:
    await stack.applied(shop(stack, 'pulumi.export("token", pulumi.Output.secret("canary-1b2c"))\n'))
    request = ReadRequest.model_validate(stack.fields())
    history = await stack.pulumi.history(request, stack.secrets)
    assert [one["kind"] for one in json.loads(await stack.text(history.content))] == ["update"]
    exported = await stack.pulumi.export_state(request, stack.secrets)
    assert "banksman:postgres:Database" in await stack.resources(exported.content)
    assert "canary-1b2c" not in await stack.text(exported.content)
    assert exported.identity_before is not None


async def test_what_was_changed_by_hand_is_seen_and_stops_an_up(stack: Stack, database: Database) -> None:
    await stack.applied(shop(stack))
    looked = RefreshRequest.model_validate(stack.fields())
    same = await stack.pulumi.refresh(looked, stack.secrets)
    assert same.ended == "done", said(same)
    step = same.step("refresh")
    assert step is not None
    assert set(step.changes) <= {"same", "refresh"}, said(same)
    more = shop(stack, f'Database("more", "{stack.name}_more")\n')
    planned = await stack.preview(more)
    database.asked(f"DROP DATABASE {stack.name}_shop")
    stopped = await stack.up(more, planned)
    assert stopped.ended == "changed", said(stopped)
    assert stopped.changed == ("drift",)
    assert stopped.step("up") is None
    assert f"{stack.name}_more" not in database.names
    real = await stack.pulumi.refresh(looked.model_copy(update={"preview_only": False}), stack.secrets)
    assert real.ended == "done", said(real)
    assert real.identity_after != real.identity_before


async def commands_of(sandbox: DockerSandbox, running: "asyncio.Task[RunOutcome]") -> set[str]:
    """What is seen to run beside the CLI until the run has ended."""
    engine = sandbox.containers.engine
    top = cast("Callable[[str], Mapping[str, list[list[str]] | None]]", engine.api.top)  # pyright: ignore[reportAttributeAccessIssue] - only here
    seen: set[str] = set()
    while not running.done():
        await asyncio.wait([running], timeout=0.2)
        for name in [name for name in sandbox.containers.live if "-engine-" in name]:
            with contextlib.suppress(SandboxError):  # it is not there yet, or no more
                seen |= {row[-1] for row in (await engine.call(top, name))["Processes"] or ()}
    return seen


async def test_beside_the_cli_no_language_host_is_started(stack: Stack, docker_sandbox: DockerSandbox) -> None:
    planned = await stack.preview("import pulumi")
    looked = RefreshRequest.model_validate(stack.fields())
    for run in (lambda: stack.pulumi.refresh(looked, stack.secrets), lambda: stack.up("import pulumi", planned)):
        running = asyncio.create_task(run())
        seen = await commands_of(docker_sandbox, running)
        assert running.result().ended == "done", said(running.result())
        assert any("pulumi refresh" in one for one in seen), seen
        assert not any("pulumi-language" in one or " pip " in one for one in seen), seen


async def test_a_plan_of_another_state_is_not_applied(stack: Stack, database: Database) -> None:
    planned = await stack.planned(shop(stack))
    await applied(stack, DATABASE + f'Database("other", "{stack.name}_other")\n')
    stale = await stack.up(shop(stack), planned)
    assert stale.ended == "changed", said(stale)
    assert stale.changed == ("state",)
    assert stale.step("up") is None
    assert f"{stack.name}_shop" not in database.names


async def test_a_stack_is_destroyed_as_it_was_looked_at_and_not_otherwise(stack: Stack, database: Database) -> None:
    planned, done = await stack.applied(shop(stack))
    old = DestroyRequest.model_validate({**stack.fields(), "identity": planned.identity_before})
    refused = await stack.pulumi.destroy(old, stack.secrets, last_look=still_wanted)
    assert refused.ended == "changed", said(refused)
    assert f"{stack.name}_shop" in database.names
    told = await stack.pulumi.preview_destroy(
        DestroyRequest.model_validate({**stack.fields(), "preview_only": True}), stack.secrets
    )
    assert told.ended == "done", said(told)
    assert f"{stack.name}_shop" in database.names
    right = DestroyRequest.model_validate({**stack.fields(), "identity": done.identity_after})
    gone = await stack.pulumi.destroy(right, stack.secrets, last_look=still_wanted)
    assert gone.ended == "done", said(gone)
    assert f"{stack.name}_shop" not in database.names
    assert await stack.resources(gone.state_after) == []


async def test_an_exported_state_is_put_back(stack: Stack) -> None:
    _, done = await stack.applied(shop(stack))
    later = await applied(stack, shop(stack, f'Database("more", "{stack.name}_more")\n'))
    fields = {**stack.fields(), "exported": done.state_after, "identity": later.identity_after}
    back = await stack.pulumi.import_state(ImportRequest.model_validate(fields), stack.secrets, last_look=still_wanted)
    assert back.ended == "done", said(back)
    assert await stack.resources(back.state_after) == await stack.resources(done.state_after)


@contextlib.asynccontextmanager
async def half_way(stack: Stack, database: Database, run_id: str) -> AsyncGenerator["asyncio.Task[RunOutcome]"]:
    """An up that has made one thing, holds the lock, and waits."""
    code = shop(stack, WAIT.replace("NAME", stack.name))
    planned = await stack.planned(code)
    running = asyncio.create_task(stack.up(code, planned, check_drift=False, run_id=run_id))
    try:
        async with asyncio.timeout(120):
            while f"{stack.name}_first" not in database.names:  # noqa: ASYNC110 - only the database knows
                await asyncio.sleep(0.2)
        assert database.asked(LOCKS, stack.name) == "1"
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_who_cancels_an_up_stops_it_cleanly(stack: Stack, database: Database) -> None:
    async with half_way(stack, database, f"cancelled-{uuid.uuid4().hex[:8]}") as running:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert database.asked(LOCKS, stack.name) == "0"
    exported = await stack.pulumi.export_state(ReadRequest.model_validate(stack.fields()), stack.secrets)
    assert "banksman:postgres:Database" in await stack.resources(exported.content)


async def test_the_lock_of_a_dead_run_goes_and_only_that(
    stack: Stack, database: Database, docker_sandbox: DockerSandbox
) -> None:
    owner = f"dead-{uuid.uuid4().hex[:8]}"
    unlock = UnlockRequest.model_validate({**stack.fields(), "owner": owner})
    async with half_way(stack, database, owner) as running:
        with pytest.raises(SpecRefused, match="still lives"):
            await stack.pulumi.unlock(unlock, stack.secrets, last_look=still_wanted)
        name = next(name for name in docker_sandbox.containers.live if f"run-{owner}-engine" in name)
        await docker_sandbox.containers.engine.call(docker_sandbox.containers.engine.api.kill, name)
        assert (await running).ended == "lost"
    blocked = await stack.pulumi.refresh(
        RefreshRequest.model_validate({**stack.fields(), "preview_only": False}), stack.secrets
    )
    assert blocked.ended == "failed", said(blocked)
    assert f"pulumi-{owner}" in said(blocked), "people see whose lock it is"
    assert stack.secrets[STATE_PASSWORD].get_secret_value().decode() not in blocked.model_dump_json()
    other = await stack.pulumi.unlock(
        unlock.model_copy(update={"owner": "somebody-else"}), stack.secrets, last_look=still_wanted
    )
    assert not other.released
    assert other.owners == (f"pulumi-{owner}",)
    assert database.asked(LOCKS, stack.name) == "1"
    freed = await stack.pulumi.unlock(unlock, stack.secrets, last_look=still_wanted)
    assert freed.released, said(freed)
    assert database.asked(LOCKS, stack.name) == "0"


async def test_a_broken_program_is_told_as_it_is(stack: Stack) -> None:
    outcome = await stack.preview("import pulumi\ndef broken(:\n")
    assert outcome.ended == "failed"
    assert "SyntaxError" in said(outcome) + outcome.program_output


async def test_a_wrong_passphrase_reads_nothing(stack: Stack) -> None:
    planned = await stack.planned(shop(stack))
    stack.passphrase = "another"
    outcome = await stack.up(shop(stack), planned, check_drift=False)
    assert outcome.ended == "failed"
    assert "incorrect passphrase" in said(outcome)
    assert outcome.identity_after == outcome.identity_before


async def test_a_database_that_does_not_answer_is_a_failure_and_not_a_stack(stack: Stack, database: Database) -> None:
    database.asked(f"ALTER ROLE {stack.name} NOLOGIN")
    outcome = await stack.preview(shop(stack))
    assert outcome.ended == "failed"
    assert outcome.identity_before is None
    assert outcome.plan is None


async def test_a_missing_archive_ends_the_run_before_pulumi_changes_anything(stack: Stack) -> None:
    planned = await stack.planned(shop(stack))
    fields = {**stack.fields(), "plan": planned.plan, "identity": planned.identity_before}
    program = {"archive": await stack.store.put(b"no archive")}
    request = UpRequest.model_validate({**fields, "program": program, "check_drift": False})
    with pytest.raises(SpecRefused, match="archive"):
        await stack.pulumi.up(request, stack.secrets, last_look=still_wanted)


async def test_a_missing_secret_is_named(stack: Stack, store: ArtifactStore) -> None:
    request = ReadRequest.model_validate(stack.fields())
    with pytest.raises(SpecRefused, match="'state-password' is missing"):
        await stack.pulumi.export_state(request, {"passphrase": stack.secrets["passphrase"]})


async def test_a_plan_of_megabytes_is_kept_and_applied(stack: Stack) -> None:
    code = """
import pulumi
for number in range(30):
    pulumi.ComponentResource("example:index:Large", f"large-{number}", {"text": str(number + 10) * 40_000})
"""
    planned, done = await stack.applied(code)
    assert len(await stack.text(planned.plan)) > 2_000_000
    assert len(await stack.resources(done.state_after)) == 31


async def test_a_lock_that_cannot_be_looked_at_is_not_called_gone(stack: Stack, database: Database) -> None:
    database.asked(f"ALTER ROLE {stack.name} NOLOGIN")
    unlock = UnlockRequest.model_validate({**stack.fields(), "owner": "somebody"})
    outcome = await stack.pulumi.unlock(unlock, stack.secrets, last_look=still_wanted)
    assert outcome.ended == "failed"
    assert not outcome.released
    assert "not permitted to log in" in said(outcome)
