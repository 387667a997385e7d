"""`banksman catalog`: what this release knows of, as it is declared: providers, credentials, steps and goals."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from activities.catalogue import steps
from connectors.provider import providers
from workers.commands.exits import err, out
from workflows.catalogue import GOALS

Rows = Iterable[tuple[str, ...]]


def catalog(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts, with all that is known.")] = False
) -> None:
    """List the providers, their credentials, every step with its effect and queue, and the goals."""
    if as_json:
        out.print_json(json.dumps(as_data()))
        return
    _print(
        "Providers",
        ((one.title, one.url or "", ", ".join(secret.path for secret in one.secrets)) for one in providers().values()),
    )
    _print(
        "Credentials",
        (
            (one.name, f"reads {one.secret.path}", "destroys" if one.destroys else "")
            for provider in providers().values()
            for one in provider.credentials
        ),
    )
    _print(
        "Steps",
        (
            (one.name, one.effect, one.queue.removeprefix("banksman-"), one.credential.name if one.credential else "")
            for one in steps().values()
        ),
    )
    _print("Goals", ((one.name, one.effect, one.description) for one in GOALS))
    err.print("[dim]`banksman goals GOAL` tells what one takes; `banksman policy explain STEP` who may run one.[/]")


def as_data() -> dict[str, list[dict[str, object]]]:
    """The same for programs. Fields are only added."""
    return {
        "providers": [
            {
                "name": one.name,
                "title": one.title,
                "url": one.url,
                "setting": f"BANKSMAN_{one.setting.upper()}" if one.url else None,
                "secrets": [
                    {"path": secret.path, "holds": secret.holds, "destroys": secret.destroys} for secret in one.secrets
                ],
                "twin": one.twin is not None,
            }
            for one in providers().values()
        ],
        "credentials": [
            {
                "name": one.name,
                "provider": provider.name,
                "secret": one.secret.path,
                "destroys": one.destroys,
                "seconds": one.longest,
            }
            for provider in providers().values()
            for one in provider.credentials
        ],
        "steps": [
            {
                "name": one.name,
                "effect": str(one.effect),
                "queue": str(one.queue),
                "credential": one.credential.name if one.credential else None,
                "request": one.request.model_json_schema(),
            }
            for one in steps().values()
        ],
        "goals": [
            {
                "name": one.name,
                "description": one.description,
                "effect": str(one.effect),
                "needs": one.needs,
                "input": one.input.model_json_schema(),
                "result": one.result.model_json_schema(),
                "example": one.example.model_dump(mode="json", exclude_unset=True),
            }
            for one in GOALS
        ],
    }


def _print(title: str, rows: Rows) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, title=title, title_justify="left")
    for row in rows:
        if not table.columns:
            for index in range(len(row)):
                table.add_column(no_wrap=index == 0, overflow="fold", style="bold" if index == 0 else "")
        table.add_row(*map(escape, row))
    out.print(table)
    out.print()
