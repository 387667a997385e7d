"""Logins to a database: what each may do, that each ends wherever it is known, and whatever went wrong before."""

import asyncio
import contextlib
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from activities.leases.contracts import ListLeased
from activities.neon.logins.contracts import (
    FIND_LOGINS,
    PROLONG_LOGIN,
    IssueLogin,
    LeasedLogin,
    OpenDatabase,
    ProlongLogin,
)
from activities.neon.logins.means import role_name
from activities.secrets import step_metadata
from connectors.creation import mark
from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from connectors.neon.logins import USERNAME, drop
from connectors.neon.manifest import LEND, NEON
from connectors.neon.purposes import Purpose
from connectors.neon.twin.postgres import find_programs
from connectors.postgres.session import Server, connected
from connectors.vault.databases import Connection
from connectors.vault.step_token import StepToken
from hitl.protocol import PolicyContext
from tests.activities.github.at_work import at_work
from tests.activities.neon.lending import GOAL, REFUSED, Bank, told
from tests.connectors.neon.at_neon import MAIN, OLD_IDEA, PROJECT, psql

pytestmark = pytest.mark.timeout(180)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["pginstall18", "pginstall"], ids=["PostgreSQL 18", "PostgreSQL 16"])
def release(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("connectors.neon.twin.postgres._IN_WHEEL", (request.param,))
    return str(request.param)


MAY = {
    "SELECT count(*) FROM orders, app.carts": {Purpose.READ, Purpose.WRITE, Purpose.MIGRATE},
    "INSERT INTO app.carts DEFAULT VALUES": {Purpose.WRITE, Purpose.MIGRATE},
    "ALTER TABLE orders ADD COLUMN total int": {Purpose.MIGRATE},
    "CREATE TABLE app.made (id int)": {Purpose.MIGRATE},
    "CREATE ROLE other": set[Purpose](),
    "SET ROLE shop_owner": set[Purpose](),
    "SET ROLE banksman_vault_shop": set[Purpose](),
}


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_login_may_what_its_purpose_says_and_leaves_nothing(release: str, bank: Bank, purpose: Purpose) -> None:
    assert release.removeprefix("pginstall") in {bank.asked("SHOW server_version").split(".")[0], ""}
    issued = await bank.issue(purpose)
    uri = bank.kept(issued)
    for sql, allowed in MAY.items():
        if purpose in allowed:
            psql(uri, sql)
        else:
            with pytest.raises(REFUSED):
                psql(uri, sql)
    if purpose is Purpose.MIGRATE:  # what it owns by itself is given back, too
        psql(uri, "RESET ROLE; CREATE TABLE own (id int)")
        bank.asked("ALTER TABLE orders ADD COLUMN by_owner int; INSERT INTO app.made VALUES (1)")
    await bank.end(purpose)
    assert bank.clean(purpose)
    with pytest.raises(REFUSED):
        psql(uri, "SELECT 1")
    assert bank.asked("SELECT datdba::regrole FROM pg_database WHERE datname = 'shop'") == "shop_owner"
    if purpose is Purpose.MIGRATE:
        bank.asked("DROP TABLE own; DROP TABLE app.made; DROP TABLE orders")


async def test_neither_the_answer_nor_vaults_roles_show_a_password(bank: Bank) -> None:
    issued = await bank.issue()
    uri = bank.kept(issued)
    password = uri.split(":")[2].split("@")[0]
    said = told(issued, await bank.end(), bank.vault.server.data(f"banksman-neon/config/{connection()}"))
    assert password not in said
    assert issued.role.startswith(f"v-{role_name(Purpose.READ, mark(GOAL))}-")
    assert issued.expires_at <= datetime.now(UTC) + HOUR


def connection(branch: str = MAIN) -> str:
    return f"{PROJECT}.{branch}.shop"


async def test_what_is_connected_is_cut_off(bank: Bank) -> None:
    uri = bank.kept(await bank.issue())
    waiting = _sleeping(uri)
    try:
        await bank.end()
        assert waiting.wait(timeout=60) != 0
    finally:
        waiting.kill()
        waiting.wait()


def _sleeping(uri: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([find_programs().folder / "psql", uri, "-c", "SELECT pg_sleep(300)"])


async def test_a_second_attempt_leaves_one_login_whatever_the_first_was_issued(bank: Bank) -> None:
    lost = bank.kept(await bank.issue())
    role = role_name(Purpose.READ, mark(GOAL))
    await at_work("neon.issue_login").run(_lend, bank, role)  # and the worker is killed before it has kept it
    assert len(bank.logins()) == 2
    issued = await bank.issue_only(attempt=2)
    assert bank.logins() == [issued.role]
    assert psql(bank.kept(issued), "SELECT 1") == "1"
    with pytest.raises(REFUSED):
        psql(lost, "SELECT 1")


async def _lend(bank: Bank, role: str) -> None:
    await bank.session.lend(LEND.name, NEON.name, role, metadata=step_metadata(), ttl=HOUR)


async def test_a_login_that_a_killed_worker_was_issued_ends_with_its_lease(bank: Bank) -> None:
    await bank.issue()
    await at_work("neon.issue_login").run(_lend, bank, role_name(Purpose.READ, mark(GOAL)))
    assert await bank.there()
    await bank.end()
    assert bank.clean()
    assert not await bank.there()
    await bank.end()  # twice is fine


async def test_vault_keeps_no_connection_open_so_that_a_compute_can_sleep(bank: Bank) -> None:
    await bank.issue()
    sql = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'banksman_vault_%'"
    async with asyncio.timeout(20):
        while bank.asked(sql) != "0":  # noqa: ASYNC110 - what is asked lies in a server
            await asyncio.sleep(0.05)


async def test_a_login_outlives_the_step_and_the_worker_that_issued_it(bank: Bank) -> None:
    uri = bank.kept(await bank.issue())
    await bank.session.close()  # its token is revoked, and all that was leased with it
    assert psql(uri, "SELECT 1") == "1"
    bank.session = await bank.vault.login("connectors")
    await bank.end()
    assert bank.clean()


async def test_a_sealed_vault_ends_it_when_it_is_unsealed(bank: Bank) -> None:
    uri = bank.kept(await bank.issue())
    bank.vault.server.seal()
    with pytest.raises(Unavailable, match="sealed"):
        await bank.end()
    with pytest.raises(Unavailable, match="sealed"):
        await bank.there()
    bank.vault.server.unseal()
    assert await bank.there()
    assert psql(uri, "SELECT 1") == "1"
    await bank.end()
    assert bank.clean()


async def test_what_vault_cannot_end_the_owner_does_and_vault_forgets_it(bank: Bank) -> None:
    issued = await bank.issue()
    bank.asked("ALTER ROLE banksman_vault_shop PASSWORD 'another'")
    assert (await bank.end()).dropped == (issued.role,)
    assert bank.clean()


async def test_what_somebody_let_vault_forget_is_still_there_until_it_is_ended(bank: Bank) -> None:
    issued = await bank.issue()
    role = role_name(Purpose.READ, mark(GOAL))
    bank.asked("ALTER ROLE banksman_vault_shop PASSWORD 'another'")  # Vault tries, and gives up
    bank.vault.server.admin("PUT", f"sys/leases/revoke-force/banksman-neon/creds/{role}")
    bank.vault.server.admin("DELETE", f"banksman-neon/roles/{role}")
    assert bank.logins() == [issued.role]
    assert await bank.there()
    await bank.end()
    assert not await bank.there()


async def test_with_its_branch_a_login_is_gone_and_vault_forgets_all_of_it(bank: Bank) -> None:
    await bank.issue(branch=OLD_IDEA)
    bank.neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    assert await bank.there(branch=OLD_IDEA)
    await bank.end(branch=OLD_IDEA)
    assert not await bank.there(branch=OLD_IDEA)
    assert bank.leases() == []
    assert connection(OLD_IDEA) not in bank.listed("banksman-neon/config")


async def test_where_its_branch_was_made_anew_since_a_login_is_issued_in_the_new_one(bank: Bank) -> None:
    """Vault cannot end what went with the old one, and need not."""
    await bank.issue(branch=OLD_IDEA)
    bank.neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    issued = await bank.issue()
    assert bank.logins() == [issued.role]
    assert len(bank.leases()) == 1
    assert psql(bank.kept(issued), "SELECT 1") == "1"


async def test_a_branch_is_swept_of_its_parents_logins_and_keeps_its_own(bank: Bank) -> None:
    parents = await bank.issue()
    made = bank.neon.ask("POST", "/branches", json={"branch": {"name": "child"}, "endpoints": [{"type": "read_write"}]})
    child = str(made["branch"]["id"])
    async with bank.neon.project() as project:
        await project.ready(await project.by_id(child))
    assert bank.logins(child) == [parents.role]
    own = await bank.issue(Purpose.WRITE, branch=child, goal="another")
    assert await bank.sweep(child) == (parents.role,)
    assert bank.logins(child) == [own.role]
    assert psql(bank.kept(own), "SELECT 1") == "1"
    assert bank.logins() == [parents.role]  # of the parent it is still somebody's
    assert await bank.sweep() == ()


async def test_a_restore_that_brings_a_login_back_is_swept(bank: Bank) -> None:
    await bank.issue()
    branch = f"/branches/{MAIN}"
    bank.neon.ask("POST", f"{branch}/snapshot", params={"name": "before"})
    async with bank.neon.project() as project:
        await project.ready(await project.by_id(MAIN))
        [snapshot] = bank.neon.ask("GET", "/snapshots")["snapshots"]
        await bank.end()
        assert bank.logins() == []
        restored = bank.neon.ask("POST", f"/snapshots/{snapshot['id']}/restore", json={"name": "restored"})
        id_ = str(restored["branch"]["id"])
        await project.ready(await project.by_id(id_))
        await project.compute(await project.by_id(id_))
    assert len(bank.logins(id_)) == 1
    assert len(await bank.sweep(id_)) == 1
    assert bank.logins(id_) == []


async def test_several_that_end_it_at_once_end_it(bank: Bank) -> None:
    for _ in range(3):
        issued = await bank.issue(Purpose.MIGRATE)
        server = Server.of(SecretStr(bank.owner()), what="the shop")
        async with contextlib.AsyncExitStack() as opened:
            databases = [await opened.enter_async_context(connected(server)) for _ in range(4)]
            await asyncio.gather(*(drop(one, "shop", issued.role) for one in databases))
        assert bank.logins() == []
        await bank.end(Purpose.MIGRATE)
        assert bank.clean(Purpose.MIGRATE)


async def test_several_that_open_a_database_at_once_leave_it_open(bank: Bank) -> None:
    # Each of a worker of its own: none waits for another's turn.
    opened = await asyncio.gather(*(bank.open(one) for one in (*Purpose, *Purpose)), return_exceptions=True)
    assert [one for one in opened if one is not None and not isinstance(one, Unavailable)] == []
    issued = await bank.issue()
    assert psql(bank.kept(issued), "SELECT count(*) FROM orders") == "1"


async def test_a_database_has_the_name_that_it_has(bank: Bank) -> None:
    wanted = {"database": {"name": "My-shop_2", "owner_name": "shop_owner"}}
    bank.neon.ask("POST", f"/branches/{MAIN}/databases", json=wanted)
    async with bank.neon.project() as project:
        await project.ready(await project.by_id(MAIN))
    place = OpenDatabase(project=PROJECT, branch=MAIN, database="My-shop_2", purpose=Purpose.MIGRATE)
    await at_work("neon.open_database").run(bank.opening.open_database, place)
    ends_at = datetime.now(UTC) + HOUR
    request = IssueLogin(**place.model_dump(), ends_at=ends_at)
    issued = await at_work("neon.issue_login", GOAL).run(bank.issuing.issue_login, request)
    psql(bank.kept(issued), "CREATE TABLE carts (id int)")
    with pytest.raises(REFUSED):
        psql(bank.kept(issued).replace("/My-shop_2", "/shop"), "SELECT * FROM orders")
    await at_work("neon.end_login").run(bank.issuing.end_login, LeasedLogin(**place.model_dump(), mark=mark(GOAL)))
    assert bank.logins() == []


async def test_no_lease_holds_a_login_longer_than_postgresql_lets_it_in(bank: Bank) -> None:
    issued = await bank.issue()
    step = at_work(PROLONG_LOGIN.name)
    asked = {"until": issued.expires_at, "later": issued.expires_at + HOUR}
    place = bank.place().model_dump()
    await step.run(bank.issuing.prolong_login, ProlongLogin(**place, until=asked["until"]))
    with pytest.raises(InvalidRequest, match="ask for another"):
        await step.run(bank.issuing.prolong_login, ProlongLogin(**place, until=asked["later"]))
    await bank.end()
    with pytest.raises(InvalidRequest, match="not there any more"):
        await step.run(bank.issuing.prolong_login, ProlongLogin(**place, until=asked["until"]))


async def test_a_connection_that_vault_cannot_make_is_waited_for_and_shows_no_password(bank: Bank) -> None:
    wanted = Connection(
        name=connection(),
        url=f"postgresql://{{{{username}}}}:{{{{password}}}}@{bank.owner().partition('@')[2]}",
        username="shop_owner",
        password=SecretStr("wrong-canary"),
        roles=["*"],
        naming=USERNAME,
    )
    async with bank.session.step("neon-open", metadata={"workflow_id": GOAL}, ttl=HOUR / 6) as token:
        with pytest.raises(Unavailable, match="cannot connect as 'shop_owner'") as refused:
            await token.databases("neon").connect(wanted)
    assert "wrong-canary" not in f"{refused.value!r} {refused.value.__cause__!r} {wanted!r}"


def test_the_policy_sees_what_a_login_is_for() -> None:
    request = OpenDatabase(project=PROJECT, branch=MAIN, database="shop", purpose=Purpose.MIGRATE)
    wanted = PolicyContext(account=PROJECT, resource=f"{MAIN}/shop", purpose="migrate")
    assert request.policy_context() == wanted


async def test_all_that_vault_makes_logins_for_is_found_page_by_page(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.neon.logins.issuing._PAGE", 1)
    await bank.issue()
    await bank.issue(Purpose.WRITE, goal="another")
    bank.vault.server.admin("POST", "banksman-neon/roles/somebody", {"db_name": "x", "creation_statements": ["x"]})
    found, after = list[str](), ""
    while True:
        page = await at_work(FIND_LOGINS.name).run(bank.issuing.find_logins, ListLeased(after=after))
        found += [one.mark for one in page.found]
        if not (after := page.after):
            break
    assert sorted(found) == sorted([mark(GOAL), mark("another")])


async def test_what_there_is_not_and_what_would_end_at_once_is_told(bank: Bank) -> None:
    with pytest.raises(NotFound, match="no branch 'br-none'"):
        await bank.open(branch="br-none")
    soon = IssueLogin(project=PROJECT, branch=MAIN, database="shop", purpose=Purpose.READ, ends_at=datetime.now(UTC))
    with pytest.raises(InvalidRequest, match="choose a later end"):
        await at_work("neon.issue_login").run(bank.issuing.issue_login, soon)
    with pytest.raises(ValueError, match="database"):
        OpenDatabase(project=PROJECT, branch=MAIN, database="a.b", purpose=Purpose.READ)


async def test_no_step_reaches_more_of_the_engine_than_its_part(bank: Bank) -> None:
    await bank.issue()
    role = role_name(Purpose.READ, mark(GOAL))
    metadata = {"workflow_id": GOAL}
    for action, reached in REACHES.items():
        async with bank.session.step(action, metadata=metadata, ttl=HOUR / 6) as token:
            may = {name for name, attempt in _attempts(token, role).items() if await _may(attempt)}
        assert may == reached, action


REACHES = {
    "neon-open": {"config", "key"},
    "neon-issue": {"roles", "end", "key"},
    "neon-lend": {"lend"},
    "neon-look": {"roles", "key"},
    "neon-hand-over": {"login"},
}


def _attempts(token: StepToken, role: str) -> dict[str, Callable[[], Awaitable[object]]]:
    engine, another = token.databases("neon"), token.databases("upstash")
    return {
        "config": engine.connections,
        "roles": engine.roles,
        "lend": lambda: engine.lend(role),
        "end": lambda: engine.end("another"),
        "key": lambda: token.read("neon/key"),
        "login": lambda: token.read(f"neon/logins/{mark(GOAL)}"),
        "elsewhere": lambda: another.end("web"),
    }


async def _may(attempt: Callable[[], Awaitable[object]]) -> bool:
    try:
        await attempt()
    except AuthDenied:
        return False
    return True
