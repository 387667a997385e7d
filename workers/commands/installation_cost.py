"""`banksman github cost`: what language models cost for each installation of the App, by the book of the limits."""

import asyncio
import json
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from temporalio.client import ActivityFailureError
from temporalio.exceptions import ApplicationError, TemporalError
from temporalio.service import RPCError

from activities.guard.error_types import denial_of
from activities.models.spending_contracts import MOST_DAYS
from hitl.github.spending import DAYS, Account, Spending, dollars, find_spending
from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import fail, out
from workers.settings import Settings

_MOST: Final = 1000
_MICROS: Final = 1_000_000


def cost(
    *,
    days: Annotated[
        int, typer.Option(min=1, max=MOST_DAYS, metavar="N", help="So many days of UTC's, today included.")
    ] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Tell what language models cost for each installation, today and on the last days; what is under way counts."""
    found = asyncio.run(_asked(client_settings(), days))
    if as_json:
        out.print_json(json.dumps([_row(found, one) for one in found.accounts]))
        return
    if not found.accounts:
        out.print(f"nothing was paid on the last {days} days")
    for one in found.accounts:
        _print(found, one)
    if found.more:
        out.print(f"[dim]There are more than {_MOST} installations; the newest were looked at.[/]")


async def _asked(settings: Settings, days: int) -> Spending:
    telemetry = command_telemetry(settings)
    try:
        return await find_spending(await connect_or_fail(settings, telemetry), days=days, most=_MOST)
    except ActivityFailureError as error:
        fail(f"what models cost is not known now: {visible(_why(error))}")
    except RPCError as error:
        fail(f"Temporal does not answer: {visible(error.message)}")
    except (TemporalError, RuntimeError, ValueError) as error:
        fail(f"what a models worker answered cannot be read here: {visible(str(error))}")
    finally:
        telemetry.shutdown()


def _why(error: ActivityFailureError) -> str:
    if (denial := denial_of(error.cause)) is not None:
        return denial.explanation
    return error.cause.message if isinstance(error.cause, ApplicationError) else "no models worker answered in time"


def _row(found: Spending, one: Account) -> dict[str, Any]:
    return {
        "installation": one.number,
        "account": one.name,
        "usd": {day: micros / _MICROS for day, micros in zip(found.days, one.spent.micros, strict=True)},
        "usd_per_day": found.day_micros / _MICROS if found.day_micros is not None and one.limited else None,
    }


def _print(found: Spending, one: Account) -> None:
    number = f" [dim]{one.number}[/]" if one.number is not None else ""
    limit = f" of {dollars(found.day_micros)}" if found.day_micros is not None and one.limited else ""
    out.print(f"[bold]{escape(visible(one.name or 'installation'))}[/]{number}", soft_wrap=True)
    out.print(f"  today {dollars(one.spent.micros[0])}{limit}", soft_wrap=True)
    for day, micros in list(zip(found.days, one.spent.micros, strict=True))[1:]:
        if micros:
            out.print(f"  [dim]{day}[/] {dollars(micros)}", soft_wrap=True)
