"""What others wrote, on a person's terminal: seen, not obeyed."""

import io
from typing import get_args

import pytest
import typer
from rich.console import Console

from workers.commands import exits, follow
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
