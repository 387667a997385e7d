"""Starting a goal, watching it live, and saying how it ended."""

import asyncio
import contextlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from opentelemetry import trace
from pydantic import TypeAdapter
from rich.markup import escape
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from deploy.local.state import StackState
from hitl.hidden import visible
from workers.commands.answering import answering
from workers.commands.exits import Exit, err, out, shown
from workers.commands.waiting import Waits, cancel_line
from workers.settings import Settings
from workflows.contracts import GoalInput, GoalStatus
from workflows.goal_type import GoalType
from workflows.trace_link import with_traces

_POLL: Final = 0.4
_LONGEST_POLL: Final = 4.0
_SLOWER: Final = 1.1
_NO_WORKER_AFTER = timedelta(seconds=4)
_PATIENCE: Final = timedelta(seconds=2)
Tell = Callable[[Mapping[str, Any]], None]
"""Prints a result for people."""
_JSON: TypeAdapter[Mapping[str, Any]] = TypeAdapter(Mapping[str, Any])

_EXITS: Final[Mapping[str, Exit]] = {
    "completed": Exit.COMPLETED,
    "refused": Exit.INCOMPLETE,
    "partially_applied": Exit.INCOMPLETE,
    "unknown": Exit.INCOMPLETE,
}
"""Every other outcome is a denial, by the guard or by people."""


@dataclass(frozen=True, kw_only=True)
class Started:
    """A goal that was asked for."""

    handle: WorkflowHandle[Any, Any]
    workflow_id: str
    run_id: str
    link: str
    existing: bool
    trace_id: str | None

    def as_json(self) -> dict[str, object]:
        """What a script wants to know of it."""
        return {"workflow_id": self.workflow_id, "run_id": self.run_id, "link": self.link, "trace_id": self.trace_id}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a goal ended: with a result, or with an error of the table."""

    exit: Exit
    result: Mapping[str, Any] | None = None
    error_type: str | None = None
    error: str | None = None


async def start(
    client: Client, goal: GoalType, request: GoalInput, *, workflow_id: str | None, settings: Settings
) -> Started:
    """Start the goal under its business key, or find the one that runs under it."""
    wanted = workflow_id or request.business_key()
    attributes = [SearchAttributePair(key, value) for key, value in request.search_attributes().items()]
    tracer = trace.get_tracer("banksman")
    asked = datetime.now(UTC)
    with tracer.start_as_current_span(f"run {goal.name}") as span:
        handle = await client.start_workflow(
            goal.name,
            request,
            id=wanted,
            task_queue=TaskQueue.GOALS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=visible(request.summary()),
            static_details=with_traces(goal.description, wanted, settings.console_traces),
            search_attributes=TypedSearchAttributes(attributes),
        )
        context = span.get_span_context()
    described = await handle.describe()
    run_id = handle.first_execution_run_id or described.run_id
    page = f"{settings.temporal_ui}/namespaces/{client.namespace}/workflows"
    return Started(
        handle=client.get_workflow_handle(wanted, run_id=run_id),
        workflow_id=wanted,
        run_id=run_id,
        link=f"{page}/{quote(wanted, safe='')}/{run_id}/history",
        existing=described.start_time < asked - timedelta(seconds=2),
        trace_id=format(context.trace_id, "032x") if context.is_valid else None,
    )


async def follow(started: Started, waits: Waits, *, quiet: bool) -> Ended:
    """Wait for the end, and say what it waits for; unless quiet, show where it stands."""
    waiting = asyncio.ensure_future(started.handle.result())
    look = _POLL
    with contextlib.ExitStack() as stack:
        status = None if quiet else stack.enter_context(err.status("starting"))
        while not waiting.done():
            with contextlib.suppress(RPCError):
                described = await started.handle.describe()
                if status is not None:
                    status.update(escape(shown(await now(started.handle, described))))
                await waits.tell(described)
            await asyncio.wait({waiting}, timeout=look)
            look = min(look * _SLOWER, _LONGEST_POLL)
    try:
        result = _JSON.validate_python(await waiting)
    except WorkflowFailureError as failure:
        return _failed(failure)
    # A result that says nothing of an outcome is of a workflow that is no goal, and completed.
    return Ended(exit=exit_of(result), result=result)


def goes_on(started: Started, settings: Settings) -> None:
    """Say, where somebody stopped watching, that the goal has not ended with it."""
    err.print(f"\n{escape(shown(started.workflow_id))} goes on without this command, which only watched it.")
    told = {
        "look": started.link,
        "watch": "the same command again",
        "end it": cancel_line(settings, started.workflow_id),
    }
    for label, text in told.items():
        err.print(f"  [dim]{label:<9}[/] {escape(text)}", soft_wrap=True)


def exit_of(result: Mapping[str, Any]) -> Exit:
    """The exit code of a goal that came to this result."""
    return _EXITS.get(str(result.get("outcome", "completed")), Exit.DENIED)


async def now(handle: WorkflowHandle[Any, Any], described: WorkflowExecutionDescription) -> str:
    """One line: the step under way in the goal's own words, and what it last met."""
    raw = described.raw_description
    pending = raw.pending_activities
    if pending:
        step = pending[0]
        line = await _in_words(handle) or step.activity_type.name
        said = await answering(described)
        line += f": {said.line(datetime.now(UTC))}" if said is not None else lasted(step, datetime.now(UTC))
        if step.attempt > 1:
            line += f", attempt {step.attempt}: {step.last_failure.message or 'no answer'}"
        return line
    task = raw.pending_workflow_task
    if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
        since = datetime.now(UTC) - task.scheduled_time.ToDatetime(tzinfo=UTC)
        if since > _NO_WORKER_AFTER:
            return "no goals worker has taken it yet; `banksman status` tells whether one runs"
    return "running"


def lasted(step: PendingActivityInfo, at: datetime) -> str:
    """How long a worker has been at it, in whole minutes; empty before the first, and where none is."""
    if step.state != PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
        return ""
    minutes = (at - step.last_started_time.ToDatetime(tzinfo=UTC)) // timedelta(minutes=1)
    return f", for {minutes} min" if minutes > 0 else ""


async def _in_words(handle: WorkflowHandle[Any, Any]) -> str | None:
    """What a goal says that it does now; None where it cannot be asked, or is no goal."""
    with contextlib.suppress(RPCError, WorkflowQueryFailedError):
        return (await handle.query("status", result_type=GoalStatus, rpc_timeout=_PATIENCE)).step
    return None


def _failed(failure: WorkflowFailureError) -> Ended:
    cause = failure.cause
    if isinstance(cause, CancelledError | TerminatedError):
        return Ended(exit=Exit.CANCELLED, error_type=type(cause).__name__, error=str(cause) or "cancelled")
    if isinstance(cause, ApplicationError):
        return Ended(exit=Exit.FAILED, error_type=cause.type, error=cause.message)
    return Ended(exit=Exit.FAILED, error_type=type(cause).__name__, error=str(cause))


def report(
    started: Started, ended: Ended, *, stack: StackState | None, as_json: bool, tell: Tell | None = None
) -> Exit:
    """Say how it ended: the result on stdout, where to look on stderr."""
    if as_json:
        body = {**started.as_json(), "outcome": ended.exit.name.lower(), "result": ended.result}
        body |= {"error_type": ended.error_type, "error": ended.error}
        out.print_json(json.dumps(body))
        return ended.exit
    if ended.error is not None:
        err.print(f"[bold red]{ended.error_type}:[/] {escape(shown(ended.error))}", soft_wrap=True)
    elif ended.result is not None and ended.exit is Exit.COMPLETED and tell is not None:
        tell(ended.result)
    elif ended.result is not None:
        _print_result(ended.result)
    for label, text in _where_to_look(started, ended, stack):
        err.print(f"[dim]{label:<9}[/] {text}", soft_wrap=True)
    return ended.exit


def _print_result(result: Mapping[str, Any]) -> None:
    content = result.get("content")
    if isinstance(content, str) and result.get("encoding") == "utf-8":
        # A pipe gets the text as it is; a terminal must not obey what somebody wrote into a file.
        ended = content if content.endswith("\n") else content + "\n"
        out.file.write(shown(ended) if out.is_terminal else ended)
    elif (outcome := result.get("outcome", "completed")) != "completed":
        words = escape(shown(str(outcome).replace("_", " ")))
        err.print(f"[bold yellow]{words}:[/] {escape(shown(str(result.get('reason'))))}", soft_wrap=True)
        if outcome in _EXITS:  # what was done and what not is in it
            out.print_json(json.dumps(dict(result)))
    else:
        out.print_json(json.dumps(dict(result)))
        if isinstance(reason := result.get("reason"), str):
            err.print(f"[bold yellow]but:[/] {escape(shown(reason))}", soft_wrap=True)


def _where_to_look(started: Started, ended: Ended, stack: StackState | None) -> Iterator[tuple[str, str]]:
    """A label and a text per line; never wrapped, so that an address can be clicked or copied."""
    colour = "green" if ended.exit is Exit.COMPLETED else "yellow" if ended.exit is Exit.DENIED else "red"
    yield "outcome", f"[bold {colour}]{ended.exit.name.lower()}[/]"
    for name in ("commit", "size", "artifact"):
        if ended.result and ended.result.get(name) is not None:
            yield name, escape(str(ended.result[name]))
    yield "workflow", escape(started.link)
    if stack is None:
        return
    if started.trace_id is not None and not started.existing:
        yield "trace", f"{stack.traces.url}/trace/{started.trace_id}"
    yield "log", f"grep {started.run_id} {escape(shlex.quote(stack.logs))}/*.log"
    for worker in stack.workers.values():
        yield "metrics", worker.metrics
