"""A login through its whole goal: real steps, a real Vault, a real PostgreSQL, and their bad days."""

import base64
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.leases.views import LeaseView
from activities.neon.contracts import LOOK_AT_BRANCH
from activities.neon.logins.contracts import CHECK_LOGIN, END_LOGIN, OPEN_DATABASE, SWEEP_LOGINS
from activities.queues import TaskQueue
from tests.activities.neon.lending import Bank, lending
from tests.connectors.neon.at_neon import PASSWORD_CANARY, PROJECT, psql
from tests.connectors.vault.server import House, VaultServer
from tests.workflows.approval.approving import eventually
from tests.workflows.neon.deleting import GONE
from tests.workflows.neon.issuing import at_work, killed, lease_of, start
from tests.workflows.neon.scenarios import DENIED, ENDED, MAIN_SEEN, NOT_THERE, SWEPT
from tests.workflows.played import playing
from workflows.leases.contracts import EndLease, ExtendLease, LeaseResult
from workflows.neon.goals import CREATE_NEON_BRANCH, CreateNeonBranchInput, CreateNeonBranchResult, IssueNeonLoginInput

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    server = VaultServer.start(tmp_path_factory.mktemp("vault"))
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def bank(vault_server: VaultServer, tmp_path: Path) -> AsyncIterator[Bank]:
    vault = await House.build(vault_server)
    async with lending(vault, tmp_path) as bank:
        yield bank
    await vault.close()


async def test_a_login_works_until_its_lease_ends_and_its_password_is_in_no_history(
    client: Client, goal_id: str, bank: Bank
) -> None:
    async with at_work(client, bank):
        goal = await start(client, goal_id)
        told = await goal.result()
        assert (told.outcome, told.lease) == ("completed", lease_of(client, goal_id).id)
        assert bank.logins() == [told.role]
        uri = bank.kept_at(told.secret or "")
        assert psql(uri, "SELECT session_user") == told.role
        await lease_of(client, goal_id).execute_update("end", EndLease(), result_type=LeaseView)
        await lease_of(client, goal_id).result()
    assert bank.clean(goal=goal_id)
    with pytest.raises(subprocess.CalledProcessError):
        psql(uri, "SELECT 1")
    password = uri.split(":")[2].split("@")[0]
    for one in (goal, lease_of(client, goal_id)):
        history = said_in(await one.fetch_history())
        assert "v-read-" in history or one is not goal  # what is said is found there
        assert goal_id in history
        assert password not in history
        assert PASSWORD_CANARY not in history


def said_in(history: WorkflowHistory) -> str:
    """All of it, with what is in its payloads."""
    text = history.to_json()
    payloads = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', text)
    return text + "".join(base64.b64decode(one).decode(errors="replace") for one in payloads)


async def test_asked_again_for_longer_its_lease_holds_the_new_login_as_long_and_a_person_cannot_prolong_it(
    client: Client, goal_id: str, bank: Bank
) -> None:
    async with at_work(client, bank):
        first = await (await start(client, goal_id)).result()
        second = await (await start(client, goal_id, hours=3)).result()
        assert bank.logins() == [second.role]
        assert second.role != first.role
        lease = lease_of(client, goal_id)

        async def held_as_long() -> bool:
            view = await lease.query("view", result_type=LeaseView)
            return abs(view.lease.ends_at - (second.expires_at or view.lease.ends_at)) < timedelta(minutes=2)

        await eventually(held_as_long)
        later = (await lease.query("view", result_type=LeaseView)).lease.ends_at + timedelta(hours=5)
        await lease.execute_update("extend", ExtendLease(ends_at=later), result_type=LeaseView)

        async def refused() -> bool:
            return "ask for another" in (await lease.query("view", result_type=LeaseView)).refused

        await eventually(refused)
        await lease.execute_update("end", EndLease(), result_type=LeaseView)
        await lease.result()
    assert bank.clean(goal=goal_id)


async def test_what_a_killed_worker_was_issued_ends_with_its_terminated_goal(
    client: Client, goal_id: str, bank: Bank
) -> None:
    dying = killed(bank)
    async with at_work(client, bank, dying):
        goal = await start(client, goal_id)
        await dying.issued.wait()
        assert len(bank.logins()) == 1
        await goal.terminate()
    async with at_work(client, bank):
        await lease_of(client, goal_id).result()
    assert bank.clean(goal=goal_id)


async def test_another_worker_goes_on_where_one_was_killed_and_there_is_one_login(
    client: Client, goal_id: str, bank: Bank
) -> None:
    dying = killed(bank)
    async with at_work(client, bank, dying):
        goal = await start(client, goal_id)
        await dying.issued.wait()
        lost = bank.logins()
    async with at_work(client, bank):
        told = await goal.result()
        assert bank.logins() == [told.role]
        assert lost != [told.role]
        await lease_of(client, goal_id).execute_update("end", EndLease(), result_type=LeaseView)
        await lease_of(client, goal_id).result()
    assert bank.clean(goal=goal_id)


async def test_a_vault_that_is_sealed_when_it_should_end_ends_it_afterwards(
    client: Client, goal_id: str, bank: Bank
) -> None:
    async with at_work(client, bank):
        await (await start(client, goal_id)).result()
        lease = lease_of(client, goal_id)
        bank.vault.server.seal()
        await lease.execute_update("end", EndLease(), result_type=LeaseView)

        async def tried() -> bool:
            pending = (await lease.describe()).raw_description.pending_activities
            return any(one.attempt > 1 for one in pending)

        await eventually(tried)
        assert len(bank.logins()) == 1
        bank.vault.server.unseal()
        await lease.result()
    assert bank.clean(goal=goal_id)


async def test_a_goals_branch_has_no_login_of_its_parent_and_goes_with_its_lease(
    client: Client, goal_id: str, bank: Bank
) -> None:
    wanted = CreateNeonBranchInput(project=PROJECT, name="try-it")
    async with at_work(client, bank):
        parents = await (await start(client, goal_id)).result()
        assert bank.logins() == [parents.role]
        created: CreateNeonBranchResult = await client.execute_workflow(
            CREATE_NEON_BRANCH.name,
            wanted,
            id=f"{goal_id}-branch",
            task_queue=TaskQueue.GOALS,
            result_type=CreateNeonBranchResult,
        )
        assert bank.logins(created.id or "") == []
        assert psql(bank.kept_at(created.secret or ""), "SELECT current_user") == "shop_owner"
        lease = client.get_workflow_handle(created.lease or "", result_type=LeaseResult)
        await lease.execute_update("end", EndLease(), result_type=LeaseView)
        await lease.result()
        await lease_of(client, goal_id).execute_update("end", EndLease(), result_type=LeaseView)
        await lease_of(client, goal_id).result()
    assert [one["name"] for one in bank.neon.ask("GET", "/branches")["branches"]].count("try-it") == 0
    assert bank.listed("banksman/metadata/neon/connections") == []
    assert bank.clean(goal=goal_id)


async def test_a_refusal_is_a_result_and_the_lease_ends_with_the_goal(client: Client, goal_id: str) -> None:
    answers = {
        LOOK_AT_BRANCH: [MAIN_SEEN],
        SWEEP_LOGINS: [SWEPT],
        OPEN_DATABASE: [DENIED],
        END_LOGIN: [ENDED],
        CHECK_LOGIN: [NOT_THERE],
    }
    async with playing(client, answers):
        told = await (await start(client, goal_id)).result()
        assert (told.outcome, told.reason, told.secret) == ("denied", "the project is not to be touched", None)
        assert (await lease_of(client, goal_id).result()).why == "the goal that held it is over"


async def test_there_must_be_such_a_branch(client: Client, goal_id: str) -> None:
    async with playing(client, {LOOK_AT_BRANCH: [GONE]}):
        goal = await start(client, goal_id)
        with pytest.raises(WorkflowFailureError) as told:
            await goal.result()
    assert isinstance(told.value.cause, ApplicationError)
    assert (told.value.cause.type, "no branch 'main'" in told.value.cause.message) == (ErrorType.NOT_FOUND, True)


async def test_a_database_that_does_not_let_its_owner_make_roles_is_a_failure_that_says_so(
    client: Client, goal_id: str
) -> None:
    refused = application_error(ErrorType.INVALID_REQUEST, "permission denied to create role")
    answers = {
        LOOK_AT_BRANCH: [MAIN_SEEN],
        SWEEP_LOGINS: [SWEPT],
        OPEN_DATABASE: [refused],
        END_LOGIN: [ENDED],
        CHECK_LOGIN: [NOT_THERE],
    }
    async with playing(client, answers):
        goal = await start(client, goal_id)
        with pytest.raises(WorkflowFailureError):
            await goal.result()
        await lease_of(client, goal_id).result()


@pytest.mark.parametrize("database", ["", "a.b", "-a", "a" * 41, "a\n", "a/b", "a-"])
async def test_a_database_whose_name_cannot_be_kept_is_refused(database: str) -> None:
    with pytest.raises(ValueError, match="database"):
        IssueNeonLoginInput(project="shop-1", branch="main", database=database)
