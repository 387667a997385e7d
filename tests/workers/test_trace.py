"""`banksman trace` beside a trace store that answers as Tempo does."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.traces.app import create_app
from tests.connectors.serving import served
from tests.deploy.local.traces.test_traces import body_of, made, request_of, spans
from tests.stack import forked
from tests.stack.running import BIN
from workers.commands.exits import Exit

GOAL = "read-file/acme/shop with space"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    with served(create_app(tmp_path / "traces.db")) as url:
        yield url


def send(store: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    httpx.post(f"{store}/v1/traces", content=body, headers=headers).raise_for_status()


def banksman(store: str | None, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, away from any environment."""
    given = {"BANKSMAN_HOME": "/nonexistent", "COLUMNS": "100"} | ({"BANKSMAN_TEMPO_URL": store} if store else {})
    return forked.run(BIN / "banksman", ["trace", *arguments], environment={**os.environ, **given}, seconds=50)


def test_the_newest_trace_of_a_goal_is_drawn_and_what_failed_is_said(store: str) -> None:
    first, second = spans(workflow_id=GOAL), spans(workflow_id=GOAL)
    send(store, body_of(first))
    send(store, body_of(second))
    send(store, body_of(spans(workflow_id="another")))

    done = banksman(store, GOAL)

    assert done.returncode == 0, done.stderr
    [older, newer] = [f"{one[0].context.trace_id:032x}" for one in (first, second) if one[0].context]
    lines = done.stdout.splitlines()
    assert (lines[0].split("  ")[0], "2 spans, 1 failed" in lines[0], lines[2]) == ("RunWorkflow:ReadFile", True, newer)
    [step] = [line for line in lines if "github.read_file" in line]
    assert step.startswith("  github.read_file ")
    assert "█" in step
    assert "    the file is gone" in [line.rstrip() for line in lines]
    assert lines[-1] == f"1 older: banksman trace --id {older}"
    assert older in banksman(store, older, "--id").stdout
    assert '"RunWorkflow:ReadFile"' in banksman(store, GOAL, "--json").stdout


def test_a_trace_of_hundreds_of_spans_is_shown_in_part_and_whole_on_request(store: str) -> None:
    many = [made(1, attributes={"temporal.workflow_id": GOAL}), *(made(n, parent=1) for n in range(2, 302))]
    send(store, request_of(*many).SerializeToString())
    assert "101 more spans; --all shows them" in banksman(store, GOAL).stdout
    assert "more spans" not in banksman(store, GOAL, "--all").stdout


def test_what_others_wrote_is_seen_and_not_obeyed(store: str) -> None:
    hostile = made(1, name="\x1b[2J[bold]x[/bold]", attributes={"temporal.workflow_id": GOAL})
    send(store, request_of(hostile, service="[red]s[/red]").SerializeToString())
    shown = banksman(store, GOAL).stdout
    assert "\x1b[2J" not in shown
    assert "[bold]x[/bold]" in shown
    assert "[red]s[/red]" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], Exit.FAILED, "there is no trace of 'nobody'"),
        (["--id", "12"], Exit.FAILED, "there is no trace '12'"),
        (["--id", "../api"], Exit.USAGE, "'../api' is no trace id"),
    ],
)
def test_what_is_not_there_is_named(store: str, arguments: list[str], code: Exit, said: str) -> None:
    done = banksman(store, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_store_that_does_not_answer_or_is_none_is_named(store: str) -> None:
    gone = banksman("http://127.0.0.1:1", GOAL)
    assert (gone.returncode, "no trace store answers at http://127.0.0.1:1" in gone.stderr) == (Exit.FAILED, True)
    other = banksman(f"{store}/healthz", GOAL)
    assert (other.returncode, "answers 404" in other.stderr) == (Exit.FAILED, True)
    unknown = banksman(None, GOAL)
    assert (unknown.returncode, "set BANKSMAN_TEMPO_URL" in unknown.stderr) == (Exit.NO_STACK, True)
