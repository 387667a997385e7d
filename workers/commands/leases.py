"""`banksman leases`: what is leased, until when and for whom; extend it, end it, and hold it against what is there.

The list is read from Temporal alone, so that it is there also while no worker is.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NoReturn

import typer
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError
from rich.markup import escape
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.leases.contracts import LEASE_WORKFLOW
from activities.leases.kinds import command_for
from activities.leases.views import LeaseState, LeaseView, view_of
from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out, shown
from workflows.leases.contracts import EndLease, ExtendLease, HandOverLease
from workflows.leases.goals import Strangers

_ALL: Final = f"WorkflowType = '{LEASE_WORKFLOW}'"
_RUNNING: Final = f"{_ALL} AND ExecutionStatus = 'Running'"
_PATIENCE: Final = timedelta(seconds=15)
_SETTLES_WITHIN: Final = 30.0
_LOOK_EVERY: Final = 0.5
_MOMENT: Final = TypeAdapter(AwareDatetime)
_MARKS: Final = {
    LeaseState.HELD: "[green]held[/]",
    LeaseState.ENDING: "[yellow]ending[/]",
    LeaseState.STUCK: "[bold red]cannot be ended[/]",
    LeaseState.ENDED: "[dim]ended[/]",
    LeaseState.LOST: "[red]lost[/]",
}

leases = typer.Typer(help="List what is leased, until when, and for whom; extend or end it.")

_Id = Annotated[str, typer.Argument(metavar="ID", help="The lease's workflow id, as the list tells it.")]
_Note = Annotated[str, typer.Option(help="Why, for the record.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@leases.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that have ended, for as long as Temporal keeps them.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """List what is leased, until when, and for whom; extend or end it."""
    if context.invoked_subcommand is None:
        asyncio.run(_asked(lambda client: _list(client, everything=everything, as_json=as_json)))


@leases.command("show")
def show(lease: _Id, *, as_json: _Json = False) -> None:
    """Show one lease: what it holds, for whom, and how a person ends it where we cannot."""
    asyncio.run(_asked(lambda client: _show(client, lease, as_json=as_json)))


@leases.command("extend")
def extend(
    lease: _Id,
    *,
    hours: Annotated[float | None, typer.Option(min=0.01, help="So many hours more than now agreed.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="Until then, as in 2026-12-01T18:00:00Z; may be sooner.")
    ] = None,
    note: _Note = "",
    as_json: _Json = False,
) -> None:
    """Let it live longer, as far as its kind and the budget let it."""
    if (hours is None) == (until is None):
        fail("say either --hours or --until", Exit.USAGE)
    asyncio.run(_asked(lambda client: _extend(client, lease, hours=hours, until=until, note=note, as_json=as_json)))


@leases.command("end")
def end(
    lease: _Id,
    *,
    note: _Note = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until its provider says that it is gone.")] = False,
    as_json: _Json = False,
) -> None:
    """End it now; where that is under way already, try again at once."""
    asyncio.run(_asked(lambda client: _end(client, lease, note=note, wait=wait, as_json=as_json)))


@leases.command("hand-over")
def hand_over(
    lease: _Id,
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="GOAL", help="The workflow id of a goal that runs; else it lives until its end."),
    ] = None,
    note: _Note = "",
    as_json: _Json = False,
) -> None:
    """Let it end with another goal than the one that took it, or with its own time alone."""
    asyncio.run(_asked(lambda client: _hand_over(client, lease, to=to, note=note, as_json=as_json)))


@leases.command("reconcile")
def reconcile(
    *,
    kind: Annotated[list[str] | None, typer.Option(help="A kind of leases; may be given several times.")] = None,
    strangers: Annotated[
        Strangers,
        typer.Option(help="What has a mark and never had a lease here: report it, adopt it for some hours, or end it."),
    ] = "report",
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long what is adopted may live.")] = 4,
    as_json: _Json = False,
) -> None:
    """Compare the leases with what providers list by our mark, and end what outlived its lease: a goal."""
    wanted = {"kinds": kind or [], "strangers": strangers, "hours": hours}
    from workers.commands.goals import run  # noqa: PLC0415 - goals are loaded for this part alone

    run("ReconcileLeases", json.dumps(wanted), wait=True, as_json=as_json)


async def read_leases(client: Client, *, everything: bool = False) -> list[LeaseView]:
    """Each lease; what needs a person comes first, then what ends first.

    Raises:
        RPCError: Temporal does not answer.
    """
    found: dict[str, LeaseView] = {}
    async for one in client.list_workflows(_ALL if everything else _RUNNING):
        view = await view_of(one)
        if view is not None and one.id not in found:  # the newest run comes first
            found[one.id] = view
    return sorted(found.values(), key=lambda one: (one.state is not LeaseState.STUCK, one.lease.ends_at, one.id))


async def _asked(question: Callable[[Client], Awaitable[None]]) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        await question(await connect_or_fail(settings, telemetry))
    except RPCError as error:
        fail(f"Temporal does not answer: {error.message}")
    finally:
        telemetry.shutdown()


async def _list(client: Client, *, everything: bool, as_json: bool) -> None:
    found = await read_leases(client, everything=everything)
    if as_json:
        out.print_json(json.dumps([_row(one) for one in found]))
    elif not found:
        out.print("There are no leases." if everything else "Nothing is leased.")
    else:
        for one in found:
            _print(one)


async def _show(client: Client, lease: str, *, as_json: bool) -> None:
    view = await _view(client, lease)
    if as_json:
        out.print_json(json.dumps(_row(view)))
        return
    for line in lines(view):
        out.print(shown(line), markup=False, soft_wrap=True)


async def _extend(  # noqa: PLR0913 - its options
    client: Client, lease: str, *, hours: float | None, until: str | None, note: str, as_json: bool
) -> None:
    if until is not None:
        moment = _moment(until)
    else:
        moment = (await _view(client, lease)).lease.ends_at + timedelta(hours=hours or 0)
    await _update(client, lease, "extend", ExtendLease(ends_at=moment, note=note))
    view = await _settled(client, lease)
    if view.refused:
        fail(f"it was not extended: {view.refused}", Exit.DENIED)
    _tell(view, as_json=as_json)


async def _end(client: Client, lease: str, *, note: str, wait: bool, as_json: bool) -> None:
    view = await _update(client, lease, "end", EndLease(note=note))
    if wait:
        await client.get_workflow_handle(lease).result()
        view = await _view(client, lease)
    _tell(view, as_json=as_json)


async def _hand_over(client: Client, lease: str, *, to: str | None, note: str, as_json: bool) -> None:
    if to is not None and not await _runs(client, to):
        fail(f"no goal runs under {to!r}: a lease that is handed to it would end within minutes")
    _tell(await _update(client, lease, "hand_over", HandOverLease(owner=to, note=note)), as_json=as_json)


async def _update(client: Client, lease: str, name: str, request: BaseModel) -> LeaseView:
    try:
        return await client.get_workflow_handle(lease).execute_update(
            name, request, result_type=LeaseView, rpc_timeout=_PATIENCE
        )
    except WorkflowUpdateFailedError as error:
        fail(error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            _none(lease)
        raise


async def _settled(client: Client, lease: str) -> LeaseView:
    """How it stands once its provider has been asked for more time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _SETTLES_WITHIN
    while True:
        view = await client.get_workflow_handle(lease).query("view", result_type=LeaseView, rpc_timeout=_PATIENCE)
        if view.asked_until is None or loop.time() > until:
            return view
        await asyncio.sleep(_LOOK_EVERY)


async def _view(client: Client, lease: str) -> LeaseView:
    try:
        found = await client.get_workflow_handle(lease).describe(rpc_timeout=_PATIENCE)
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            _none(lease)
        raise
    view = await view_of(found) if found.workflow_type == LEASE_WORKFLOW else None
    if view is None:
        _none(lease)
    return view


async def _runs(client: Client, goal: str) -> bool:
    try:
        found = await client.get_workflow_handle(goal).describe(rpc_timeout=_PATIENCE)
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            return False
        raise
    return found.status is WorkflowExecutionStatus.RUNNING


def _none(lease: str) -> NoReturn:
    fail(f"there is no lease {lease!r}, or it has ended; `banksman leases --all` lists them")


def _moment(text: str) -> datetime:
    try:
        return _MOMENT.validate_python(text)
    except ValidationError:
        fail(f"{text!r} is no moment: write it with its time zone, as in 2026-12-01T18:00:00Z", Exit.USAGE)


def _tell(view: LeaseView, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(_row(view)))
    else:
        _print(view)


def _row(view: LeaseView) -> dict[str, object]:
    return {**view.row(), "by_hand": command_for(view.lease) or None}


def _print(view: LeaseView) -> None:
    """A few short lines; the id on one of its own, never wrapped nor cut, so that it can be copied."""
    lease = view.lease
    out.print(f"[bold]{_safe(lease.title)}[/] {_safe(lease.leased.name)}  {_MARKS[view.state]}", soft_wrap=True)
    out.print(f"  {_safe(lease.id)}", soft_wrap=True)
    holder = f"held by {_safe(lease.owner.workflow_id)}" if lease.owner else "held by nobody"
    out.print(f"[dim]  {holder}, until {_until(lease.ends_at)}[/]", soft_wrap=True)
    if view.problem:
        out.print(f"  {_safe(view.problem)}", soft_wrap=True)
    if view.state is LeaseState.STUCK:
        at_its_provider = f"at its provider, where it has the mark {lease.leased.mark}"
        out.print(f"  by hand: {_safe(command_for(lease) or at_its_provider)}", soft_wrap=True)


def lines(view: LeaseView) -> Iterator[str]:
    """The whole of it, a line at a time; what hides is made visible."""
    lease = view.lease
    yield visible(f"{lease.title} {lease.leased.name}, {view.state}")
    told = {
        "lease": lease.id,
        "held by": lease.owner.workflow_id if lease.owner else "nobody: it lives until its end",
        "taken": _utc(lease.taken_at) if lease.taken_at else "",
        "until": _until(lease.ends_at),
        "at most": _utc(lease.at_most),
        "mark": lease.leased.mark,
        "ends by": lease.end.step if lease.end else "a person",
        "verified by": lease.check.step,
        "ending": lease.ending,
        "problem": view.problem,
        "refused": view.refused,
        "by hand": command_for(lease),
    }
    yield from (f"  {name:<13} {visible(value)}" for name, value in told.items() if value)


def _safe(text: str) -> str:
    """Somebody else's text for a terminal: neither its control characters nor its markup is obeyed."""
    return escape(shown(visible(text)))


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _until(moment: datetime) -> str:
    minutes = int((moment - datetime.now(UTC)).total_seconds()) // 60
    if minutes < 0:
        return f"{_utc(moment)}, which is over"
    hours, minutes = divmod(minutes, 60)
    return _utc(moment) + (f", {hours // 24} days left" if hours >= 48 else f", {hours} h {minutes} min left")  # noqa: PLR2004 - two days
