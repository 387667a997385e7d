"""The `banksman` command.

Results go to stdout, progress and errors to stderr; `--json` stands on everything a script would read. Exit codes
are part of the interface: see `workers.commands.exits`.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

from workers.ending import run_to_the_end

_STACK: Final = "The embedded stack"
_GOALS: Final = "Goals"
_OPERATE: Final = "Operate"
_PROCESSES: Final = "Processes"


@dataclass(frozen=True)
class _Place:
    """Where a command is, below `workers.commands`; it is hidden where no panel shows it."""

    where: str
    panel: str | None = None


_PLACES: Final = {
    "up": _Place("up:up", _STACK),
    "down": _Place("status:down", _STACK),
    "status": _Place("status:status", _STACK),
    "goals": _Place("goals:goals", _GOALS),
    "run": _Place("goals:run", _GOALS),
    "resume": _Place("resume:resume", _GOALS),
    "artifact": _Place("artifact:artifact", _GOALS),
    "approvals": _Place("approvals:approvals", _GOALS),
    "doctor": _Place("doctor:doctor", _OPERATE),
    "setup": _Place("setup:setup", _OPERATE),
    "policy": _Place("policy:policy", _OPERATE),
    "audit": _Place("audit:audit", _OPERATE),
    "worker": _Place("worker:worker", _PROCESSES),
    "codec-server": _Place("codec_server:codec_server", _PROCESSES),
    "deliverer": _Place("deliverer:deliverer", _PROCESSES),
    "twin": _Place("twin:twin"),
    "container-engine": _Place("container_engine:container_engine"),
    "trace-store": _Place("trace_store:trace_store"),
}


class _OnDemand(MutableMapping[str, Any]):
    """The commands by name; each is imported when it is first needed, and so are the libraries of that one only."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            place = _PLACES[name]
            found = resolve_name(f"workers.commands.{place.where}")
            alone = typer.Typer(add_completion=False)
            if isinstance(found, typer.Typer):
                alone.add_typer(found, name=name, rich_help_panel=place.panel)
            else:
                alone.command(name, rich_help_panel=place.panel, hidden=place.panel is None)(found)
            self._loaded[name] = get_group(alone).commands[name]
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)

    def __contains__(self, name: object) -> bool:
        return name in _PLACES


class _Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _OnDemand()


app = typer.Typer(
    name="banksman",
    cls=_Commands,
    help="A durable, autonomous DevOps agent: nothing heavy moves until a person signals.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a local may hold a secret
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("banksman"))
        raise typer.Exit


@app.callback()
def _options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del show_version


def main() -> None:
    """Run the command."""
    run_to_the_end(app)
