"""Writes the reference pages from the code, so that they cannot drift: `make docs`, and `--check` in `make check`.

Each page has one source: the Typer app, the settings, the error table, or what is declared of goals, steps, providers.
"""

import difflib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Final, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from activities.catalogue import steps
from activities.guard.error_types import MAX_MESSAGE_BYTES, error_catalogue
from activities.queues import TaskQueue
from connectors.provider import Provider, providers
from deploy.vault.rights import rights
from hitl.github.happenings import HAPPENINGS
from hitl.github.repository_config import RepositoryConfig
from tests.docs.command_tree import commands
from tests.docs.endpoints import Use, answered, declared, recorded
from workers.commands.exits import Exit
from workers.process import EXIT_TOKEN_LOST
from workers.settings import Locations, Settings
from workflows.catalogue import GOALS
from workflows.goal_type import GoalType
from workflows.manifest.keys import Key, keys
from workflows.manifest.schema import manifest_schema, schema_of
from workflows.manifest.writing import inline

ROOT: Final = Path(__file__).parents[2]
_NOTE: Final = "<!-- Written by `make docs`; change the source named below, not this page. -->"

_CLI: Final = """\
Results go to standard output, progress and errors to standard error. `--json` stands on everything that a script would
read. `banksman --install-completion` adds tab completion to your shell."""
_SETTINGS: Final = """\
Every process reads these from its environment, and `workers/settings.py` is the only file that does. No secret is among
them: they say where secrets are to be found. The embedded environment sets what its processes need; the command takes
what is not set from `stack.json` of the one that runs."""
_ERRORS: Final = f"""\
A step ends with a result or with one of these errors; `ApplicationError.type` in Temporal has the name in the first
column. Messages are at most {MAX_MESSAGE_BYTES} bytes, name the thing they are about, say what to do next, and hold no
secret. Whether a step is tried again follows from the table alone. Anything else that Temporal shows as an error's type
is a bug of ours, or of a library. The table is closed: it has rows that no step of today's goals can raise."""
_EVENTS: Final = """\
What the App is told of, and what becomes of it. A word in the third column is what
[the policy](how-to/github-commands.md#the-policy) calls it under `events`: nothing is begun by an event that no rule
names. An action that is not here is nothing to us, and so is a bot's event, whatever it is."""
_AFTER_ERRORS: Final = """\
*Benign* errors are ordinary ends, not faults: Temporal's worker neither logs nor counts them as failures.

A step that uses up its retries on `Unavailable` or `RateLimited` parks its goal: the search attribute `BanksmanState`
becomes `parked`, and the Temporal UI says what it waits for. It tries again by itself, after a minute, then after
pauses that grow to four hours; `banksman resume` lets it try at once. People are told once,
[in Slack](how-to/slack.md#what-people-see).

Where errors come from: `connectors/errors.py` is the tree that clients raise, and `activities/guard/errors.py` the one
place that maps it to this table."""
_GOALS: Final = f"""\
A goal is one workflow type on the task queue `{TaskQueue.GOALS}`. Inputs refuse unknown fields; results ignore them.
`banksman goals --json` gives the same as JSON, with the whole JSON schema of each input."""
_CATALOG: Final = """\
What this release knows of, as it is declared. `banksman catalog --json` gives the same for programs, with the schema of
every request. [Goals](goals.md) have a page of their own."""
_ENDPOINTS: Final = """\
What providers are asked by clients of ours, which steps ask it, and a test that does. A twin is *simulated*, or has
something real behind it. GitHub, Slack and Pulumi are reached by PyGithub, slack-sdk and Pulumi's CLI, and what is in a
database by its own client: these choose their requests themselves."""
_RIGHTS: Final = """\
Each process logs in with an AppRole whose policy has its name; each step is given a token of its own, with the policy
`step-<credential>`. `python -m deploy.vault` writes these policies into Vault, from `deploy/vault/policies`."""

_MANIFEST: Final = """\
What may stand in `banksman.yaml` ([how to write one](how-to/describe-a-service.md)). `[]` stands for each entry of a
list. `banksman manifest explain KEY` tells the same of one key, and [the JSON Schema](schemas/banksman.schema.json)
tells it to editors."""

_TYPES: Final[Mapping[object, str]] = {str: "text", Path: "path", bool: "true, false", int: "number", float: "number"}

_EXITS: Final = {
    Exit.COMPLETED: "the command did what it was asked; with `run --wait`, the goal completed",
    Exit.FAILED: "it failed; with `run --wait`, the goal failed",
    Exit.USAGE: "the call itself is wrong: an option, an input, a file, a setting",
    Exit.DENIED: "the guard denied a step of the goal",
    Exit.CANCELLED: "the goal was cancelled or terminated",
    Exit.NO_STACK: "no embedded environment runs here, or Temporal does not answer",
    Exit.INCOMPLETE: "with `run --wait`: what was approved was not carried out whole; its result says what was",
}


def cli_page() -> str:
    """Every command with its help, and the exit codes."""
    parts = [
        _head("The banksman command", "workers/cli.py"),
        _CLI,
    ]
    for command in commands().values():
        level = "##" if len(command.words) <= 2 else "###"
        parts += [f"{level} {' '.join(command.words)}", f"```text\n{command.help}\n```"]
    codes = [(str(int(code)), _EXITS[code]) for code in Exit]
    codes.append(
        (str(EXIT_TOKEN_LOST), "`worker`: its Vault token is gone; start it again with a new wrapped secret id")
    )
    parts += ["## Exit codes", _table(("code", "meaning"), codes)]
    return _page(parts)


def settings_page() -> str:
    """Every variable that a process reads."""
    rows = (row for model in (Settings, Locations) for row in _settings_rows(model))
    return _page(
        [
            _head("Settings", "workers/settings.py"),
            _SETTINGS,
            _table(("variable", "type", "default", "meaning"), rows),
        ]
    )


def _settings_rows(model: type[BaseSettings]) -> Iterable[tuple[str, ...]]:
    prefix = model.model_config.get("env_prefix", "")
    for name, field in model.model_fields.items():
        yield f"`{prefix}{name.upper()}`", _type_name(field), _default(field), field.description or ""


def _type_name(field: FieldInfo) -> str:
    kind: object = field.annotation
    if isinstance(kind, UnionType):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Literal:
        return " ".join(f"`{one}`" for one in get_args(kind))
    if get_origin(kind) in {dict, tuple} or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "JSON"
    return _TYPES.get(kind, str(kind))


def _default(field: FieldInfo) -> str:
    if field.default is None or field.default_factory is not None:
        return "–"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def errors_page() -> str:
    """The table of errors."""
    rows = (
        (f"`{row.type}`", row.comes_from, row.retry, row.goal_does + (" *(benign)*" if row.benign else ""))
        for row in error_catalogue()
    )
    return _page(
        [
            _head("Errors", "activities/guard/error_types.py"),
            _ERRORS,
            _table(("type", "comes from", "tried again", "the goal"), rows),
            _AFTER_ERRORS,
        ]
    )


def goals_page() -> str:
    """Every goal: its fields, its result, and how to start it."""
    parts = [
        _head("Goals", "workflows/*/goals.py"),
        _GOALS,
    ]
    for goal in GOALS:
        parts += _goal(goal)
    return _page(parts)


def _goal(goal: GoalType) -> Iterable[str]:
    yield f"## {goal.name}"
    yield f"{goal.description} Strongest effect of its steps: `{goal.effect}`."
    yield "Input:"
    yield _table(("field", "", "meaning"), _field_rows(goal.input.model_fields, shown=True))
    yield "Result:"
    yield _table(("field", "meaning"), _field_rows(goal.result.model_fields, shown=False))
    yield f"Workflow id that `banksman run` gives it: `{goal.example.business_key()}` for the example."
    yield (f"```sh\nbanksman run {goal.name} --input '{goal.example_json}' --wait\n{goal.temporal_command()}\n```")


def _field_rows(fields: Mapping[str, FieldInfo], *, shown: bool) -> Iterable[tuple[str, ...]]:
    for name, field in fields.items():
        needed = ("required" if field.is_required() else "optional",) if shown else ()
        yield f"`{name}`", *needed, field.description or ""


def catalog_page() -> str:
    """All that is declared of providers, credentials and steps; goals have a page of their own."""
    found = providers().values()
    of_providers = (
        (one.title, *(f"`{said}`" if one.url else "–" for said in (one.url, _variable(one))), _twin(one))
        for one in found
    )
    secrets = ((f"`{one.path}`", one.holds, _yes(one.destroys)) for provider in found for one in provider.secrets)
    credentials = (
        (
            f"`{one.name}`",
            f"`{one.secret.path}`",
            _codes(made.path for made in one.keeps),
            one.purpose,
            _yes(one.destroys),
        )
        for provider in found
        for one in provider.credentials
    )
    of_steps = (
        (f"`{one.name}`", one.effect, f"`{one.queue}`", f"`{one.credential.name}`" if one.credential else "–")
        for one in steps().values()
    )
    return _page(
        [
            _head("Catalog", "connectors/*/manifest.py, **/contracts.py"),
            _CATALOG,
            "## Providers",
            _table(("provider", "where", "setting", "twin"), of_providers),
            "## Secrets in Vault",
            _table(("below `banksman/`", "what it is", "destroys"), secrets),
            "## Credentials",
            _table(("credential and token role", "reads", "writes", "for a step that", "destroys"), credentials),
            "## Steps",
            _table(("step", "effect", "queue", "credential"), of_steps),
        ]
    )


def endpoints_page() -> str:
    """What providers are asked, by which steps and which test."""
    known, uses = answered(), recorded()
    parts = [_head("Endpoints", "connectors/*/operations.py, and python -m tests.docs.endpoints"), _ENDPOINTS]
    for name, operations in declared().items():
        provider = providers()[name]
        rows = (
            (f"`{one.name}`", _codes(use.steps), f"`{use.test}`", _twin(provider) if one in known else "–")
            for one, use in ((one, uses.get(name, {}).get(one.name, Use())) for one in operations.values())
        )
        parts += [f"## {provider.title}", _table(("endpoint", "asked by", "tested by", "twin"), rows)]
    return _page(parts)


def rights_page() -> str:
    """Who may do what in Vault."""
    parts = [_head("Rights in Vault", "deploy/vault/rights.py"), _RIGHTS]
    for name, policy in rights().items():
        rows = ((f"`{one.path}`", ", ".join(one.may) + (", wrapped" if one.wrapped else "")) for one in policy.rights)
        parts += [f"## {name}", policy.says, _table(("path", "may"), rows)]
    return _page(parts)


def manifest_page() -> str:
    """Every key of a service's manifest."""
    parts = [_head("Keys of a manifest", "workflows/manifest/manifest.py"), _MANIFEST]
    found = keys()
    for section in (path for path in found if "." not in path):
        below = [key for path, key in found.items() if path.startswith((f"{section}.", f"{section}[]."))]
        needed = " It must be there." if found[section].required else ""
        parts += [f"## {section}", f"{found[section].meaning}{needed}"]
        if below:
            parts.append(_table(("key", "takes", "when left out", "meaning"), map(_key_row, below)))
    return _page(parts)


def _key_row(key: Key) -> tuple[str, ...]:
    left_out = "must be there" if key.required else "–" if key.default is None else f"`{inline(key.default)}`"
    example = f" As in `{inline(key.examples[0])}`." if key.examples else ""
    return f"`{key.path}`", key.takes, left_out, key.meaning + example


def schema_file() -> str:
    """The JSON Schema of manifests, for editors."""
    return json.dumps(manifest_schema(), indent=2) + "\n"


def config_schema_file() -> str:
    """The JSON Schema of a repository's own file, for editors."""
    return json.dumps(schema_of(RepositoryConfig, "What a repository asks of Banksman"), indent=2) + "\n"


def events_page() -> str:
    """What each event of GitHub is to us."""
    rows = (
        (f"`{event}`", f"`{action}`" if action else "–", f"`{one.trigger}`" if one.trigger else "–", one.happens)
        for (event, action), one in sorted(HAPPENINGS.items())
    )
    heading = ("event", "action", "in the policy", "what happens")
    return _page([_head("Events of GitHub", "hitl/github/happenings.py"), _EVENTS, _table(heading, rows)])


def _variable(provider: Provider) -> str:
    return f"{Settings.model_config.get('env_prefix')}{provider.setting.upper()}"


def _twin(provider: Provider) -> str:
    return "–" if provider.twin is None else provider.twin.real or "simulated"


def _codes(said: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in said) or "–"


def _yes(said: object) -> str:
    return "yes" if said else "–"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/cli.md": cli_page,
    "docs/settings.md": settings_page,
    "docs/errors.md": errors_page,
    "docs/goals.md": goals_page,
    "docs/catalog.md": catalog_page,
    "docs/endpoints.md": endpoints_page,
    "docs/rights.md": rights_page,
    "docs/manifest.md": manifest_page,
    "docs/schemas/banksman.schema.json": schema_file,
    "docs/github-events.md": events_page,
    "docs/schemas/banksman-config.schema.json": config_schema_file,
}


def _head(title: str, source: str) -> str:
    return f"{_NOTE}\n<!-- Source: {source} -->\n\n# {title}"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def difference(path: str) -> str:
    """What a page lacks against its source, as a unified diff; empty when it is in step."""
    file = ROOT / path
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    new = PAGES[path]()
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), path, f"{path}, from its source"))  # noqa: FBT003 - keepends


def main(
    *, check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when a page is out of step.")] = False
) -> None:
    """Write the reference pages anew."""
    stale = {path: found for path in PAGES if (found := difference(path))}
    if check:
        sys.stdout.write("".join(stale.values()))
        if stale:
            sys.stderr.write(f"out of step with the code: {', '.join(stale)}; run `make docs`\n")
            raise typer.Exit(1)
        return
    for path in stale:
        (ROOT / path).write_text(PAGES[path](), encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    typer.run(main)
