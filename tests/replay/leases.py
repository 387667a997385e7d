"""The ways that a lease can go, and the sweep: recorded beside a provider in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import WorkflowHistory

from activities.leases.contracts import LEASE_WORKFLOW
from activities.leases.views import LeaseState, LeaseView
from activities.queues import TaskQueue
from connectors.errors import AuthDenied
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import Place
from tests.workflows.leases.sample import leased
from workflows.leases.contracts import LEASE_NOTICE, EndLease, ExtendLease
from workflows.leases.sweep import SWEEP_LEASES

SWEPT = "sweep"


@dataclass(frozen=True)
class Leasing:
    """One lease, or one look at all of them.

    Attributes:
        name: The file's name, and the mark of what is leased.
        workflows: Those whose histories are kept.
        drive: What goals, people and the provider do, to its end.
    """

    name: str
    workflows: tuple[str, ...]
    drive: Callable[[Place], Awaitable[object]]

    def recorded(self) -> set[tuple[str, str]]:
        """The histories that are kept of it, by folder and name."""
        return {(workflow, self.name) for workflow in self.workflows}


async def histories(place: Place, leasing: Leasing) -> dict[str, WorkflowHistory]:
    """Go that way, and tell how it went, by workflow."""
    async with place.at_work():
        await leasing.drive(place)
        return {
            one: await place.client.get_workflow_handle(await _id(place, one)).fetch_history()
            for one in leasing.workflows
        }


async def _id(place: Place, workflow: str) -> str:
    if workflow != LEASE_NOTICE:
        return {LEASE_WORKFLOW: place.lease.id, SWEEP_LEASES: SWEPT}[workflow]
    events = (await place.lease.fetch_history()).events
    started = [one.child_workflow_execution_started_event_attributes for one in events]
    return next(one.workflow_execution.workflow_id for one in started if one.workflow_type.name == LEASE_NOTICE)


async def _stuck(place: Place) -> None:
    """It is extended, cannot be ended, people are told, and it has ended after all."""
    place.machines.there.add(place.mark)
    lease = await place.hold(place.request())
    until = datetime.now(UTC) + timedelta(hours=30)
    await lease.execute_update("extend", ExtendLease(ends_at=until), result_type=LeaseView)

    async def extended() -> bool:
        return (await place.view()).lease.ends_at == until

    await eventually(extended)
    place.machines.refuses = AuthDenied("the key was revoked")
    await lease.execute_update("end", EndLease(note="done"), result_type=LeaseView)
    await place.until(LeaseState.STUCK)
    place.machines.refuses = None
    await lease.execute_update("end", EndLease(), result_type=LeaseView)
    await lease.result()

    async def over() -> bool:
        return place.teller.said == ["stuck", "over"]

    await eventually(over)


async def _with_its_goal(place: Place) -> None:
    """The server cancels it when the goal's run closes; what is ended lingers for two looks."""
    place.machines.lingers = 1
    goal = await place.using()
    await goal.terminate()
    await place.lease.result()


async def _taken_over(place: Place) -> None:
    """It outlives its goal, another run takes it over, and that one is cancelled."""
    await (await place.use(then="hand_over")).result()
    await (await place.using()).cancel()
    await place.lease.result()


async def _told(place: Place) -> None:
    """It outlives its goal, another run takes it over, and hears that a person has ended it."""
    await (await place.use(then="hand_over")).result()
    goal = await place.use(then="hold")

    async def taken() -> bool:
        owner = (await place.view()).lease.owner
        return owner is not None and owner.workflow_id == goal.id

    await eventually(taken)
    await place.lease.execute_update("end", EndLease(), result_type=LeaseView)
    await goal.result()


async def _sweep(place: Place) -> None:
    """One was terminated and is started again; and one is a stranger."""
    goal = await place.using()
    await place.lease.terminate()
    place.machines.there.add(leased("banksman-strange").mark)

    async def listed() -> bool:
        query = f"WorkflowType = '{LEASE_WORKFLOW}' AND ExecutionStatus = 'Terminated'"
        return (await place.client.count_workflows(query)).count > 0

    await eventually(listed)
    await place.client.execute_workflow(SWEEP_LEASES, id=SWEPT, task_queue=TaskQueue.GOALS)
    await goal.terminate()
    await place.lease.terminate()


LEASINGS = (
    Leasing("stuck", (LEASE_WORKFLOW, LEASE_NOTICE), _stuck),
    Leasing("cancelled", (LEASE_WORKFLOW,), _with_its_goal),
    Leasing("adopted", (LEASE_WORKFLOW,), _taken_over),
    Leasing("told", (LEASE_WORKFLOW,), _told),
    Leasing("swept", (SWEEP_LEASES,), _sweep),
)
