"""The sweep, and the goal that people ask for: what nobody holds is found, and strangers are left alone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.guard.error_types import ErrorType, application_error
from activities.leases.contracts import Owner, lease_id
from activities.leases.views import LeaseState, LeaseView
from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from deploy.temporal.schedules import SWEEP_SCHEDULE, schedule_sweep
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from tests.workflows.leases.sample import MACHINE
from workflows.contracts import State
from workflows.leases.contracts import EndLease
from workflows.leases.goals import ReconcileLeasesInput, ReconcileLeasesResult
from workflows.leases.sweep import SWEEP_LEASES

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def place(client: Client) -> AsyncIterator[Place]:
    made = Place(client)
    async with made.at_work():
        yield made


async def reconcile(place: Place, **given: object) -> ReconcileLeasesResult:
    request = ReconcileLeasesInput.model_validate(given)
    return await place.client.execute_workflow(
        "ReconcileLeases",
        request,
        id=f"reconcile-{place.mark}-{len(given)}",
        task_queue=TaskQueue.GOALS,
        result_type=ReconcileLeasesResult,
    )


async def sweep(place: Place) -> ReconcileLeasesResult:
    return await place.client.execute_workflow(
        SWEEP_LEASES, id=f"sweep-{place.mark}", task_queue=TaskQueue.GOALS, result_type=ReconcileLeasesResult
    )


def lease_of(place: Place, mark: str) -> WorkflowHandle[Any, Any]:
    return place.client.get_workflow_handle(lease_id(MACHINE.name, mark))


async def test_what_a_lease_holds_is_left_to_it(place: Place) -> None:
    await place.using()
    found = await sweep(place)
    assert (found.held, found.ended, found.strangers) == (1, (), ())
    assert place.machines.there == {place.mark}


async def test_a_stranger_is_told_of_and_left_alone(place: Place) -> None:
    place.machines.there.add(place.mark)
    for found in (await sweep(place), await reconcile(place)):
        assert found.strangers == (f"machine m-{place.mark} ({place.mark})",)
    assert place.mark not in place.machines.ended


async def test_strangers_are_adopted_for_some_hours_when_a_person_says_so(place: Place) -> None:
    marks = [f"{place.mark}-{number}" for number in range(5)]  # three pages
    place.machines.there.update(marks)
    found = await reconcile(place, strangers="adopt", hours=2)
    assert found.adopted == tuple(lease_id(MACHINE.name, mark) for mark in marks)
    view = await lease_of(place, marks[0]).query("view", result_type=LeaseView)
    assert view.lease.taken_at is not None
    assert (view.state, view.lease.owner) == (LeaseState.HELD, None)
    assert view.lease.ends_at - view.lease.taken_at == timedelta(hours=2)
    assert (await sweep(place)).held == 5


async def test_strangers_are_ended_when_a_person_says_so(place: Place) -> None:
    place.machines.there.add(place.mark)
    found = await reconcile(place, kinds=(MACHINE.name,), strangers="end")
    assert found.ended == (place.lease.id,)
    await place.lease.result()
    assert place.machines.there == set()


async def test_what_outlived_its_lease_is_ended(place: Place) -> None:
    """As where a create showed only after its lease had looked, and found nothing."""
    lease = await place.hold(place.request())
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await lease.result()
    place.machines.there.add(place.mark)
    assert (await sweep(place)).ended == (lease.id,)
    assert (await place.lease.result()).why == "it outlived its lease"
    assert place.machines.there == set()


async def seen_to_be_over(place: Place, workflow_id: str) -> None:
    """A sweep looks into Temporal's list, which learns of an end a moment later than whoever ends it."""

    async def is_over() -> bool:
        query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Running'"
        return (await place.client.count_workflows(query)).count == 0

    await eventually(is_over)


async def test_a_lease_that_was_terminated_goes_on_with_what_it_knew(place: Place) -> None:
    goal = await place.using()
    before = await place.view()
    await place.lease.terminate()
    await seen_to_be_over(place, place.lease.id)
    assert place.lease.id in (await sweep(place)).revived
    after = await place.view()
    assert (after.lease.ends_at, after.lease.owner) == (before.lease.ends_at, Owner(workflow_id=goal.id))
    assert after.lease.taken_at == before.lease.taken_at
    await goal.terminate()
    await seen_to_be_over(place, goal.id)
    found = await place.client.execute_workflow(
        SWEEP_LEASES, id=f"sweep-again-{place.mark}", task_queue=TaskQueue.GOALS, result_type=ReconcileLeasesResult
    )
    assert place.lease.id in found.orphans
    await place.lease.result()
    assert place.machines.there == set()


async def test_a_provider_that_is_away_keeps_nobody_from_the_sweep(place: Place) -> None:
    place.machines.away = InvalidRequest("the list is refused")
    found = await sweep(place)
    assert found.unseen == ("sample-machine: the list is refused",)


async def test_a_kind_that_there_is_not_is_refused(place: Place) -> None:
    with pytest.raises(WorkflowFailureError) as refused:
        await reconcile(place, kinds=("no-such",))
    assert "there are 'sample-machine'" in str(refused.value.cause)


async def test_the_schedule_is_made_once_and_sweeps(place: Place) -> None:
    assert await schedule_sweep(place.client)
    try:
        assert not await schedule_sweep(place.client)
        schedule = place.client.get_schedule_handle(SWEEP_SCHEDULE)
        before = (await schedule.describe()).info.num_actions
        await schedule.trigger()

        async def swept() -> bool:
            return (await schedule.describe()).info.num_actions > before

        await eventually(swept)
    finally:
        await place.client.get_schedule_handle(SWEEP_SCHEDULE).delete()


async def test_a_reconciliation_that_is_refused_is_denied(place: Place) -> None:
    place.machines.away = application_error(ErrorType.POLICY_DENIED, "the policy denies it")
    found = await reconcile(place)
    assert (found.outcome, found.reason) == (State.DENIED, "the policy denies it")
