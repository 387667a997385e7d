"""Goals, as the Temporal server tells of them: what runs, what ended and how, and which are looked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.exceptions import FailureError
from temporalio.service import RPCError

from connectors.errors import ConnectorError
from hitl.approval.approvers import People
from hitl.approval.decision import UNVERIFIED
from hitl.console.goals.asking import AskedFor
from hitl.console.goals.ends import Told, told_by
from hitl.console.goals.filter import QUEUED, GoalFilter, quoted
from hitl.console.goals.timeline import StatusWithSteps, timeline
from hitl.console.ports import AskedApproval, BegunGoal, GoalRow, Listed, ShownGoal, Unavailable
from hitl.console.server_lists import NOT_THERE, PAGE, PATIENCE, UNKNOWN, fetch_page, fetch_some, soon, unavailable
from hitl.gateway.histories import HistorySteps
from hitl.gateway.server import WHOLE, Server
from workflows.agent.goals import ASK_FOR, RUN_PLAN
from workflows.agent.history_contracts import StepTold
from workflows.approval.contracts import APPROVAL_WORKFLOW
from workflows.catalogue import GOALS, find_goal
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    REQUESTER_ATTRIBUTE,
    STATE_ATTRIBUTE,
    TRIGGER_ATTRIBUTE,
    GoalResult,
)
from workflows.fleet.goals import RUN_FLEET
from workflows.github.job_contracts import GITHUB_JOB
from workflows.kept import KeptArtifact
from workflows.standing import standing_of

PLANS: Final = frozenset({ASK_FOR.name, RUN_PLAN.name, RUN_FLEET.name, GITHUB_JOB.name})
"""Goals that start others, which people follow on their page."""
_LOOK: Final = 200
_LOOKS: Final = 5
"""So many pages of so many are looked through for a text at once; the next address goes on from there."""
_AT_ONCE: Final = 8
_LOGGED: Final = 300
"""So many steps of a log are shown: the newest."""
_WHOLE_LOG_S: Final = 30.0
_OF_A_PLAN: Final = 200
"""More than a plan has steps, each with its approval."""

WhoAsked = Callable[[str, str], Awaitable[str]]
"""The identity that asked for a run, or `unverified`: of a workflow id and a run id."""


class TemporalGoals:
    """Goals, to look at. Starting is not here: it has to be signed.

    Args:
        client: Of Temporal.
        who_asked: As somebody vouches for it; the search attribute, which anybody can set, is to search by alone.
        people: Those of the policy in force.
    """

    def __init__(self, client: Client, *, who_asked: WhoAsked, people: Callable[[], People]) -> None:
        self._client = client
        self._who_asked = who_asked
        self._people = people
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._histories = HistorySteps(Server(client, cluster=""))
        self._asked = AskedFor(client)

    async def found(self, wanted: GoalFilter, page: str | None = None) -> Listed[GoalRow]:
        """Those that are looked for: the ones under way first, then those that ended last.

        Raises:
            Unavailable: The server does not answer, or there is no such page.
        """
        if wanted.text:
            some, more = await self._with_text(wanted, page)
            total = None
        else:
            some, total, more = await fetch_page(self._client, wanted.query(), page)
        queued = await self._not_begun(wanted) if page is None else ()
        until = soon()
        rows = await asyncio.gather(*(self._row(one, until=until, job=wanted.jobs) for one in (*queued, *some)))
        return Listed(rows=rows, total=total + len(queued) if total is not None else None, next=more)

    async def show(self, goal_id: str, run_id: str | None = None) -> ShownGoal | None:
        """One of them, its newest run where none is named; None where there is none.

        Raises:
            Unavailable: The server does not answer.
        """
        found = await self._found(goal_id, run_id)
        if found is None:
            return None
        runs = found.status is WorkflowExecutionStatus.RUNNING
        status = await self._status(found) if found.status is not WorkflowExecutionStatus.COMPLETED else None
        log, told = await self._log(found), await self._told(found)
        return ShownGoal(
            row=await self._row(found, until=soon()),
            summary=await _summary(found),
            step=status.step if status and runs else None,
            waiting_for=status.waiting_for if status and runs else None,
            approvals=await self._approvals(found),
            timeline=timeline(status or told.steps, until=found.close_time),
            begun=await self._begun(found),
            log=log[-_LOGGED:] if log is not None else None,
            earlier=max(0, len(log) - _LOGGED) if log is not None else 0,
            asked=await self._asked.of(found),
            used=told.used,
            kept=told.kept,
        )

    async def kept(self, goal_id: str, run_id: str | None = None) -> Sequence[KeptArtifact]:
        """What the result of one of them leaves to take; nothing where there is none.

        Raises:
            Unavailable: The server does not answer.
        """
        found = await self._found(goal_id, run_id)
        return (await self._told(found)).kept if found is not None else ()

    async def log(self, goal_id: str, run_id: str | None = None) -> Sequence[StepTold] | None:
        """Every step of one of them, the first one first; None where there is none.

        Raises:
            Unavailable: The server does not answer, or not in time.
        """
        found = await self._found(goal_id, run_id)
        if found is None:
            return None
        try:
            async with asyncio.timeout(_WHOLE_LOG_S):
                return await self._histories.told(found, pages=WHOLE)
        except UNKNOWN as error:
            raise Unavailable("The log cannot be read now; take it again in a moment.") from error

    async def _found(self, goal_id: str, run_id: str | None) -> WorkflowExecutionDescription | None:
        """A run of a goal or a job; None where it is none, or there is none."""
        try:
            found = await self._client.get_workflow_handle(goal_id, run_id=run_id).describe(rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status in NOT_THERE:
                return None
            raise unavailable(error) from error
        known = find_goal(found.workflow_type) is not None or found.workflow_type == GITHUB_JOB.name
        return found if known else None

    async def _not_begun(self, wanted: GoalFilter) -> Sequence[WorkflowExecution]:
        """Jobs that were asked for, and whose goal has not begun."""
        query = wanted.not_begun_query()
        if query is None:
            return ()
        jobs, _ = await fetch_some(self._client, query, None, size=_LOOK)
        if not jobs:
            return ()
        goals = ", ".join(quoted(f"{one.id}/goal") for one in jobs)
        begun, _ = await fetch_some(self._client, f"WorkflowId IN ({goals})", None, size=_LOOK)
        people, runs = self._people(), {one.parent_run_id for one in begun}
        return [one for one in jobs if one.run_id not in runs and _has_text(wanted, one, people)]

    async def _with_text(self, wanted: GoalFilter, page: str | None) -> tuple[Sequence[WorkflowExecution], str | None]:
        """A page of those that have the text, or fewer, of as many as are looked through at once."""
        people, some, more = self._people(), list[WorkflowExecution](), page
        for _ in range(_LOOKS):
            looked, more = await fetch_some(self._client, wanted.query(), more, size=_LOOK)
            for one in looked:
                if _has_text(wanted, one, people):
                    some.append(one)
            if more is None or len(some) >= PAGE:
                break
        return some, more

    async def _row(self, found: WorkflowExecution, *, until: float, job: bool = False) -> GoalRow:
        runs = found.status is WorkflowExecutionStatus.RUNNING
        said_nothing = found.typed_search_attributes.get(STATE_ATTRIBUTE) is None
        queued = job and runs and (said_nothing or found.workflow_type == GITHUB_JOB.name)
        async with self._at_once:
            return GoalRow(
                id=found.id,
                run_id=found.run_id,
                name=found.workflow_type,
                state=QUEUED if queued else standing_of(found),
                started_at=found.start_time,
                closed_at=found.close_time,
                repository=found.typed_search_attributes.get(REPOSITORY_ATTRIBUTE),
                requester=await self._requester(found, until=until),
                told=await how_it_ended(self._client, found, until=until),
                trigger=found.typed_search_attributes.get(TRIGGER_ATTRIBUTE),
            )

    async def _requester(self, found: WorkflowExecution, *, until: float) -> str | None:
        try:
            async with asyncio.timeout_at(until):
                who = await self._who_asked(found.id, found.run_id)
        except (*UNKNOWN, ConnectorError):
            return None
        return who if who != UNVERIFIED else None

    async def _status(self, found: WorkflowExecution) -> StatusWithSteps | None:
        """Also of one that failed: it has no result that could tell of its steps."""
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        try:
            async with asyncio.timeout_at(soon()):
                return await handle.query("status", result_type=StatusWithSteps, rpc_timeout=PATIENCE)
        except UNKNOWN:
            return None

    async def _told(self, found: WorkflowExecution) -> Told:
        """By the result of one that has one."""
        if found.status is not WorkflowExecutionStatus.COMPLETED:
            return Told()
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id, result_type=dict[str, Any])
        try:
            async with asyncio.timeout_at(soon()):
                return told_by(found.workflow_type, await handle.result(follow_runs=False, rpc_timeout=PATIENCE))
        except (WorkflowFailureError, *UNKNOWN):
            return Told()

    async def _log(self, found: WorkflowExecutionDescription) -> Sequence[StepTold] | None:
        """Its steps by the server's own record, which is there also where no worker answers."""
        try:
            async with asyncio.timeout_at(soon()):
                return await self._histories.told(found)
        except UNKNOWN:
            return None

    async def _approvals(self, found: WorkflowExecution) -> Sequence[AskedApproval]:
        asked = f"WorkflowType = {quoted(APPROVAL_WORKFLOW)}"
        if found.workflow_type in PLANS:
            some = await self._below(found, asked)
            own = [one for one in some if one.parent_id and f"{one.parent_id}/".startswith(f"{found.id}/")]
        else:
            some = await self._since(found, f"{asked} AND ParentWorkflowId = {quoted(found.id)}", size=PAGE)
            own = [one for one in some if one.parent_run_id in {None, found.run_id}]
        return [AskedApproval(id=one.id, state=standing_of(one), opened_at=one.start_time) for one in own]

    async def _begun(self, found: WorkflowExecution) -> Sequence[BegunGoal]:
        """The goals that a plan started, however deep; nothing where it is no plan."""
        if found.workflow_type not in PLANS:
            return ()
        some = await self._below(found, f"WorkflowType IN ({', '.join(quoted(goal.name) for goal in GOALS)})")
        own = (one for one in reversed(some) if one.id.startswith(f"{found.id}/"))
        return [BegunGoal(id=one.id, run_id=one.run_id, name=one.workflow_type, state=standing_of(one)) for one in own]

    async def _below(self, found: WorkflowExecution, query: str) -> Sequence[WorkflowExecution]:
        """What this run of a plan, or what it is a part of, started: by the server's word, for ids can be chosen."""
        root, run = found.root_id or found.id, found.root_run_id or found.run_id
        some = await self._since(found, f"{query} AND RootWorkflowId = {quoted(root)}", size=_OF_A_PLAN)
        return [one for one in some if one.root_run_id == run and one.id != found.id]

    async def _since(self, found: WorkflowExecution, query: str, *, size: int) -> Sequence[WorkflowExecution]:
        since = f"StartTime >= {quoted(found.start_time.isoformat())}"
        some, _ = await fetch_some(self._client, f"{query} AND {since}", None, size=size)
        return some


def _has_text(wanted: GoalFilter, one: WorkflowExecution, people: People) -> bool:
    attributes = one.typed_search_attributes
    asked = attributes.get(REQUESTER_ATTRIBUTE)
    person = people.person(asked) if asked else None
    return wanted.matches(one.id, attributes.get(REPOSITORY_ATTRIBUTE), asked, person)


async def _summary(found: WorkflowExecutionDescription) -> str:
    try:
        return await found.static_summary() or ""
    except UNKNOWN:  # encrypted by a key that is gone
        return ""


async def how_it_ended(client: Client, found: WorkflowExecution, *, until: float) -> str:
    """What a goal says of its end; empty where it runs, has nothing to say, or nobody can read it by then."""
    if found.status is WorkflowExecutionStatus.RUNNING:
        return ""
    handle = client.get_workflow_handle(found.id, run_id=found.run_id, result_type=GoalResult)
    try:
        async with asyncio.timeout_at(until):
            return (await handle.result(follow_runs=False, rpc_timeout=PATIENCE)).reason or ""
    except WorkflowFailureError as error:
        return error.cause.message if isinstance(error.cause, FailureError) else ""
    except UNKNOWN:
        return ""
