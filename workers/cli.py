"""The `banksman` command.

Results go to stdout, progress and errors to stderr; `--json` stands on everything a script would read. Exit codes
are part of the interface: see `workers.commands.exits`.
"""

import contextlib
import sys
from collections.abc import Generator, Iterator, MutableMapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from deploy.ending import run_to_the_end
from workers.withheld import withhold

_STACK: Final = "The embedded environment"
_GOALS: Final = "Goals"
_OPERATE: Final = "Operate"
_PROCESSES: Final = "Processes"


@dataclass(frozen=True)
class _Place:
    """Where a command is, below `workers.commands`; it is hidden where no panel shows it.

    Attributes:
        says: The command's own first sentence, so that the list of all is shown without importing any.
    """

    where: str
    panel: str | None = None
    says: str = ""


_PLACES: Final = {
    "up": _Place(
        "up:up",
        _STACK,
        "Start the embedded environment: Temporal, OpenBao, twins, workers, each a process.",
    ),
    "down": _Place("status:down", _STACK, "End the embedded environment; what it keeps stays for the next `up`."),
    "status": _Place("status:status", _STACK, "Tell what runs, where, and how it is."),
    "goals": _Place("goals:goals", _GOALS, "List the goals; of one, tell what it takes and how to start it."),
    "run": _Place("goals:run", _GOALS, "Start a goal; asking twice for the same one finds the one that runs."),
    "ask": _Place(
        "asking:ask",
        _GOALS,
        "Have a model plan what you want; it is checked, people approve what writes, and exactly that is done.",
    ),
    "investigate": _Place(
        "investigating:investigate",
        _GOALS,
        "Have a model find out why something is as it is. It changes nothing, and gives evidence for what it claims.",
    ),
    "rehearse": _Place(
        "rehearse:rehearse", _GOALS, "Run a goal on twins of what is really there, and list all that it would do."
    ),
    "plan": _Place("plan:plan", _GOALS, "Check a plan of goals, show what it would do, and run it."),
    "resume": _Place("resume:resume", _GOALS, "Let a parked goal try its step again."),
    "feedback": _Place(
        "feedback:feedback",
        _GOALS,
        "Say whether what a goal did was useful or wrong, as evidence for how far it is trusted; the last word counts.",
    ),
    "artifact": _Place("artifact:artifact", _GOALS, "Fetch what was too large for a result."),
    "watch": _Place("watch:watch", _GOALS, "Watch the goals, approvals and leases that are under way."),
    "trace": _Place("trace:trace", _GOALS, "Show what a goal did when: the waterfall of its trace."),
    "approvals": _Place("approvals:approvals", _GOALS, "List what waits for a person's approval, and show its plan."),
    "leases": _Place("leases:leases", _GOALS, "List what is leased, until when, and for whom; extend or end it."),
    "gpu": _Place("gpus:gpu", _GOALS, "Restart or rename a GPU machine that a goal holds."),
    "catalog": _Place(
        "catalog:catalog",
        _OPERATE,
        "List the providers, their credentials, every step with its effect and queue, and the goals.",
    ),
    "doctor": _Place("doctor:doctor", _OPERATE, "Tell what this machine has, what it lacks, and how to get it."),
    "setup": _Place(
        "setup:setup",
        _OPERATE,
        "Prepare the Temporal namespace: search attributes, the sweep of leases, the current goals worker.",
    ),
    "github": _Place(
        "github:github",
        _OPERATE,
        "Make the GitHub Apps, tell what they lack and cost, give them new keys; list schedules; forget on request.",
    ),
    "policy": _Place("policy:policy", _OPERATE, "Check a policy file, and ask it what it would decide."),
    "manifest": _Place(
        "manifest:manifest",
        _OPERATE,
        "Check, begin, change and explain a service's manifest, `banksman.yaml` in its repository.",
    ),
    "eval": _Place(
        "evaluating:evaluate",
        _OPERATE,
        "Have a model plan the sentences of the planning set, and report how well; nothing is carried out.",
    ),
    "models": _Place("models:models", _OPERATE, "Show which language models there are, and ask each."),
    "rollout": _Place("rollout:rollout", _OPERATE, "Tell whether an environment is ready for its next phase."),
    "audit": _Place("audit:audit", _OPERATE, "Check that nobody touched the audit log, and export it."),
    "worker": _Place(
        "worker:worker",
        _PROCESSES,
        "Run one worker in the foreground; without credentials of its own it asks the running environment.",
    ),
    "codec-server": _Place(
        "codec_server:codec_server",
        _PROCESSES,
        "Decrypt payloads for the Temporal UI and CLI, for callers with a token.",
    ),
    "deliverer": _Place(
        "deliverer:deliverer",
        _PROCESSES,
        "Keep a fresh wrapped secret id ready for each process, for hosts where no supervisor starts them.",
    ),
    "relay": _Place(
        "relay:relay",
        _PROCESSES,
        "Let machines dial in that serve language models, and let the models worker ask them.",
    ),
    "twin": _Place("twin:twin"),
    "twins": _Place("twin:twins_on_demand"),
    "container-engine": _Place("container_engine:container_engine"),
    "trace-store": _Place("trace_store:trace_store"),
    "rehearsal-room": _Place("rehearsal_room:rehearsal_room"),
    "log-shipper": _Place("log_shipper:log_shipper"),
    "platform": _Place("platform:platform"),
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


@contextlib.contextmanager
def _told_safely() -> Generator[None]:
    """Let an error that quotes an argument, and typer writes, be written by a console that obeys none of it."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception:
        from typer import rich_utils  # noqa: PLC0415 - only where something went wrong

        from workers.commands.exits import SafeConsole  # noqa: PLC0415

        rich_utils.Console = SafeConsole  # pyright: ignore[reportPrivateImportUsage] - typer makes its own by this name
        raise


class _Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _OnDemand()
        self._listing = False

    def make_context(self, *given: Any, **options: Any) -> Any:
        """Read what stands before a command."""
        with _told_safely():
            return super().make_context(*given, **options)

    def invoke(self, ctx: Any) -> Any:
        """Read the rest, and run the command."""
        with _told_safely():
            return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the list, for which no command is imported."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names; the parent asks the commands themselves."""
        del ctx
        return list(_PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; while the list is shown, only its line."""
        place = _PLACES.get(cmd_name) if self._listing else None
        if place is None:
            return super().get_command(ctx, cmd_name)
        hidden = place.panel is None
        return TyperCommand(cmd_name, help=place.says, rich_help_panel=place.panel, hidden=hidden)


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
        from importlib.metadata import version  # noqa: PLC0415 - a tenth of each command's start, for this option alone

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
    withhold(sys.argv[1:])
    run_to_the_end(app)
