"""Looks at leases, on the real server's list, without a worker: a lease says in its memo how it stands."""

from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.leases.contracts import LEASE_MEMO, LEASE_WORKFLOW, FindKnown, FindLost, FoundLost, LeaseRequest, Owner
from activities.leases.looking import LeaseActivities
from activities.leases.views import LeaseState, LeaseView
from activities.queues import TaskQueue
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from tests.workflows.leases.sample import MACHINE

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Looks:
    """The steps as a worker runs them, and leases that nobody works on."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._steps = LeaseActivities({MACHINE.name: MACHINE})
        self._environment = ActivityEnvironment(client=client)

    async def hold(
        self, *, owner: str | None = None, workflow: str = LEASE_WORKFLOW, queue: str = TaskQueue.GOALS
    ) -> tuple[LeaseRequest, WorkflowHandle[Any, Any]]:
        lease = Place(self.client).request(owner=Owner(workflow_id=owner) if owner else None)
        memo = {LEASE_MEMO: LeaseView(state=LeaseState.HELD, lease=lease).model_dump(mode="json")}
        handle = await self.client.start_workflow(workflow, lease, id=lease.id, task_queue=queue, memo=memo)
        return lease, handle

    async def known(self, *leases: LeaseRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
        wanted = FindKnown(kind=MACHINE.name, marks=tuple(one.leased.mark for one in leases))
        found = await self._environment.run(self._steps.find_known, wanted)
        return found.held, found.ended

    async def lost(self) -> FoundLost:
        return await self._environment.run(self._steps.find_lost, FindLost())


@pytest.fixture
def looks(client: Client) -> Looks:
    return Looks(client)


async def test_what_runs_is_held_and_what_ran_has_ended(looks: Looks) -> None:
    held, of_held = await looks.hold()
    ended, of_ended = await looks.hold()
    never = Place(looks.client).request()
    await of_ended.terminate()
    assert await looks.known(held, ended, never) == ((held.leased.mark,), (ended.leased.mark,))
    await of_held.terminate()


async def test_what_only_looks_like_a_lease_is_none(looks: Looks) -> None:
    """Whoever reaches Temporal may take a lease's id, and so keep the sweep from what it names."""
    other, of_other = await looks.hold(workflow="ReadFile")
    elsewhere, of_elsewhere = await looks.hold(queue="somebodys-own")
    assert await looks.known(other, elsewhere) == ((), ())
    await of_other.terminate()
    await of_elsewhere.terminate()


async def test_a_lease_is_lost_once_it_was_ended_from_outside_and_an_orphan_once_its_owner_is_over(
    looks: Looks,
) -> None:
    owner, of_owner = await looks.hold()
    lost, of_lost = await looks.hold()
    orphan, of_orphan = await looks.hold(owner="a-goal-that-is-over")
    held, of_held = await looks.hold(owner=owner.id)
    await of_lost.terminate()

    async def seen() -> bool:
        found = await looks.lost()
        orphans = {one.lease for one in found.orphans}
        assert held.id not in orphans
        return lost.id in {one.id for one in found.lost} and orphan.id in orphans

    await eventually(seen)
    for one in (of_orphan, of_held, of_owner):
        await one.terminate()
