"""A migration that is tried on a copy: what it is given, what is seen of it, and what it gets nowhere."""

import pytest

from activities.neon.migrations.contracts import SEAL_LOGIN, SealLogin
from activities.neon.migrations.sealing import NeonSealing
from connectors.errors import Conflict, InvalidRequest, NotFound
from tests.activities.github.at_work import at_work
from tests.connectors.neon.at_neon import MAIN, PROJECT, psql
from tests.sandbox.migrations.working import GOAL, Workshop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

SLOW = "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1)"
NAMES = ("APPNAME", "DATABASE", "HOST", "PASSFILE", "PORT", "SSLMODE", "SSLROOTCERT", "USER")
SAYS = """
import os, sys
print(sorted(name for name in os.environ if name.startswith("PG")), "PGPASSWORD" in os.environ)
secret = open(os.environ["PGPASSFILE"]).read().strip().rsplit(":", 1)[1]
print("in the environment:", any(secret in value for value in os.environ.values()))
print("in the file:", secret in open(os.environ["DATABASE_URL_FILE"]).read())
print("said:", secret)
print(oct(os.stat(os.environ["DATABASE_URL_FILE"]).st_mode & 0o777))
"""


async def test_it_changes_the_database_and_its_time_and_locks_are_told(workshop: Workshop) -> None:
    workshop.bank.asked("CREATE TABLE orders (id int)")
    before = await workshop.schema()
    source = await workshop.commit(**{"0001-slow": SLOW})
    told = await workshop.rehearse(source)
    assert told.ran.well, told.ran
    assert "migrating to 0001-slow" in told.ran.stdout
    assert told.ran.seconds > 1
    [lock] = [one for one in told.locks if one.table == "public.orders"]
    assert lock.mode == "AccessExclusiveLock"
    assert 0.3 < lock.seconds <= told.ran.seconds
    assert told.locks_complete
    assert told.looks > 3
    assert await workshop.schema() != before
    assert workshop.bank.asked("SELECT version FROM schema_migrations") == "0001-slow"
    assert workshop.bank.asked("SELECT tableowner FROM pg_tables WHERE tablename = 'schema_migrations'") == (
        "banksman_migrate_shop"
    )


async def test_the_password_is_in_files_and_in_nothing_that_is_told(workshop: Workshop) -> None:
    told = await workshop.rehearse(await workshop.commit(), "python3", "-c", SAYS)
    lines = told.ran.stdout.splitlines()
    assert lines[0] == f"{[f'PG{name}' for name in NAMES]} False", told.ran.stderr
    assert lines[1:4] == ["in the environment: False", "in the file: True", "said: [secret]"]
    assert lines[4] == "0o400"


async def test_one_that_fails_is_a_result_and_says_how(workshop: Workshop) -> None:
    before = await workshop.schema()
    source = await workshop.commit(**{"0001-wrong": "CREATE TABLE half (id int); SELECT 1/0"})
    told = await workshop.rehearse(source)
    assert not told.ran.well
    assert "division by zero" in told.ran.sentence()
    assert workshop.bank.asked("SELECT count(*) FROM pg_tables WHERE tablename = 'half'") == "0"
    assert await workshop.schema() != before  # the example keeps its table of versions by then


async def test_one_that_does_not_end_is_stopped_with_what_it_locks(workshop: Workshop) -> None:
    source = await workshop.commit(**{"0001-for-ever": "SELECT pg_sleep(600)"})
    told = await workshop.rehearse(source, seconds=4)
    assert (told.ran.ended, told.ran.well) == ("timeout", False)
    assert "did not end within its time" in told.ran.sentence()


async def test_a_login_opens_once_for_its_own_run(workshop: Workshop) -> None:
    sealed, source = await workshop.sealed(), await workshop.commit()
    await workshop.rehearse(source, "true", secrets=sealed)
    with pytest.raises(Conflict):
        await workshop.rehearse(source, "true", secrets=sealed)


async def test_a_goal_seals_no_login_but_its_own(workshop: Workshop) -> None:
    await workshop.sealed()
    request = SealLogin(project=PROJECT, branch=MAIN, database="shop", part="try-1")
    steps = NeonSealing(workshop.bank.session)
    with pytest.raises(NotFound):
        await at_work(SEAL_LOGIN.name, "migrate-database/another").run(steps.seal_login, request)
    other = request.model_copy(update={"database": "orders"})
    with pytest.raises(InvalidRequest, match="does not lead to 'orders'"):
        await at_work(SEAL_LOGIN.name, GOAL).run(steps.seal_login, other)


async def test_a_commit_that_is_not_in_the_pack_is_refused(workshop: Workshop) -> None:
    source = await workshop.commit()
    with pytest.raises(InvalidRequest, match="could not be checked out"):
        await workshop.rehearse(source.model_copy(update={"commit": "f" * 40}))


async def test_the_schema_is_the_same_whoever_owns_it(workshop: Workshop) -> None:
    workshop.bank.asked(
        "CREATE TABLE orders (id int, at timestamptz DEFAULT now()); CREATE VIEW v AS SELECT id FROM orders"
    )
    before = await workshop.schema()
    await workshop.opened()
    assert await workshop.schema() == before
    psql(workshop.bank.owner(), "INSERT INTO orders VALUES (1)")
    assert await workshop.schema() == before
    workshop.bank.asked("CREATE INDEX by_at ON orders (at)")
    assert await workshop.schema() != before
