"""`banksman audit`: whether anybody touched the log."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from activities.guard.audit_verify import verify
from workers.commands.exits import Exit, fail, out
from workers.commands.folder import stack_folder

audit = typer.Typer(help="Check that nobody touched the audit log.", no_args_is_help=True)


@audit.command("verify")
def verify_audit(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="The folder of audit files; the environment's when left out."),
    ] = None,
) -> None:
    """Follow the chain of every audit file and report edits, gaps and torn lines."""
    where = folder or stack_folder().audit
    files = sorted(where.glob("*.jsonl"))
    if not files:
        fail(f"there are no audit files in {where}")
    broken = False
    for file in files:
        report = verify(file)
        broken = broken or not report.ok
        mark = "[green]✓[/]" if report.ok else "[red]✗[/]"
        head = report.head.hash[:12] if report.head else "none"
        out.print(f"{mark} {file.name}: {report.records} events, head {head}")
        for problem in (*report.problems, *report.recovered):
            out.print(f"    {escape(problem)}")
    if broken:
        raise typer.Exit(int(Exit.FAILED))
