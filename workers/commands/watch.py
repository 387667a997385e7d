"""`banksman watch`: a live table of the goals, approvals and leases that are under way.

It reads Temporal alone, and changes nothing. Where it writes to no terminal it prints the table once.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from activities.leases.views import LeaseState, LeaseView
from activities.models.answering import Answering
from hitl.approval.decision import Verdict
from hitl.hidden import visible
from workers.commands.answering import answering
from workers.commands.approvals import Inbox
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import fail, out
from workers.commands.leases import read_leases
from workflows.approval.contracts import ApprovalView
from workflows.catalogue import GOALS
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.standing import standing_of

_MOST: Final = 20
"""Rows of each table; more are counted."""
_RUNNING: Final = f"WorkflowType IN ({', '.join(repr(goal.name) for goal in GOALS)}) AND ExecutionStatus = 'Running'"
_STYLES: Final[Mapping[str, str]] = {State.WAITING: "yellow", State.PARKED: "red", State.RUNNING: "green"}
_DAY: Final = 24 * 60
_HOUR: Final = 60


def watch(
    *,
    every: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
) -> None:
    """Watch the goals, approvals and leases that are under way."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(every, once=once or not out.is_terminal))


async def _watch(every: float, *, once: bool) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        first = await _look(client)
        if once:
            out.print(first)
            return
        with Live(first, console=out, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(every)
                live.update(await _look(client), refresh=True)
    except RPCError as error:
        fail(f"Temporal does not answer: {error.message}")
    finally:
        telemetry.shutdown()


async def _look(client: Client) -> RenderableType:
    inbox = Inbox(client)
    goals, running, approvals, waiting, leases = await asyncio.gather(
        _goals(client), client.count_workflows(_RUNNING), inbox.read(most=_MOST), inbox.waiting(), read_leases(client)
    )
    now, told = datetime.now(UTC), await asyncio.gather(*(_answering(client, one) for one in goals))
    return Group(
        _titled(
            f"Goals under way at {now:%H:%M:%S} UTC",
            _goal_table(goals, told, now),
            running.count,
        ),
        _titled("Approvals that wait for a person", _approval_table([one for one, _ in approvals], now), waiting),
        _titled("Leases", _lease_table(leases[:_MOST], now), len(leases)),
    )


async def _goals(client: Client) -> list[WorkflowExecution]:
    """What needs a person first, then what began last. Only so many are asked for, however many there are."""
    state = STATE_ATTRIBUTE.name
    running = f"({state} = '{State.RUNNING}' OR {state} IS NULL)"  # before its first task it says nothing
    parts = (f"{state} = '{State.PARKED}'", f"{state} = '{State.WAITING}'", running)
    found: list[WorkflowExecution] = []
    for part in parts:
        if left := _MOST - len(found):
            found += [one async for one in client.list_workflows(f"{_RUNNING} AND {part}", limit=left)]
    return found


async def _answering(client: Client, goal: WorkflowExecution) -> Answering | None:
    """How far the model is that a goal waits for, while it runs."""
    if standing_of(goal) != State.RUNNING:
        return None
    with contextlib.suppress(RPCError):  # it may just have ended
        return await answering(await client.get_workflow_handle(goal.id, run_id=goal.run_id).describe())
    return None


def _goal_table(goals: list[WorkflowExecution], told: list[Answering | None], now: datetime) -> Table:
    table = _table()
    for one, said in zip(goals, told, strict=True):
        state = standing_of(one)
        name = f"{one.id}\n{said.line(now)}" if said is not None else one.id
        style = _STYLES.get(state, "")
        table.add_row(_text(state, style), _text(one.workflow_type), _lines(name), _age(now - one.start_time))
    return table


def _lines(text: str) -> Text:
    return Text("\n").join(_text(one) for one in text.split("\n"))


def _approval_table(approvals: list[ApprovalView], now: datetime) -> Table:
    table = _table()
    for one in approvals:
        yes = sum(decision.verdict is Verdict.APPROVE for decision in one.decisions)
        told = (_text(f"{yes} of {one.needs}", "yellow"), _text(one.action), _text(one.goal))
        table.add_row(*told, f"{_age(one.expires_at - now)} left")
    return table


def _lease_table(leases: list[LeaseView], now: datetime) -> Table:
    table = _table()
    for one in leases:
        left = one.lease.ends_at - now
        time = f"{_age(left)} left" if left > timedelta() else f"{_age(-left)} over"
        style = "red" if one.state is LeaseState.STUCK else ""
        table.add_row(_text(one.state, style), _text(one.lease.title), _text(one.lease.leased.name), time)
    return table


def _titled(title: str, table: Table, total: int) -> RenderableType:
    more = [Text(f"{total - table.row_count} more", style="dim")] if total > table.row_count else []
    rows = [table, *more] if table.row_count else [Text("none", style="dim")]
    return Group(Text(f"{title}: {total}", style="bold"), Padding(Group(*rows), (0, 0, 1, 2)))


def _table() -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True, justify="right")
    return table


def _text(text: str, style: str = "") -> Text:
    """Somebody else's text: neither its control characters nor its markup is obeyed."""
    return Text(visible(text), style=style)


def _age(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    if minutes >= _DAY:
        return f"{minutes // _DAY} d {minutes % _DAY // _HOUR} h"
    if minutes >= _HOUR:
        return f"{minutes // _HOUR} h {minutes % _HOUR} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
