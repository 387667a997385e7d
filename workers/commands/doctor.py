"""`banksman doctor`."""

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from deploy.local.container_engine.rootless import survey_rootless
from deploy.local.pulumi_tools import survey_pulumi
from deploy.local.tools import ToolReport, survey
from workers.commands.exits import Exit, out, wrapped
from workers.settings import caller_environment


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Tell what this machine has, what it lacks, and how to get it."""
    reports = asyncio.run(_survey())
    if as_json:
        out.print_json(json.dumps([report.model_dump(mode="json") for report in reports]))
    else:
        for report in reports:
            _print(report)
    if any(report.required and not report.found for report in reports):
        raise typer.Exit(int(Exit.FAILED))


def _print(report: ToolReport) -> None:
    """What it is, then what for and where; a path or a command is never cut, so that it can be copied."""
    mark = "[green]✓[/]" if report.found else "[red]✗[/]" if report.required else "[yellow]–[/]"
    out.print(f"{mark} [bold]{escape(report.name)}[/] {escape(report.version or 'is not here')}", soft_wrap=True)
    where = f"{report.path} ({report.how})" if report.found else report.how_to_get
    for text in (f"for {report.needed_for}", where):
        out.print(f"[dim]{escape(wrapped(text, indent=2))}[/]", soft_wrap=True)


async def _survey() -> list[ToolReport]:
    runtime = Path(caller_environment().get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    found = await asyncio.gather(survey(), survey_rootless(runtime), survey_pulumi())
    return [row for rows in found for row in rows]
