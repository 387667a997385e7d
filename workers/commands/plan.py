"""`banksman plan`: a plan of goals in a file, checked, shown and run."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue, TypeAdapter, ValidationError

from hitl.plan_language.checker import Checked, check
from hitl.plan_language.language import MOST_BYTES, Draft, goal_plan_digest, read_text, value_of
from hitl.plan_language.mistakes import Mistake
from hitl.plan_language.rendering import draft_lines
from workers.commands.exits import Exit, err, fail, out, shown
from workflows.agent.described import described

plan = typer.Typer(help="Check a plan of goals, show what it would do, and run it.", no_args_is_help=True)

PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="The plan, as JSON.")]
ListsOption = Annotated[
    Path | None,
    typer.Option(
        "--lists",
        metavar="FILE",
        help='Closed lists as JSON, by the names of input fields: {"branch": ["main", "next"]}. What a stranger may '
        "have written names a thing only where it is in one.",
    ),
]
_LISTS: TypeAdapter[dict[str, tuple[str, ...]]] = TypeAdapter(dict[str, tuple[str, ...]])


@plan.command("check")
def check_file(
    path: PlanFile,
    lists: ListsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Say everything that is wrong with a plan, each with its place, or that nothing is."""
    draft, _, checked = looked_at(path, read_lists(lists))
    if as_json:
        out.print_json(json.dumps(_as_json(path, checked)))
        raise typer.Exit(int(Exit.USAGE if checked.mistakes else Exit.COMPLETED))
    end_with_mistakes(path, checked.mistakes)
    steps = f"{checked.steps} step{'' if checked.steps == 1 else 's'} at most"
    out.print(f"✓ {path}: {draft.title}: {steps}, strongest effect {checked.effect}", markup=False, soft_wrap=True)


@plan.command("show")
def show_file(
    path: PlanFile,
    lists: ListsOption = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="The policy file, to tell who approves the plan.")
    ] = None,
    environment: Annotated[
        str, typer.Option("--environment", metavar="NAME", help="The environment of the policy.")
    ] = "local",
) -> None:
    """Show a plan as people read it: every input in full, the effect of each step, and what comes from where."""
    draft, value, checked = looked_at(path, read_lists(lists))
    end_with_mistakes(path, checked.mistakes)
    for line in draft_lines(draft, goal_plan_digest(value), described(), checked.effect):
        out.print(line, markup=False, soft_wrap=True)
    if policy is not None:
        out.print("\n" + _who_decides(policy, environment), markup=False, soft_wrap=True)


@plan.command("run")
def run_file(  # noqa: PLR0913, PLR0917 - each is an option of the command
    path: PlanFile,
    lists: ListsOption = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="In an emergency: ask on the policy's path for it.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow it to its end and exit with its outcome: 0 completed, 1 failed, 3 denied, 4 cancelled, "
            "6 not carried out whole.",
        ),
    ] = False,
    workflow_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The workflow id; a digest of the plan when left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Run a plan: what explores at once, and what acts once people have approved it with every value in it."""
    from workers.commands.goals import ask_for  # noqa: PLC0415 - `check` reaches no server
    from workflows.agent.goals import RUN_PLAN, RunPlanInput  # noqa: PLC0415 - likewise

    closed = read_lists(lists)
    _, value, checked = looked_at(path, closed)
    end_with_mistakes(path, checked.mistakes)
    try:
        request = RunPlanInput.model_validate({"plan": value, "lists": closed, "break_glass": break_glass})
    except ValidationError as error:
        fail(f"{str(path)!r}: {error.errors(include_url=False, include_input=False)[0]['msg']}", Exit.USAGE)
    raise typer.Exit(int(asyncio.run(ask_for(RUN_PLAN, request, workflow_id, wait=wait, as_json=as_json))))


def looked_at(path: Path, lists: dict[str, tuple[str, ...]]) -> tuple[Draft, JsonValue, Checked]:
    """A plan in a file, with all that is wrong with it; ends where the file cannot be read.

    Args:
        path: The file.
        lists: Closed lists, by the names of input fields.
    """
    text = _text(path)
    draft = read_text(text)
    checked = check(draft, described(), lists)
    return draft, None if checked.mistakes else value_of(text), checked


def end_with_mistakes(path: Path, mistakes: tuple[Mistake, ...]) -> None:
    """Tell them, a line each, and end; go on where there are none."""
    if mistakes:
        count = f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}"
        for one in mistakes:
            err.print(shown(one.line()), markup=False, soft_wrap=True)
        fail(f"{str(path)!r} cannot be run: {count}", Exit.USAGE)


def read_lists(path: Path | None) -> dict[str, tuple[str, ...]]:
    """Closed lists from a file; ends where they are none."""
    if path is None:
        return {}
    try:
        return _LISTS.validate_json(_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        fail(f'{str(path)!r}: {where}: {first["msg"]}; write {{"branch": ["main", "next"]}}', Exit.USAGE)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(2 * MOST_BYTES + 1)
    except OSError as error:
        fail(f"{str(path)!r} cannot be read ({error.strerror})", Exit.USAGE)
    if len(content) > 2 * MOST_BYTES:
        fail(f"{str(path)!r} is longer than {2 * MOST_BYTES} bytes; a plan is {MOST_BYTES} at most", Exit.USAGE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        fail(f"{str(path)!r} is no text in UTF-8", Exit.USAGE)


def _as_json(path: Path, checked: Checked) -> dict[str, object]:
    return {
        "file": str(path),
        "valid": not checked.mistakes,
        "steps": checked.steps,
        "effect": str(checked.effect),
        "mistakes": [{"at": one.at, "message": one.says} for one in checked.mistakes],
    }


def _who_decides(path: Path, environment: str) -> str:
    from hitl.policy.explain import explain  # noqa: PLC0415 - `check` asks for no policy
    from hitl.policy.file import PolicyError, load_policy  # noqa: PLC0415 - likewise
    from hitl.protocol import Effect, PolicyContext  # noqa: PLC0415 - likewise

    try:
        found = load_policy(path)
    except PolicyError as error:
        fail(str(error), Exit.USAGE)
    return explain(found, environment, action="agent.run_plan", effect=Effect.DESTRUCTIVE, context=PolicyContext())
