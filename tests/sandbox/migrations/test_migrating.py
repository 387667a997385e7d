"""A migration by a grant: what each attempt does after what the one before may have done, and how truly it is told."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.guard.current_attempt import NotCurrent
from activities.neon.migrations.contracts import DatabaseMigrated
from activities.sandbox.contracts import Source
from connectors.errors import AuthDenied, Conflict, Unavailable
from sandbox.errors import SandboxUnavailable
from sandbox.protocol import Sandbox
from sandbox.result import RunResult
from sandbox.spec import RunSpec
from tests.activities.guard.attempts import Waited
from tests.connectors.neon.at_neon import MAIN
from tests.sandbox.migrations.working import GOAL, Execution, Workshop, replaced

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ADDS = "CREATE TABLE carts (id int)"
LOGINS = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'"
DONE = "SELECT string_agg(version, ',' ORDER BY version) FROM schema_migrations"


async def planned(workshop: Workshop, folder: Path, **files: str) -> Execution:
    """What a rehearsal on a copy found, approved."""
    source = await workshop.commit(**files)
    workshop.bank.asked("CREATE TABLE orders (id int)")
    before = await workshop.schema()
    branch = await copied(workshop)
    await workshop.rehearse(source, branch=branch)
    after = await workshop.schema(branch)
    await workshop.opened()
    parameters = workshop.parameters(source, before=before, after=after)
    return Execution(workshop, folder, parameters.model_dump())


async def copied(workshop: Workshop) -> str:
    made = workshop.bank.neon.ask(
        "POST", "/branches", json={"branch": {"name": "copy"}, "endpoints": [{"type": "read_write"}]}
    )
    async with asyncio.timeout(60):
        while True:
            seen = workshop.bank.neon.ask("GET", f"/branches/{made['branch']['id']}")["branch"]
            if seen["current_state"] == "ready":
                return str(made["branch"]["id"])
            await asyncio.sleep(0.05)


def no_login_is_left(workshop: Workshop) -> bool:
    return workshop.bank.asked(LOGINS) == "0" and not [
        one for one in workshop.bank.listed("banksman-neon/roles") if workshop.bank.place().mark in one
    ]


async def test_what_was_approved_is_done_and_its_login_is_gone(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    told = await execution.attempt()
    assert (told.way, told.why) == ("completed", "")
    assert told.ran is not None
    assert told.ran.exit_code == 0
    assert workshop.bank.asked(DONE) == "0001-carts"
    assert no_login_is_left(workshop)


async def test_a_schema_that_is_not_the_one_it_was_tried_on_is_left_as_it_is(
    workshop: Workshop, tmp_path: Path
) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    workshop.bank.asked("ALTER TABLE orders ADD COLUMN by_somebody int")
    with pytest.raises(Conflict, match="no longer the one that the migration was tried on"):
        await execution.attempt()
    assert workshop.bank.asked("SELECT to_regclass('carts') IS NULL") == "t"
    assert no_login_is_left(workshop)


async def test_a_branch_with_another_name_than_people_read_is_left_as_it_is(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    workshop.bank.neon.ask("PATCH", f"/branches/{MAIN}", json={"branch": {"name": "other"}})
    with pytest.raises(Conflict, match="has another name now"):
        await execution.attempt()
    assert workshop.bank.asked("SELECT to_regclass('carts') IS NULL") == "t"


@pytest.mark.parametrize(
    ("second", "way", "done"),
    [("SELECT 1/0", "partially_applied", "0001-carts"), ("SELECT pg_sleep(600)", "partially_applied", "0001-carts")],
    ids=["fails", "does not end"],
)
async def test_one_that_stops_half_way_says_so(
    workshop: Workshop, tmp_path: Path, second: str, way: str, done: str
) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS, "0002-more": "CREATE TABLE more (id int)"})
    source = await workshop.commit(**{"0001-carts": ADDS, "0002-more": second})
    wanted = execution.request.approved().parameters
    timeout = 6 if "sleep" in second else 120
    execution = Execution(workshop, tmp_path, {**wanted, **_of(source), "timeout_seconds": timeout})
    told = await execution.attempt()
    assert told.way == way
    assert "neither as before nor as planned" in told.why
    assert told.end().next_step.startswith("Look at the database; the branch of the way back")
    assert workshop.bank.asked(DONE) == done
    assert no_login_is_left(workshop)


def _of(source: Source) -> dict[str, str]:
    return {"commit": source.commit, "pack": source.pack}


async def test_one_that_fails_at_once_left_the_schema_as_it_was(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    wanted = {**execution.request.approved().parameters, "command": ["sh", "-c", "echo no such tool >&2; exit 3"]}
    told = await Execution(workshop, tmp_path, wanted).attempt()
    assert told.way == "refused"
    assert told.why == "it ended with 3: no such tool; schema and versions are as before"


class Lost(Sandbox):
    """The migration runs to its end, and then this worker is gone."""

    def __init__(self, inner: Sandbox, *, after: bool) -> None:
        self.inner, self.after, self.runs = inner, after, 0

    async def run(self, spec: RunSpec, **given: Any) -> RunResult:
        self.runs += 1
        if self.after:
            await self.inner.run(spec, **given)
        raise SandboxUnavailable("the engine is gone")

    async def self_test(self, image: str) -> None: ...

    async def close(self) -> None: ...


def losing(workshop: Workshop, *, after: bool) -> tuple[Workshop, Lost]:
    lost = Lost(workshop.sandbox, after=after)
    return replaced(workshop, place=replace(workshop.place, sandbox=lost)), lost


async def killed_while_it_runs(execution: Execution, workshop: Workshop, until: str) -> None:
    """The worker ends without a cancellation of the goal, as soon as a statement has shown itself."""
    _, running = execution.begin()
    task = asyncio.ensure_future(running)
    async with asyncio.timeout(60):
        while workshop.bank.asked(until) != "t":  # noqa: ASYNC110 - what is asked lies in a server
            await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_worker_that_is_killed_in_the_middle_is_followed_by_one_that_looks(
    workshop: Workshop, tmp_path: Path
) -> None:
    slow = {"0001-carts": ADDS, "0002-slow": "CREATE TABLE more (id int); SELECT pg_sleep(3)"}
    execution = await planned(workshop, tmp_path, **slow)
    await killed_while_it_runs(execution, workshop, "SELECT to_regclass('carts') IS NOT NULL")
    told = await execution.attempt()
    assert (told.way, told.ran) == ("partially_applied", None)
    assert "a worker was lost" in told.why
    assert workshop.bank.asked(DONE) == "0001-carts"
    assert no_login_is_left(workshop)


async def test_after_a_lost_worker_what_was_done_is_not_done_again(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    lost_workshop, lost = losing(workshop, after=True)
    lost_execution = Execution(lost_workshop, tmp_path, execution.request.approved().parameters)
    told = await lost_execution.attempt()
    assert told.way == "partially_applied"
    assert "the schema is as planned, but its container was lost" in told.why
    assert (await lost_execution.attempt()).way == "completed"
    assert lost.runs == 1
    assert workshop.bank.asked(DONE) == "0001-carts"


async def test_after_a_container_that_was_lost_before_it_did_anything_it_is_tried_again(
    workshop: Workshop, tmp_path: Path
) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    lost_workshop, _ = losing(workshop, after=False)
    lost_execution = Execution(lost_workshop, tmp_path, execution.request.approved().parameters)
    with pytest.raises(SandboxUnavailable):
        await lost_execution.attempt()
    assert no_login_is_left(workshop)
    lost_workshop.place = workshop.place
    assert (await lost_execution.attempt()).way == "completed"
    assert workshop.bank.asked(DONE) == "0001-carts"


async def test_a_cancelled_one_stops_and_says_what_was_done(workshop: Workshop, tmp_path: Path) -> None:
    slow = {"0001-carts": ADDS, "0002-slow": "CREATE TABLE more (id int); SELECT pg_sleep(3)"}
    execution = await planned(workshop, tmp_path, **slow)
    environment, running = execution.begin()
    task: asyncio.Future[DatabaseMigrated] = asyncio.ensure_future(running)
    async with asyncio.timeout(60):
        while workshop.bank.asked("SELECT to_regclass('carts') IS NOT NULL") != "t":  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.1)
    environment.cancel()
    told = await task
    assert told.way == "partially_applied"
    assert "it was cancelled" in told.why
    assert no_login_is_left(workshop)


async def test_an_attempt_that_nobody_waits_for_is_given_no_login(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    with pytest.raises(NotCurrent):
        await execution.attempt(Waited(until=0))
    assert no_login_is_left(workshop)


async def test_an_attempt_is_looked_at_once_more_before_the_command_begins(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    with pytest.raises(NotCurrent):
        await execution.attempt(Waited(until=2))
    assert workshop.bank.asked("SELECT to_regclass('carts') IS NULL") == "t"


async def test_an_attempt_after_one_that_neon_did_not_answer_migrates(workshop: Workshop, tmp_path: Path) -> None:
    execution = await planned(workshop, tmp_path, **{"0001-carts": ADDS})
    workshop.bank.neon.served.plant(kind="status", status=503, method="GET", path=f"/branches/{MAIN}")
    with contextlib.suppress(Unavailable):
        await execution.attempt()
    told = await execution.attempt()
    assert told.way == "completed"


async def test_its_token_makes_a_login_of_its_own_and_reaches_nothing_else_of_vaults(workshop: Workshop) -> None:
    told, ttl = {"workflow_id": GOAL}, timedelta(minutes=5)
    async with workshop.destructive_vault.step("neon-migrate", metadata=told, ttl=ttl) as token:
        engine = token.databases("neon")
        for attempt in (
            engine.connections,
            engine.roles,
            lambda: token.read("neon/key"),
            lambda: token.read("neon/logins/banksman-0123456789abcdef"),
            lambda: token.databases("upstash").end("web"),
        ):
            with pytest.raises(AuthDenied):
                await attempt()
        assert await token.read("neon/destructive-key")
    for session, action in ((workshop.bank.session, "neon-migrate"), (workshop.destructive_vault, "neon-open")):
        with pytest.raises(AuthDenied):
            async with session.step(action, metadata=told, ttl=ttl):
                raise AssertionError("it was made")
