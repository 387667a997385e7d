"""`banksman doctor`."""

import asyncio
import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from deploy.local.pulumi_tools import survey_pulumi
from deploy.local.tools import ToolReport, survey
from workers.commands.exits import Exit, out


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Tell what this machine has, what it lacks, and how to get it."""
    reports = asyncio.run(_survey())
    if as_json:
        out.print_json(json.dumps([report.model_dump(mode="json") for report in reports]))
    else:
        table = Table(box=None, padding=(0, 3, 0, 0))
        for heading in ("", "tool", "version", "needed for", "found at, or how to get it"):
            table.add_column(heading, overflow="fold")
        for report in reports:
            mark = "[green]✓[/]" if report.found else "[red]✗[/]" if report.required else "[yellow]–[/]"
            where = f"{report.path} ({report.how})" if report.found else report.how_to_get
            table.add_row(mark, report.name, report.version or "", report.needed_for, escape(where))
        out.print(table)
    if any(report.required and not report.found for report in reports):
        raise typer.Exit(int(Exit.FAILED))


async def _survey() -> list[ToolReport]:
    found, of_pulumi = await asyncio.gather(survey(), survey_pulumi())
    return [*found, *of_pulumi]
