"""The goals on Neon: what they tell, what nobody is asked about, and how they end when they may not."""

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.leases.contracts import lease_id
from activities.leases.views import LeaseState, LeaseView
from activities.neon.contracts import (
    CREATE_BRANCH,
    DELETE_BRANCH,
    KEEP_CONNECTION,
    LOOK_AT_BRANCH,
    NEON_BRANCH,
    NeonBranchSeen,
)
from activities.queues import TaskQueue
from connectors.creation import mark
from hitl.approval.plan import read_plan
from tests.workflows.approval.approving import House
from tests.workflows.neon.deleting import DELETED, GONE, MARKED, SEEN, Scripted, approve, at_work, start
from tests.workflows.neon.scenarios import CREATED, DENIED, END, KEPT, LEASED
from tests.workflows.played import playing
from workflows.leases.contracts import LeaseResult
from workflows.neon.goals import (
    CREATE_NEON_BRANCH,
    CreateNeonBranchInput,
    CreateNeonBranchResult,
    DeleteNeonBranchInput,
)

on_the_server = pytest.mark.asyncio(loop_scope="session")


async def create(client: Client, goal_id: str) -> CreateNeonBranchResult:
    return await client.execute_workflow(
        CREATE_NEON_BRANCH.name,
        CREATE_NEON_BRANCH.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=CreateNeonBranchResult,
    )


@on_the_server
async def test_what_was_made_is_told_and_where_its_connection_is(client: Client, goal_id: str) -> None:
    async with playing(client, {**LEASED, CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [KEPT]}):
        told = await create(client, goal_id)
        lease = await client.get_workflow_handle(told.lease or "").query("view", result_type=LeaseView)
        assert (lease.state, lease.lease.owner, lease.lease.handed_over) == (LeaseState.HELD, None, True)
        assert lease.lease.leased.place == {"project": "shop-quiet-moon-17281", "mark": mark(goal_id)}
    assert (told.outcome, told.id, told.endpoint, told.expires_at) == ("completed", "br-1", "ep-1", END)
    assert (told.host, told.port, told.database, told.role) == ("ep-1.neon.tech", 5432, "shop", "shop_owner")
    assert told.secret == "banksman/neon/connections/br-1"


@on_the_server
async def test_a_refusal_half_way_tells_what_was_made_before_it(client: Client, goal_id: str) -> None:
    async with playing(client, {**LEASED, CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [DENIED]}):
        told = await create(client, goal_id)
        assert (told.outcome, told.reason) == ("denied", "the project is not to be touched")
        assert (told.id, told.secret) == ("br-1", None)
        lease = client.get_workflow_handle(lease_id(NEON_BRANCH.name, mark(goal_id)), result_type=LeaseResult)
        assert (await lease.result()).why == "the goal that held it is over"


@on_the_server
async def test_a_name_that_is_taken_is_a_failure_that_says_so(client: Client, goal_id: str) -> None:
    taken = application_error(ErrorType.CONFLICT, "branch with the provided name already exists")
    async with playing(client, {**LEASED, CREATE_BRANCH: [taken]}):
        with pytest.raises(WorkflowFailureError) as told:
            await create(client, goal_id)
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == ErrorType.CONFLICT


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path, action=DELETE_BRANCH.name)


@on_the_server
async def test_people_approve_the_branch_of_an_id_and_it_is_looked_for_afterwards(house: House, goal_id: str) -> None:
    steps = Scripted([SEEN, GONE], [DELETED])
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        approval = await approve(house, goal)
        plan = read_plan(await house.client.get_workflow_handle(approval).query("plan", result_type=str))
        told = await goal.result()
    assert plan.parameters == {"account": "shop-quiet-moon-17281", "branch": "br-1", "name": "old-idea"}
    assert plan.summary[1] == "A copy of main, with 30.8 MB of data"
    assert (told.outcome, told.id, told.name) == ("completed", "br-1", "old-idea")
    assert steps.looked == ["old-idea", "br-1"]
    assert steps.forgotten == ["br-1"]


@on_the_server
async def test_a_branch_that_a_goal_made_ends_with_its_lease(house: House, goal_id: str) -> None:
    steps = Scripted([MARKED, GONE], [DELETED])
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        assert (await goal.result()).outcome == "completed"
    assert steps.ended == [MARKED.mark]
    assert steps.forgotten == ["br-1"]


@on_the_server
async def test_a_refusal_after_the_deletion_tells_what_was_deleted(house: House, goal_id: str) -> None:
    steps = Scripted([SEEN, GONE], [DELETED])
    steps.forgets = DENIED
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        told = await goal.result()
    assert (told.outcome, told.reason) == ("denied", "the project is not to be touched")
    assert (told.id, told.name) == ("br-1", "old-idea")


@on_the_server
async def test_one_that_is_there_after_it_was_said_to_be_deleted_is_in_doubt(house: House, goal_id: str) -> None:
    steps = Scripted([SEEN], [DELETED])
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        with pytest.raises(WorkflowFailureError) as told:
            await goal.result()
    assert steps.forgotten == []
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == ErrorType.OUTCOME_UNKNOWN


@on_the_server
@pytest.mark.parametrize(
    ("seen", "kind", "says"),
    [
        (GONE, ErrorType.NOT_FOUND, "nothing is to be deleted"),
        (SEEN.model_copy(update={"default": True}), ErrorType.INVALID_REQUEST, "default or a root branch"),
        (SEEN.model_copy(update={"parent": None}), ErrorType.INVALID_REQUEST, "default or a root branch"),
        (SEEN.model_copy(update={"protected": True}), ErrorType.INVALID_REQUEST, "is protected"),
        (SEEN.model_copy(update={"children": ("a", "b")}), ErrorType.INVALID_REQUEST, "has 2 children"),
    ],
)
async def test_nobody_is_asked_about_what_neon_deletes_for_nobody(
    client: Client, goal_id: str, seen: NeonBranchSeen, kind: ErrorType, says: str
) -> None:
    async with playing(client, {LOOK_AT_BRANCH: [seen]}):
        goal = await start(client, goal_id)
        with pytest.raises(WorkflowFailureError) as told:
            await goal.result()
    assert isinstance(told.value.cause, ApplicationError)
    assert (told.value.cause.type, says in told.value.cause.message) == (kind, True)


@pytest.mark.parametrize("name", ["", "a" * 256, "a\nb", "\u202eb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        CreateNeonBranchInput(project="shop-1", name=name)
    with pytest.raises(ValueError, match="branch"):
        DeleteNeonBranchInput(project="shop-1", branch=name)


@pytest.mark.parametrize("changed", [{"project": "Shop"}, {"hours": 0}, {"hours": 721}, {"max_cu": 0.1}])
def test_what_neon_would_refuse_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changed))):
        CreateNeonBranchInput.model_validate({"project": "shop-1", "name": "a", **changed})
