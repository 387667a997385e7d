"""What others wrote, on a person's terminal: seen, not obeyed."""

import io
import json
import re
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from temporalio.client import WorkflowHandle

from workers.commands import exits, follow, goals
from workers.commands.exits import Exit, fail, shown
from workflows.contracts import Outcome

HOSTILE = "\x1b]0;owned\x07\x1b[2Jrm -rf\r\x9b31m [bold]markup[/bold] 日本\n\tend\n"


def test_controls_are_shown_and_text_stays() -> None:
    assert shown("größer\n\t日本 [x]") == "größer\n\t日本 [x]"
    assert not set("\x1b\x07\r\x9b") & set(shown(HOSTILE))


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def stdout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=io.StringIO(), force_terminal=bool(request.param), color_system=None, highlight=False)
    monkeypatch.setattr(follow, "out", console)
    return console


def test_what_was_not_carried_out_whole_is_told_whole(stdout: Console) -> None:
    follow._print_result({"outcome": "partially_applied", "reason": "it is in use", "not_done": ["delete blog"]})
    assert isinstance(stdout.file, io.StringIO)
    assert "delete blog" in stdout.file.getvalue()


def test_what_cut_a_completed_goal_short_is_told_after_its_result(
    stdout: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Console(file=io.StringIO(), width=40, color_system=None)
    monkeypatch.setattr(follow, "err", beside)
    why = "The command did not end \x1b[2J within its 2 seconds: raise 'timeout_seconds'."
    follow._print_result({"outcome": "completed", "ended": "timeout", "reason": why})
    assert isinstance(beside.file, io.StringIO)
    assert beside.file.getvalue() == f"but: {shown(why)}\n"


def test_every_outcome_has_its_exit_code() -> None:
    told = {outcome: follow.exit_of({"outcome": outcome}) for outcome in get_args(Outcome)}
    assert told.pop("completed") is follow.exit_of({}) is Exit.COMPLETED
    incomplete = {outcome for outcome, code in told.items() if code is Exit.INCOMPLETE}
    assert incomplete == {"refused", "partially_applied", "unknown"}
    assert {code for outcome, code in told.items() if outcome not in incomplete} == {Exit.DENIED}


def test_a_file_is_obeyed_by_no_terminal_and_whole_in_a_pipe(stdout: Console) -> None:
    follow._print_result({"outcome": "completed", "encoding": "utf-8", "content": HOSTILE})
    assert isinstance(stdout.file, io.StringIO)
    told = stdout.file.getvalue()
    assert "[bold]markup[/bold]" in told
    assert told == (shown(HOSTILE) if stdout.is_terminal else HOSTILE)


def test_an_error_shows_what_it_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=40)
    monkeypatch.setattr(exits, "err", console)
    with pytest.raises(typer.Exit) as ended:
        fail(f"no file {HOSTILE} [/] and a long line that must stay one line to be copied", Exit.USAGE)
    assert ended.value.exit_code == Exit.USAGE
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert not set("\x1b\x07\x9b") & set(told)
    assert "a long line that must stay one line to be copied" in told


WORSE = f"{HOSTILE}\u202egnp\u3164\u2800\U000e0100\ue000"


@pytest.fixture
def terminal() -> exits.SafeConsole:
    return exits.SafeConsole(
        file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False, width=60
    )


def test_a_lines_number_stays_one(terminal: exits.SafeConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "err", terminal)
    with pytest.raises(typer.Exit):
        fail("policy.yaml:100: environments: is missing :smile:")
    assert "policy.yaml:100: environments: is missing :smile:" in told_by(terminal)


def told_by(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_no_line_of_ours_lets_an_id_or_an_input_command_the_terminal(
    terminal: exits.SafeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console itself sees to it, whatever a command prints and however: no command has to think of it."""
    monkeypatch.setattr(goals, "err", terminal)
    started = follow.Started(
        handle=cast("WorkflowHandle[Any, Any]", None),
        workflow_id=WORSE,
        run_id="r",
        link="http://127.0.0.1/x",
        existing=False,
        trace_id=None,
    )
    goals._announce(started)
    table = Table("id", "said")
    table.add_row(escape(WORSE), WORSE)
    terminal.print(table)
    terminal.print(WORSE, markup=False)
    with terminal.status(escape(WORSE)):
        terminal.print(f"[bold]{escape(WORSE)}[/]", soft_wrap=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told_by(terminal))  # rich's own colours and movements
    assert "Started" in plain
    assert "owned" in plain
    assert not set("\x1b\x07\x9b\u202e\u3164\u2800\U000e0100\ue000") & set(plain)
    assert "\x1b]" not in told_by(terminal)
    assert "\x1b[2J" not in told_by(terminal)


def test_every_command_writes_by_such_a_console() -> None:
    assert isinstance(exits.out, exits.SafeConsole)
    assert isinstance(exits.err, exits.SafeConsole)
    made = [path for path in Path(exits.__file__).parents[1].rglob("*.py") if " Console(" in path.read_text("utf-8")]
    assert made == []


def test_json_is_the_same_to_a_program_and_shows_a_person_what_hides(terminal: exits.SafeConsole) -> None:
    value = {"said": WORSE, "größe": ["日本", 1, None]}
    terminal.print_json(json.dumps(value))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", told_by(terminal))
    assert json.loads(plain) == value
    assert "größe" in plain
    assert plain.replace("\n", "").isprintable()
