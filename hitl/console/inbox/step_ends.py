"""How approved steps ended, approval by approval: what the goal said of each, in the notice that it left for it.

A goal may ask more than once, and what became of the goal says nothing of its earlier approvals. Whose child a notice
is, the server says; so only the run that waited for an approval speaks of it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from temporalio.client import Client, WorkflowExecution
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.step_end import Way, headline
from hitl.console.goals.filter import quoted
from hitl.console.ports import ApprovalRow
from hitl.console.server_lists import PATIENCE, fetch_some
from workflows.approval.contracts import ENDED, NOTICE_WORKFLOW, UpdateApproval
from workflows.contracts import STATE_ATTRIBUTE, State

_MOST: Final = 300
"""Notices of one page's runs. Each approval has two, and a run asks for a few."""
_WITHOUT_A_WORD: Final = frozenset({State.RUNNING.value, State.PARKED.value, "terminated", "timed_out"})
"""How a goal stands that has not said, or could not say, how the step ended."""


async def notices_of(client: Client, runs: Sequence[str]) -> Sequence[WorkflowExecution]:
    """What these runs have left to be told, newest first.

    Raises:
        Unavailable: The server does not answer.
    """
    if not runs:
        return ()
    query = f"WorkflowType = {quoted(NOTICE_WORKFLOW)} AND ParentRunId IN ({', '.join(map(quoted, runs))})"
    found, _ = await fetch_some(client, query, None, size=_MOST)
    return found


def was_let_go_on(row: ApprovalRow) -> bool:
    """Whether there is a step that people said yes to."""
    return row.state == State.APPROVED and row.goal_run_id is not None


def notice_about(row: ApprovalRow, notices: Sequence[WorkflowExecution]) -> WorkflowExecution | None:
    """The one that tells how its step ended; None where none of them does."""
    by = (row.goal, row.goal_run_id)
    return next(
        (
            one
            for one in notices
            if one.id.startswith(f"{row.id}/{ENDED}/") and (one.parent_id, one.parent_run_id) == by
        ),
        None,
    )


def became(row: ApprovalRow, notices: Sequence[WorkflowExecution], goals: Mapping[str, str]) -> str | None:
    """What became of the step, in one word; None where nobody can say.

    Args:
        row: The approval.
        notices: Of its goal, and others.
        goals: How each goal's run stands.
    """
    if not was_let_go_on(row):
        return None
    if (notice := notice_about(row, notices)) is not None:
        way = notice.typed_search_attributes.get(STATE_ATTRIBUTE)
        return way if way in get_args(Way) else None
    standing = goals.get(row.goal_run_id or "")
    return standing if standing in _WITHOUT_A_WORD else None


async def words_of(client: Client, notice: WorkflowExecution) -> str:
    """What it tells beside the one word; empty where that is all, or nobody can read it."""
    handle = client.get_workflow_handle(notice.id, run_id=notice.run_id)
    try:
        async for event in handle.fetch_history_events(page_size=1, rpc_timeout=PATIENCE):
            given = event.workflow_execution_started_event_attributes.input.payloads
            [said] = await client.data_converter.decode(given, [UpdateApproval])
            return _words(said) if isinstance(said, UpdateApproval) else ""
    except (RPCError, ApplicationError, RuntimeError, ValueError):
        return ""
    return ""


def _words(said: UpdateApproval) -> str:
    told = said.ended.removeprefix(headline(said.end)).lstrip(":;. ") if said.end else said.ended
    return " ".join(one for one in (told, said.open_next_step()) if one)
