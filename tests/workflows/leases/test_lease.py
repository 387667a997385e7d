"""A lease on the real server: it ends with its goal, however that ends, and says gone only where its provider does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from activities.leases.contracts import Owner
from activities.leases.views import LeaseState, LeaseView, view_of
from connectors.errors import AuthDenied, InvalidRequest
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from workflows.leases.contracts import EndLease, ExtendLease, HandOverLease, OwnerChanged, OwnerGone

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def place(client: Client) -> AsyncIterator[Place]:
    made = Place(client)
    async with made.at_work():
        yield made


async def test_a_goal_that_ends_ends_its_lease(place: Place) -> None:
    goal = await place.use()
    result = await goal.result()
    assert result.lease == place.lease.id
    ended = await place.lease.result()
    assert (ended.why, place.machines.there) == ("the goal that held it is over", set())


@pytest.mark.parametrize("end", ["cancel", "terminate"])
async def test_so_does_one_that_is_ended_from_outside(place: Place, end: str) -> None:
    goal = await place.using()
    assert place.machines.there == {place.mark}
    await getattr(goal, end)()
    await place.lease.result()
    assert place.machines.there == set()
    assert place.machines.ended == [place.mark]


async def test_a_goal_can_wait_until_it_is_gone(place: Place) -> None:
    place.machines.lingers = 2
    goal = await place.use(then="end")
    assert (await goal.result()).tries == 3
    assert place.machines.there == set()


async def test_a_goal_that_holds_its_lease_hears_when_a_person_ends_it(place: Place) -> None:
    goal = await place.using(after=timedelta(), then="hold")
    await place.lease.execute_update("end", EndLease(), result_type=LeaseView)
    assert (await goal.result()).tries == 1
    assert place.machines.there == set()


async def test_so_does_one_that_took_it_over_from_another_run(place: Place) -> None:
    await (await place.use(then="hand_over")).result()
    goal = await place.use(then="hold")

    async def taken() -> bool:
        return (await place.view()).lease.owner == Owner(workflow_id=goal.id)

    await eventually(taken)
    await place.lease.execute_update("end", EndLease(), result_type=LeaseView)
    assert (await goal.result()).tries is None
    assert place.machines.there == set()


async def test_and_one_whose_lease_was_ended_from_outside_once_the_sweep_has_taken_it_up(place: Place) -> None:
    goal = await place.using(after=timedelta(), then="hold")
    view = await place.view()
    await place.lease.terminate()
    await place.hold(view.lease.model_copy(update={"handed_over": True}))  # as the sweep does
    await place.lease.execute_update("end", EndLease(), result_type=LeaseView)
    await goal.result()
    assert place.machines.there == set()


async def test_what_is_handed_over_to_nobody_outlives_the_goal_until_its_time(place: Place) -> None:
    goal = await place.use(then="hand_over")
    await goal.result()
    view = await place.view()
    assert (view.state, view.lease.owner) == (LeaseState.HELD, None)
    assert place.machines.there == {place.mark}
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await place.lease.execute_update("extend", ExtendLease(ends_at=soon), result_type=LeaseView)
    assert (await place.lease.result()).why == "its time was over"
    assert place.machines.there == set()


async def test_it_ends_at_its_time(place: Place) -> None:
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request(hours=1 / 3600))
    assert (await lease.result()).why == "its time was over"
    assert place.machines.there == set()


async def test_a_person_extends_it_as_far_as_its_kind_lets_it(place: Place) -> None:
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request())
    until = datetime.now(UTC) + timedelta(hours=30)
    await lease.execute_update("extend", ExtendLease(ends_at=until, note="more to do"), result_type=LeaseView)

    async def extended() -> bool:
        return (await place.view()).lease.ends_at == until

    await eventually(extended)
    assert place.machines.until == {place.mark: until}
    for wrong, why in ((until + timedelta(days=1), "at most"), (datetime.now(UTC), "is over")):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await lease.execute_update("extend", ExtendLease(ends_at=wrong), result_type=LeaseView)
        assert isinstance(refused.value.cause, ApplicationError)
        assert why in refused.value.cause.message
    await lease.execute_update("end", EndLease(note="done"), result_type=LeaseView)
    assert (await lease.result()).why == "a person ended it: done"


async def test_an_extension_that_is_refused_changes_nothing(place: Place) -> None:
    place.machines.there.add(place.mark)
    place.machines.refuses_more = InvalidRequest("the budget has no room")
    lease = await place.hold(place.request())
    before = (await place.view()).lease.ends_at
    await lease.execute_update("extend", ExtendLease(ends_at=before + timedelta(hours=1)), result_type=LeaseView)

    async def refused() -> bool:
        return bool((await place.view()).refused)

    await eventually(refused)
    view = await place.view()
    assert (view.lease.ends_at, view.refused, view.asked_until) == (before, "the budget has no room", None)


async def test_what_cannot_be_ended_is_told_once_with_the_command_and_when_it_has_ended(place: Place) -> None:
    place.machines.there.add(place.mark)
    place.machines.refuses = AuthDenied("the key was revoked")
    lease = await place.hold(place.request())
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    view = await place.until(LeaseState.STUCK)
    assert view.problem == "the key was revoked"
    await lease.execute_update("end", EndLease(), result_type=LeaseView)  # still refused
    place.machines.refuses = None
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await lease.result()

    async def over() -> bool:
        return place.teller.said == ["stuck", "over"]

    await eventually(over)
    assert place.teller.asked[0].why == "the key was revoked"


async def test_what_a_person_ended_by_hand_is_seen(place: Place) -> None:
    place.machines.there.add(place.mark)
    place.machines.refuses = AuthDenied("the key was revoked")
    lease = await place.hold(place.request())
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await place.until(LeaseState.STUCK)
    place.machines.there.clear()
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await lease.result()


async def test_what_has_no_ending_step_is_left_to_people(place: Place) -> None:
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request(end=None))
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await place.until(LeaseState.STUCK)
    assert place.machines.ended == []
    place.machines.there.clear()
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await lease.result()


async def test_asked_again_a_goal_takes_over_what_it_had_made(place: Place) -> None:
    await (await place.use(then="hand_over")).result()
    goal = await place.using()
    view = await place.view()
    assert view.lease.owner == Owner(workflow_id=goal.id)
    await goal.cancel()
    assert (await place.lease.result()).why == "the goal that held it is over"
    assert place.machines.there == set()


async def test_asked_again_while_it_is_being_ended_a_goal_waits_and_takes_a_new_one(place: Place) -> None:
    place.machines.there.add(place.mark)
    place.machines.refuses = AuthDenied("the key was revoked")
    first = await place.hold(place.request())
    await first.execute_update("end", EndLease(), result_type=LeaseView)
    await place.until(LeaseState.STUCK)
    goal = await place.use()

    async def waits() -> bool:
        return "earlier machine" in ((await goal.query("status"))["step"] or "")

    await eventually(waits)
    assert not place.machines.created.is_set()
    place.machines.refuses = None
    await first.execute_update("end", EndLease(), result_type=LeaseView)
    await goal.result()
    await place.lease.result()
    assert place.machines.there == set()


async def test_only_its_owner_lets_it_go(place: Place) -> None:
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request(owner=Owner(workflow_id="somebody")))
    stranger = Owner(workflow_id="nobody")
    await lease.signal("owner_gone", OwnerGone(owner=stranger))
    await lease.signal("owner_changed", OwnerChanged(before=stranger, now=None))
    view = await place.view()
    assert (view.state, view.lease.owner) == (LeaseState.HELD, Owner(workflow_id="somebody"))
    await lease.execute_update("hand_over", HandOverLease(owner="nobody"), result_type=LeaseView)
    await lease.cancel()  # as the server does for a parent that holds it no longer
    assert (await place.view()).state is LeaseState.HELD
    await lease.signal("owner_gone", OwnerGone(owner=stranger))
    assert (await lease.result()).why == "the goal that held it is over"


async def test_the_servers_list_tells_how_it_stands_without_a_worker(place: Place) -> None:
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request())
    await place.view()
    found = await lease.describe()
    view = await view_of(found)
    assert view is not None
    assert view.row()["name"] == f"m-{place.mark}"
    await lease.terminate()
    ended = await lease.describe()
    assert ended.status is WorkflowExecutionStatus.TERMINATED
    lost = await view_of(ended)
    assert lost is not None
    assert lost.state is LeaseState.LOST
