"""The ways that an approval can go, and the goal that waits for it: recorded with signed decisions and the real checks.

The people and the thing that is destroyed are played; keys, policy and validators are those of `tests.workflows`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from activities.approvals.contracts import ResolvedRule
from activities.github.contracts import BranchDeleted, BranchSeen
from activities.guard.error_types import policy_denied
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.protocol import Denial, RefusalReason
from tests.workflows.approval.approving import ACTION, Ask, AskWorkflow, House, eventually
from tests.workflows.scripted import SEEN, Steps, next_answer, workers
from workflows.approval.contracts import NOTICE_WORKFLOW, ApprovalState
from workflows.approval.decision_checks import DecisionChecks
from workflows.contracts import State
from workflows.repository.goals import DeleteBranchInput

SOON: Final = timedelta(seconds=1)
GONE: Final = BranchSeen(head=None)
DELETED: Final = BranchDeleted(head=SEEN.head or "")
BEGUN: Final = Denial(
    reason=RefusalReason.ALREADY_USED, action=ACTION, environment="live", explanation="It was begun already."
)
LATE: Final = Denial(reason=RefusalReason.EXPIRED, action=ACTION, environment="live", explanation="It came too late.")
STARTED: Final = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
TASK_COMPLETED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
Run = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Asking:
    """One run of the goal `DeleteBranch`, and its approval.

    Attributes:
        name: The file's name.
        state: How the approval ends.
        drive: What people and the world do, from when it waits.
        rule: What the rule says otherwise.
        gateway: Whether there is one to tell people.
        goal: Whether the goal's own history is kept too.
        deleted: What the destructive step answers, in order; without any it is cancelled when it can be.
        held: Whether it answers only when it hears that its goal was cancelled, as one does that has acted by then.
        seen: What looks at the branch find, in order; the last one stays.
        look_after: How often the approval looks for its goal, which is then a workflow of the test's.
    """

    name: str
    state: ApprovalState
    drive: Callable[[House, Run, str], Awaitable[object]]
    rule: Mapping[str, timedelta | str] = field(default_factory=dict[str, timedelta | str])
    gateway: bool = False
    goal: bool = False
    deleted: tuple[BranchDeleted | Exception, ...] = (DELETED,)
    held: bool = False
    seen: tuple[BranchSeen, ...] = (SEEN, GONE)
    look_after: timedelta | None = None

    def recorded(self) -> set[tuple[str, str]]:
        """The histories that are kept of it, by folder and name."""
        notice = {("ApprovalNotice", self.name)} if self.gateway else set[tuple[str, str]]()
        goal = {("DeleteBranch", self.name)} if self.goal else set[tuple[str, str]]()
        return {("Approval", self.name)} | notice | goal


class Destruction:
    """The destructive step, with a fixed sequence of answers."""

    def __init__(self, answers: tuple[BranchDeleted | Exception, ...], *, held: bool) -> None:
        self._answers, self._held = list(answers), held

    @activity.defn(name=ACTION)
    async def delete(self, request: object) -> BranchDeleted:
        """Whatever the plan says."""
        del request
        try:
            while self._held:
                activity.heartbeat()
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            if not self._answers:
                raise
        return next_answer(self._answers)


@contextlib.asynccontextmanager
async def at_work(house: House, asking: Asking, *, destruction: Worker | None = None) -> AsyncGenerator[None]:
    """Workers of every queue, the goals worker with the check that approvals refuse by."""
    await house.keys.refresh()
    # pydantic's copy checks nothing: the rule's own types are what the scenario gives.
    rule: ResolvedRule = house.resolved(**asking.rule)
    steps = Steps(seen=list(asking.seen), rules=[rule])
    check = ClickCheck(house.keys, PolicySource(house.path, environment="live"), cluster=house.cluster)
    destruction = destruction or Worker(
        house.client,
        task_queue=TaskQueue.DESTRUCTIVE,
        activities=[Destruction(asking.deleted, held=asking.held).delete],
        max_heartbeat_throttle_interval=SOON / 10,
    )
    async with contextlib.AsyncExitStack() as stack:
        also = workers(house.client, steps, also=[AskWorkflow], interceptors=[DecisionChecks(check)])
        await stack.enter_async_context(also)
        await stack.enter_async_context(destruction)
        if asking.gateway:
            await stack.enter_async_context(house.gateway_worker())
        yield


async def start_asking(house: House, asking: Asking) -> Run:
    """The goal, until it is told to wait for its approval."""
    goal_id = f"asking/{asking.name}"
    if asking.look_after is None:
        request = DeleteBranchInput(repository="acme/shop", branch="old")
        return await house.client.start_workflow("DeleteBranch", request, id=goal_id, task_queue=TaskQueue.GOALS)
    order = Ask(request=house.request().model_copy(update={"look_after": asking.look_after}))
    return await house.client.start_workflow("TestAsk", order, id=goal_id, task_queue=TaskQueue.GOALS)


async def ended(run: Run) -> None:
    """Wait until it is over, however that is."""
    async with asyncio.timeout(60):
        with contextlib.suppress(WorkflowFailureError):
            await run.result()


async def told_by(house: House, *workflow_ids: str) -> str:
    """The message of one of them that was left to a workflow of its own, once it is told."""
    for one in workflow_ids:
        history = await house.client.get_workflow_handle(one).fetch_history()
        children = (event.child_workflow_execution_started_event_attributes for event in history.events)
        for child in children:
            if child.workflow_type.name == NOTICE_WORKFLOW:
                await ended(house.client.get_workflow_handle(child.workflow_execution.workflow_id))
                return child.workflow_execution.workflow_id
    raise AssertionError(f"nobody was told how {workflow_ids} ended")


def _verdicts(*clicks: tuple[str, Verdict]) -> Callable[[House, Run, str], Awaitable[object]]:
    async def drive(house: House, goal: Run, approval: str) -> None:
        for person, verdict in clicks:
            await house.decide(approval, person, verdict=verdict, reason="" if verdict is Verdict.APPROVE else "why")
        await ended(goal)

    return drive


async def approved(house: House, goal: Run, approval: str) -> None:
    del goal
    for person in ("alice", "bob"):
        await house.decide(approval, person)


async def _told(house: House, goal: Run, approval: str) -> None:
    async def posted() -> bool:
        return bool(house.messages.posted)

    await eventually(posted)
    await house.decide(approval, "alice")
    await house.decide(approval, "carol", verdict=Verdict.REJECT, reason="still needed")
    await ended(goal)


async def _waited(house: House, goal: Run, approval: str) -> None:
    del house, approval
    await ended(goal)


async def _superseded(house: House, goal: Run, approval: str) -> None:
    await house.client.get_workflow_handle(approval).signal("superseded", "A newer plan took its place.")
    await ended(goal)


async def _escalated(house: House, goal: Run, approval: str) -> None:
    async def asked_too() -> bool:
        return (await house.view(approval)).escalated_to is not None

    await eventually(asked_too)
    await _verdicts(("dave", Verdict.APPROVE), ("alice", Verdict.APPROVE))(house, goal, approval)


async def _cancelled(house: House, goal: Run, approval: str) -> None:
    await house.view(approval)
    await goal.cancel()
    await ended(goal)


async def stopped(house: House, goal: Run, approval: str) -> None:
    """It is approved, and cancelled when a worker has the step."""
    await approved(house, goal, approval)

    async def at_it() -> bool:
        pending = (await goal.describe()).raw_description.pending_activities
        return any(one.activity_type.name == ACTION and one.state == STARTED for one in pending)

    await eventually(at_it)
    await goal.cancel()
    await ended(goal)


async def asked_again(house: House, goal: Run, approval: str) -> None:
    await approved(house, goal, approval)
    await approved(house, goal, await house.approval_of(goal, after=1))
    await ended(goal)


async def _reset(house: House, goal: Run, approval: str) -> None:
    """Until it was seen to wait once; then the goal begins anew, and leaves this approval behind."""
    old = house.client.get_workflow_handle(approval)

    async def looked() -> bool:
        return any(
            event.HasField("external_workflow_execution_signaled_event_attributes")
            for event in (await old.fetch_history()).events
        )

    await eventually(looked)
    tasks = [one.event_id for one in (await goal.fetch_history()).events if one.event_type == TASK_COMPLETED]
    made = await house.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=house.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=goal.id),
            reason="once more",
            workflow_task_finish_event_id=tasks[0],
            request_id=f"reset-{approval}",
        )
    )
    await ended(old)
    await house.client.get_workflow_handle(goal.id, run_id=made.run_id).terminate()


async def _looked_twice(house: House, goal: Run, approval: str) -> None:
    """At the rule, which is still the same."""
    waiting = house.client.get_workflow_handle(approval)

    async def looked() -> bool:
        events = (await waiting.fetch_history()).events
        return sum(event.HasField("activity_task_completed_event_attributes") for event in events) > 1

    await eventually(looked)
    await _verdicts(("alice", Verdict.APPROVE), ("bob", Verdict.APPROVE))(house, goal, approval)


YES, NO = Verdict.APPROVE, Verdict.REJECT
ASKINGS: Final = (
    Asking("approved", State.APPROVED, _verdicts(("alice", YES), ("bob", YES)), gateway=True, goal=True),
    Asking("confirmed", State.APPROVED, _verdicts(("alice", YES), ("bob", YES)), gateway=True, goal=True),
    Asking("deleted-though-cancelled", State.APPROVED, stopped, gateway=True, goal=True, held=True),
    Asking("rejected", State.REJECTED, _told, gateway=True, goal=True),
    Asking("changes-requested", State.CHANGES_REQUESTED, _verdicts(("bob", Verdict.REQUEST_CHANGES))),
    Asking("expired", State.EXPIRED, _waited, rule={"approve_within": SOON}, goal=True),
    Asking("withdrawn", State.WITHDRAWN, _verdicts(("alice", YES), ("erin", Verdict.WITHDRAW))),
    Asking("superseded", State.SUPERSEDED, _superseded),
    Asking("goal-cancelled", State.SUPERSEDED, _cancelled, goal=True),
    Asking("goal-gone", State.SUPERSEDED, _reset, look_after=SOON),
    Asking("rule-stays", State.APPROVED, _looked_twice, look_after=SOON),
    Asking("rule-changed", State.SUPERSEDED, _waited, look_after=SOON, rule={"digest": "sha256:another"}),
    Asking(
        "escalated",
        State.APPROVED,
        _escalated,
        rule={"remind_after": SOON, "escalation_group": "leads", "escalation_after": 2 * SOON},
    ),
    Asking(
        "asked-again",
        State.APPROVED,
        asked_again,
        goal=True,
        deleted=(policy_denied(LATE), DELETED),
        seen=(SEEN, SEEN, GONE),
    ),
    Asking(
        "begun-and-asked-again",
        State.APPROVED,
        asked_again,
        goal=True,
        deleted=(policy_denied(BEGUN), DELETED),
        seen=(SEEN, SEEN, GONE),
    ),
)
