"""What a goal waits for, for whoever watches it: which people, which outage, or a queue that nobody serves.

Said when it changes, and again now and then; on a terminal and in a log alike.
"""

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from rich.markup import escape
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.served_queues import is_served
from deploy.local.state import PartState, StackState
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import Verdict
from hitl.approval.plan import visible
from workers.commands.exits import err, shown
from workers.commands.folder import running_stack
from workers.settings import Settings
from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalView
from workflows.contracts import STATE_ATTRIBUTE, GoalStatus, State
from workflows.goal_type import GoalType

_AGAIN: Final = 900.0
"""Seconds until the same is said once more."""
_PATIENCE: Final = timedelta(seconds=10)
_UNSERVED_AFTER: Final = timedelta(seconds=4)
_TRIED_OFTEN: Final = 3

Key = tuple[str, ...]


class Waits:
    """Tells what one goal waits for.

    Args:
        client: Of Temporal.
        settings: Of this command.
        goal: The goal's workflow id.
    """

    def __init__(self, client: Client, settings: Settings, goal: str) -> None:
        self._client = client
        self._settings = settings
        self._goal = goal
        self._said: Key = ()
        self._said_at = 0.0

    async def tell(self, described: WorkflowExecutionDescription) -> None:
        """Say what it waits for, if it waits and that was not said a while ago."""
        key = await self._key(described)
        if not key:
            self._said = ()
            return
        if key == self._said and time.monotonic() - self._said_at < _AGAIN:
            return
        self._said, self._said_at = key, time.monotonic()
        for line in await self._lines(key):
            err.print(line, soft_wrap=True)

    async def _key(self, described: WorkflowExecutionDescription) -> Key:
        """What it waits for in a few words, cheaply: this is asked at every look."""
        state = described.typed_search_attributes.get(STATE_ATTRIBUTE)
        raw = described.raw_description
        if state == State.PARKED:
            return ("parked",)
        asked = [one.workflow_id for one in raw.pending_children if one.workflow_type_name == APPROVAL_WORKFLOW]
        if state == State.WAITING:
            return ("people", *asked[:1])
        for step in raw.pending_activities:
            if await self._unserved(step):
                return ("queue", step.activity_options.task_queue.name)
            if step.attempt >= _TRIED_OFTEN:
                return ("retried", step.activity_type.name, step.last_failure.message)
        return ()

    async def _unserved(self, step: PendingActivityInfo) -> bool:
        if step.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED or step.attempt > 1:
            return False
        if datetime.now(UTC) - step.scheduled_time.ToDatetime(tzinfo=UTC) < _UNSERVED_AFTER:
            return False
        return not await is_served(self._client, step.activity_options.task_queue.name)

    async def _lines(self, key: Key) -> list[str]:
        """Rich text; what others wrote is escaped."""
        match key:
            case ("parked",):
                return list(self._parked(await self._status()))
            case ("people", approval):
                return await self._people(approval)
            case ("queue", queue):
                return [f"[yellow]waits:[/] nobody serves the queue {_safe(queue)}: {_told(why_unserved(queue))}"]
            case ("retried", step, problem):
                return [f"[yellow]tries again:[/] {_safe(step)}: {_told(problem or 'no answer')}"]
            case _:
                return [f"[yellow]waits:[/] {_told((await self._status()) or 'for people')}"]

    async def _status(self) -> str:
        handle = self._client.get_workflow_handle(self._goal)
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            status = await handle.query("status", result_type=GoalStatus, rpc_timeout=_PATIENCE)
            return status.waiting_for or ""
        return ""

    def _parked(self, why: str) -> Iterator[str]:
        yield f"[yellow]parked:[/] {_told(why or 'a step used up its retries')}"
        yield from _labelled(
            {
                "mend it": f"then  banksman resume {shlex.quote(shown(self._goal))}",
                "or end it": cancel_line(self._settings, self._goal),
            }
        )

    async def _people(self, approval: str) -> list[str]:
        try:
            handle = self._client.get_workflow_handle(approval)
            view = await handle.query("view", result_type=ApprovalView, rpc_timeout=_PATIENCE)
        except (RPCError, WorkflowQueryFailedError):
            return [f"[yellow]waits:[/] for people to approve {_safe(approval)}; `banksman approvals` tells more"]
        stack = running_stack()
        links = {"decide": console_link(self._settings, approval)}
        if stack is not None and "slack" in stack.twins:
            links["or in Slack"] = stack.twins["slack"].url
        links |= {"read it": f"banksman approvals show {shlex.quote(shown(approval))}", "all": "banksman approvals"}
        return [f"[yellow]waits:[/] {_told(whom(view, stack))}", *_labelled(links)]


def whom(view: ApprovalView, stack: StackState | None) -> str:
    """Who has to say yes, in one line: so many, of which groups, and who is in them where the policy is at hand."""
    yes = sum(one.verdict is Verdict.APPROVE for one in view.decisions)
    groups = [*view.groups, *([view.escalated_to] if view.escalated_to else [])]
    members = _members(stack)
    named = " or ".join(
        f"{group} ({', '.join(sorted(members[group]))})" if group in members else group for group in groups
    )
    emergency = "BREAK GLASS: " if view.path is ApprovalPath.BREAK_GLASS else ""
    more = f"{view.needs - yes} more" if yes else str(view.needs)
    return f"{emergency}for {more} of {named} to approve {view.action}, until {view.expires_at:%Y-%m-%d %H:%M} UTC"


def _members(stack: StackState | None) -> Mapping[str, frozenset[str]]:
    from hitl.policy.file import PolicyError, load_policy  # noqa: PLC0415 - where people are waited for, and no sooner

    if stack is None:
        return {}
    try:
        return load_policy(Path(stack.policy)).people.groups
    except PolicyError:
        return {}


def _labelled(links: Mapping[str, str | None]) -> Iterator[str]:
    for label, text in links.items():
        if text:
            yield f"  [dim]{label:<11}[/] {escape(text)}"


def console_link(settings: Settings, approval: str) -> str | None:
    """The page on which it is decided, where there is a console."""
    if settings.console_url is None:
        return None
    return f"{settings.console_url.rstrip('/')}/approval?{urlencode({'id': approval})}"


def cancel_line(settings: Settings, goal: str) -> str:
    """The command that cancels a goal."""
    where = f"--address {shlex.quote(settings.temporal_address)} --namespace {shlex.quote(settings.temporal_namespace)}"
    return f"temporal workflow cancel {where} --workflow-id {shlex.quote(shown(goal))}"


def why_unserved(queue: str) -> str:
    """The reason, as far as it is known here."""
    stack = running_stack()
    part = stack.parts.get("sandbox") if stack is not None and queue == TaskQueue.SANDBOX else None
    if part is not None and part.state is not PartState.READY:
        return part.why
    role = queue.removeprefix("banksman-")
    return f"no {'gateway' if queue == TaskQueue.HITL else role} worker runs; `banksman status` tells how each part is"


def sure_to_wait(goal: GoalType, stack: StackState | None) -> str | None:
    """Why a goal that was just started cannot go on yet, where the running environment knows that it cannot."""
    part = stack.parts.get(goal.needs) if stack is not None and goal.needs is not None else None
    if part is None or part.state is PartState.READY:
        return None
    what = "no sandbox" if goal.needs == "sandbox" else "not all that goals on Pulumi stacks need"
    return f"there is {what} {'here' if part.state is PartState.MISSING else 'yet'}: {part.why}"


def _safe(name: str) -> str:
    """Somebody else's name for a terminal: neither its control characters nor its markup is obeyed."""
    return _told(visible(name))


def _told(text: str) -> str:
    """The same for a sentence, in which names were made visible before."""
    return escape(shown(text))
