"""What a person typed after `--input`, made into a goal's input or into a refusal that shows what the goal takes."""

import json
import shlex
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue, ValidationError
from rich.markup import escape
from rich.table import Table

from hitl.approval.rehearsal import Rehearsal
from workers.commands.exits import Exit, err, fail
from workflows.contracts import GoalInput
from workflows.converter import describe_problems
from workflows.goal_type import GoalType


def after_rehearsal(goal: GoalType, request: GoalInput, file: Path) -> GoalInput:
    """The same input with the document of its rehearsal; ends by telling why that is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"the rehearsal {str(file)!r} cannot be read: {error}", Exit.USAGE)
    try:
        document = Rehearsal.model_validate_json(text)
    except ValidationError as error:
        fail(f"{str(file)!r}: {describe_problems(Rehearsal, error)}", Exit.USAGE)
    try:
        return goal.input.model_validate({**request.model_dump(exclude_unset=True), "rehearsal": document})
    except ValidationError as error:
        fail(describe_problems(goal.input, error), Exit.USAGE)


class _Twice(ValueError):
    """A field is said twice; JSON readers keep the last one in silence."""


def parse_input(goal: GoalType, text: str | None) -> GoalInput:
    """The goal's input from JSON or from a file; ends by telling what is wrong, and the goal's fields."""
    if text is None:
        refuse_input(goal, f"{goal.name} needs an input: give it with --input")
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"the input file {text[1:]!r} cannot be read: {error}", Exit.USAGE)
    try:
        request = goal.input.model_validate_json(text)
        json.loads(text, object_pairs_hook=_each_once)
    except ValidationError as error:
        refuse_input(goal, describe_problems(goal.input, error))
    except _Twice as error:
        refuse_input(goal, f"{goal.input.__name__}: {error}")
    return request


def _each_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(f"field {name!r} is there twice; say once what it shall be")
        found[name] = value
    return found


def refuse_input(goal: GoalType, problem: str) -> NoReturn:
    """Say what is wrong, then what would be right."""
    try:
        fail(problem, Exit.USAGE)
    finally:
        err.print(fields_of(goal))
        err.print(f"  [dim]$[/] {escape(run_line(goal))}", soft_wrap=True)


def fields_of(goal: GoalType) -> Table:
    """Each field of a goal's input, and what it means."""
    fields = Table(box=None, padding=(0, 1), show_header=False)
    for overflow in ("ignore", "ignore", "fold"):
        fields.add_column(no_wrap=overflow == "ignore")
    for name, field in goal.input.model_fields.items():
        word = "required" if field.is_required() else "optional"
        fields.add_row(f" [cyan]{name}[/]", f"[dim]{word}[/]", escape(field.description or ""))
    return fields


def run_line(goal: GoalType) -> str:
    """The command that runs the goal's example."""
    return f"banksman run {goal.name} --input {shlex.quote(goal.example_json)} --wait"
