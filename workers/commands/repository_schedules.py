"""`banksman github schedules`: what repositories have scheduled, when it comes next, and how it ended last.

Read from Temporal alone, so that it is there also while no worker is.
"""

import asyncio
import getpass
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from pydantic import AwareDatetime, BaseModel
from rich.markup import escape
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleListDescription,
    WorkflowFailureError,
)
from temporalio.service import RPCError, RPCStatusCode

from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out, shown
from workflows.converter import InputRefused
from workflows.github.contracts import DeliveryResult
from workflows.github.scheduled_contracts import read_schedule_id, schedule_id
from workflows.standing import standing_of

_AT_ONCE: Final = 10
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9._-]+")

schedules = typer.Typer(help="List what repositories have scheduled; pause it, and let it go on.")

_Repository = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")]
_Name = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's name, as the list tells it.")]


class ScheduleView(BaseModel):
    """One schedule, for people and scripts."""

    repository: str
    name: str
    says: str = ""
    """The task and the crontab's line."""
    time_zone: str = "UTC"
    next_at: AwareDatetime | None = None
    paused: bool = False
    note: str = ""
    last_at: AwareDatetime | None = None
    last: str = ""
    """How the last run ended, in a word, or why nothing was begun."""
    goal: str | None = None
    """The job of the last run."""


@schedules.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    *,
    repository: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Of this repository alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List what repositories have scheduled; pause it, and let it go on."""
    if repository is not None:
        _require_repository(repository)
    if context.invoked_subcommand is None:
        asyncio.run(_asked(lambda client: _list(client, repository, as_json=as_json)))


@schedules.command("pause")
def pause(
    repository: _Repository, name: _Name, *, note: Annotated[str, typer.Option(help="Why, for the record.")] = ""
) -> None:
    """Have it begin nothing, whatever the repository says, until it is resumed."""
    _require_repository(repository)
    why = f"Paused by {_person()}" + (f": {note}" if note else "")

    async def work(client: Client) -> None:
        await client.get_schedule_handle(schedule_id(repository, name)).pause(note=why)
        out.print(f"{escape(visible(name))} of {escape(visible(repository))} is paused")

    asyncio.run(_asked(work))


@schedules.command("resume")
def resume(repository: _Repository, name: _Name) -> None:
    """Let it go on, from its next time on."""
    _require_repository(repository)

    async def work(client: Client) -> None:
        await client.get_schedule_handle(schedule_id(repository, name)).unpause()
        out.print(f"{escape(visible(name))} of {escape(visible(repository))} goes on")

    asyncio.run(_asked(work))


async def _asked(work: Callable[[Client], Awaitable[None]]) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        await work(await connect_or_fail(settings, telemetry))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            fail("there is no such schedule; `banksman github schedules` lists those that there are", Exit.USAGE)
        fail(f"Temporal does not answer: {visible(error.message)}")
    finally:
        telemetry.shutdown()


async def _list(client: Client, repository: str | None, *, as_json: bool) -> None:
    found = await views(client, repository)
    if as_json:
        out.print_json(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    if not found:
        out.print(f"{escape(visible(repository))} has no schedule" if repository else "no repository has a schedule")
    for one in found:
        _print(one)


async def views(client: Client, repository: str | None = None) -> list[ScheduleView]:
    """All schedules, or those of one repository, by name; GitHub tells no letter from its capital.

    Raises:
        RPCError: The server does not answer.
    """
    turns = asyncio.Semaphore(_AT_ONCE)
    found: list[tuple[str, str, ScheduleListDescription]] = []
    async for one in await client.list_schedules():
        named = read_schedule_id(one.id)
        if named is not None and (repository is None or named[0].lower() == repository.lower()):
            found.append((*named, one))

    async def view(where: str, name: str, one: ScheduleListDescription) -> ScheduleView:
        async with turns:
            return await _view(client, where, name, one)

    return await asyncio.gather(*(view(*one) for one in sorted(found, key=lambda each: each[:2])))


async def _view(client: Client, repository: str, name: str, one: ScheduleListDescription) -> ScheduleView:
    view = ScheduleView(repository=repository, name=name)
    if one.schedule is None or one.info is None:
        return view
    spec, state, info = one.schedule.spec, one.schedule.state, one.info
    view = view.model_copy(
        update={
            "says": next((each.comment for each in spec.calendars if each.comment), "") or "",
            "time_zone": spec.time_zone_name or "UTC",
            "paused": state.paused,
            "note": state.note or "",
            "next_at": next(iter(info.next_action_times), None) if not state.paused else None,
        }
    )
    if not info.recent_actions:
        return view
    action = info.recent_actions[-1]
    if not isinstance(action.action, ScheduleActionExecutionStartWorkflow):
        return view
    last, goal = await _ended(client, action.action.workflow_id, action.action.first_execution_run_id)
    return view.model_copy(update={"last_at": action.started_at, "last": last, "goal": goal})


async def _ended(client: Client, workflow_id: str, run_id: str) -> tuple[str, str | None]:
    """How the last run ended, and its job."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id, result_type=DeliveryResult)
    try:
        found = await handle.describe()
        if found.close_time is None:
            return "running", None
        result = await handle.result()
        if result.goal is None:
            return result.why, None
        return standing_of(await client.get_workflow_handle(result.goal).describe()), result.goal
    except WorkflowFailureError as error:
        return f"failed: {error.cause}", None
    except (InputRefused, ValueError, RuntimeError):
        return "ended with a result that cannot be read here", None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return "Temporal keeps it no longer", None


def _require_repository(name: str) -> None:
    if not _REPOSITORY.fullmatch(name):
        fail(f"{name!r} is no repository; write OWNER/NAME", Exit.USAGE)


def _person() -> str:
    """Who gives the command, where this machine knows a name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _print(one: ScheduleView) -> None:
    comes = "paused" if one.paused else f"next {_moment(one.next_at)}"
    out.print(f"[bold]{escape(visible(one.repository))}[/] {escape(visible(one.name))}  {escape(shown(comes))}")
    out.print(f"  {escape(visible(one.says))} ({escape(visible(one.time_zone))})")
    if one.paused and one.note:
        out.print(f"  {escape(visible(one.note))}")
    if one.last_at is not None:
        on = f" ({visible(one.goal)})" if one.goal else ""
        out.print(f"  last {_moment(one.last_at)}: {escape(visible(one.last))}{escape(on)}")


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if at is not None else "never"
