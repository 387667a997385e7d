"""The parts of the command that need no environment; what needs one is in tests/stack."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from deploy.local.state import StackState
from workers.cli import _PLACES, app
from workers.commands.exits import Exit
from workers.commands.folder import NO_STACK
from workers.commands.goals import complete_goal
from workers.commands.status import _phase
from workers.settings import Locations
from workflows.catalogue import GOALS, find_goal
from workflows.goal_type import GoalType
from workflows.repository.goals import READ_FILE

RUN = CliRunner()
TWICE_BELOW = '{"repository":"a/b","title":"t","files":[{"path":"x","content":"y","content":"z"}]}'
POLICY = "environments:\n  local: {phase: read_only}\n"


def test_goals_as_json_is_what_a_script_needs() -> None:
    found = json.loads(RUN.invoke(app, ["goals", "--json"]).stdout)
    assert [set(goal) for goal in found] == [{"name", "task_queue", "input_schema", "example"}] * len(GOALS)
    assert found[0]["task_queue"] == "banksman-goals"
    [reading] = [goal for goal in found if goal["name"] == "ReadFile"]
    assert reading["input_schema"]["properties"]["path"]["description"]


def test_goals_is_a_short_list_in_whole_words() -> None:
    lines = RUN.invoke(app, ["goals"], env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 2 * len(GOALS)
    words = " ".join(lines).split()
    for goal in GOALS:
        assert {goal.name, *goal.description.split()} <= {*words}


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_one_goal_is_told_with_each_field_and_how_to_start_it(goal: GoalType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANKSMAN_TEMPORAL_ADDRESS", "127.0.0.1:7777")
    monkeypatch.setenv("BANKSMAN_TEMPORAL_NAMESPACE", "of ours")
    lines = RUN.invoke(app, ["goals", goal.name], env={"COLUMNS": "80"}).stdout.splitlines()
    words = " ".join(lines).split()
    for name, field in goal.input.model_fields.items():
        assert {name, *(field.description or "").split()} <= {*words}
    ours, temporal = (shlex.split(line.strip().removeprefix("$ ")) for line in lines if "$ " in line)
    assert ours == ["banksman", "run", goal.name, "--input", goal.example_json, "--wait"]
    assert temporal[:3] == ["temporal", "workflow", "execute"]
    options = dict(zip(temporal[3::2], temporal[4::2], strict=True))
    assert (options["--address"], options["--namespace"]) == ("127.0.0.1:7777", "of ours")
    assert options["--input"] == goal.example_json


def test_a_goal_that_is_misspelt_is_guessed() -> None:
    result = RUN.invoke(app, ["goals", "ReadFiel"], env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.USAGE
    assert "did you mean 'ReadFile'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ReadFile"], "ReadFile needs an input: give it with --input"),
        (["ReadFile", "--input", "{"], "the input is not JSON"),
        (["ReadFile", "--input", "[]"], "ReadFileInput"),
        (["ReadFile", "--input", '{"repository":"acme/shop"}'], "field 'path' is missing"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"a","x":1}'], "field 'x' is unknown"),
        (["ReadFile", "--input", '{"repository":"shop","path":"a"}'], "'shop' is not OWNER/NAME"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"../a"}'], "not a path inside the repository"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"a\\u0000"}'], "NUL"),
        (["ReadFile", "--input", '{"repository":"a/b","path":"x","path":"y"}'], "field 'path' is there twice"),
        (["OpenPullRequest", "--input", TWICE_BELOW], "field 'content' is there twice"),
    ],
)
def test_a_bad_input_is_told_with_what_the_goal_takes(arguments: list[str], says: str) -> None:
    result = RUN.invoke(app, ["run", *arguments], env={"COLUMNS": "80"})
    assert result.exit_code == Exit.USAGE
    first, *fields, example = result.stderr.strip().splitlines()
    assert says in first
    goal = find_goal(arguments[0])
    assert goal is not None
    for name, field in goal.input.model_fields.items():
        assert {name, *(field.description or "").split()} <= {*" ".join(fields).split()}
    assert shlex.split(example.strip().removeprefix("$ "))[-2] == goal.example_json


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ReadFiel", "--input", "{}"], f"no goal 'ReadFiel'; did you mean 'ReadFile'? There are: {GOALS[0].name}, "),
        (["ReadFile", "--input", "@/nowhere/at/all.json"], "cannot be read"),
    ],
)
def test_what_is_not_there_is_one_line(arguments: list[str], says: str) -> None:
    result = RUN.invoke(app, ["run", *arguments], env={"COLUMNS": "80"})
    assert (result.exit_code, len(result.stderr.strip().splitlines())) == (Exit.USAGE, 1)
    assert says in result.stderr


def test_an_input_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"repository":"acme/shop"}')
    assert "field 'path' is missing" in RUN.invoke(app, ["run", "ReadFile", "--input", f"@{file}"]).stderr


@pytest.mark.parametrize("command", [["status"], ["run", "ReadFile", "--input", READ_FILE.example_json]])
def test_without_a_stack_the_way_to_one_is_told(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANKSMAN_TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("BANKSMAN_DEVELOPMENT", "true")
    monkeypatch.setenv("BANKSMAN_ENCRYPT_PAYLOADS", "false")
    result = RUN.invoke(app, command, env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.NO_STACK
    assert "banksman up" in result.stdout + result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["run", "ReadFile", "--input", READ_FILE.example_json],
        ["approvals"],
        ["approvals", "show", "x"],
        ["resume", "x"],
        ["worker", "goals"],
    ],
    ids=" ".join,
)
def test_without_a_stack_each_command_says_the_same(command: list[str]) -> None:
    result = RUN.invoke(app, command, env={"COLUMNS": "80"})
    assert result.exit_code == Exit.NO_STACK
    assert NO_STACK in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_stack_of_somebody_elses_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where anybody may make a `.banksman` above us."""
    monkeypatch.delenv("BANKSMAN_HOME")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    planted = tmp_path / ".banksman" / "stack.json"
    planted.parent.mkdir()
    planted.touch()
    assert Locations().folder() == planted.parent
    os.chown(planted, 65534, 65534)
    assert Locations().folder() == here / ".banksman"


def test_another_temporal_that_encrypts_asks_for_its_codec_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANKSMAN_TEMPORAL_ADDRESS", "temporal.example:7233")
    result = RUN.invoke(app, ["approvals"], env={"COLUMNS": "80"})
    assert result.exit_code == Exit.NO_STACK
    assert "payloads are encrypted at 'temporal.example:7233': set BANKSMAN_CODEC_ENDPOINT" in result.stderr


def test_status_as_json_says_that_nothing_runs() -> None:
    result = RUN.invoke(app, ["status", "--json"])
    assert json.loads(result.stdout) == {"running": False}
    assert result.exit_code == Exit.NO_STACK


def test_down_without_a_stack_is_harmless() -> None:
    result = RUN.invoke(app, ["down"])
    assert (result.exit_code, result.stdout.strip()) == (0, "No stack is running here.")


@pytest.mark.parametrize("given", ["acme/shop", "shop=.", "acme/shop=/nowhere/at/all"])
def test_a_repository_option_is_checked(given: str) -> None:
    result = RUN.invoke(app, ["up", "--repository", given], env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.USAGE
    assert given.partition("=")[0] in result.stderr


def test_a_policy_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["up", "--policy", str(tmp_path / "none.yaml")], env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.USAGE
    assert "none.yaml" in result.stderr


def test_a_policy_is_checked_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("environments:\n  local:\n    phase: reckless\n")
    result = RUN.invoke(app, ["policy", "check", str(file)], env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.USAGE
    assert "3" in result.stderr
    assert "reckless" in result.stderr


def test_the_shipped_policy_is_valid_and_explained() -> None:
    assert RUN.invoke(app, ["policy", "check"]).exit_code == 0
    result = RUN.invoke(app, ["policy", "explain", "github.read_file", "--repository", "acme/shop"])
    assert "allowed" in result.stdout


def test_the_policy_is_asked_with_the_effect_that_the_step_declares() -> None:
    told = RUN.invoke(app, ["policy", "explain", "github.delete_branch", "--repository", "acme/shop"]).stdout
    assert told.startswith("github.delete_branch [destructive] in local")
    assert "allowed with an approval" in told
    assert "approval: 1 of platform: alice, boris" in told
    assert "approve within 1d; carry out within 1h" in told
    assert "break glass: 2 of emergency: alice, boris, chika" in told


@pytest.mark.parametrize(
    ("action", "says"), [("github.delete_brnch", "did you mean 'github.delete_branch'?"), ("x", "")]
)
def test_the_policy_is_not_asked_of_what_no_step_does(action: str, says: str) -> None:
    result = RUN.invoke(app, ["policy", "explain", action], env={"COLUMNS": "1000"})
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")
    assert f"no step is called {action!r}" in result.stderr
    assert says in result.stderr


def test_goal_names_complete() -> None:
    assert complete_goal("readf") == ["ReadFile"]
    assert complete_goal("x") == []


@pytest.mark.parametrize("name", [name for name, place in _PLACES.items() if place.panel is not None])
def test_the_list_says_of_each_command_what_it_says_itself(name: str) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert _PLACES[name].says == (group.commands[name].help or "").partition("\n")[0]
    assert _PLACES[name].says in " ".join(RUN.invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout.split())


@pytest.mark.parametrize(("text", "phase"), [(POLICY, "read_only"), ("environments: {}", None), (None, None)])
def test_status_tells_the_phase_that_the_policy_says_now(text: str | None, phase: str | None, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_text(text)
    state = StackState.model_validate(
        {
            "pid": 1,
            "temporal": {"address": "127.0.0.1:1", "namespace": "default", "ui": "http://127.0.0.1:2"},
            "vault": {"address": "http://127.0.0.1:3"},
            "twins": {},
            "workers": {},
            "traces": {"url": "http://127.0.0.1:4"},
            "logs": "",
            "policy": str(file),
            "environment": "local",
        }
    )
    assert _phase(state) == phase


EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp"
COMMANDS = {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.mark.parametrize(
    "line",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["goals", f"--{EVIL}"],
        ["goals", "DeleteBranch", EVIL],
        ["worker", EVIL],
        ["policy", EVIL],
        ["policy", "explain", EVIL],
        ["policy", "explain", "github.read_file", "--repository", EVIL],
        ["artifact", "x", f"--{EVIL}=1"],
        ["resume", "x", f"--note={EVIL}", EVIL],
    ],
    ids=lambda line: " ".join(line).replace(EVIL, "EVIL"),
)
def test_an_argument_that_is_refused_commands_no_terminal(line: list[str]) -> None:
    result = RUN.invoke(app, line, env={"COLUMNS": "1000", "FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert result.exit_code == Exit.USAGE
    ours = re.sub(r"\x1b\[[0-9;]*m", "", result.output)  # rich's own colours
    assert not COMMANDS & {*ours}, ours
    assert "\\u202egnp" in ours


def test_a_command_that_breaks_over_an_argument_commands_no_terminal() -> None:
    breaks = (
        "import sys, workers.commands.policy as it\n"
        "def breaks(path): raise RuntimeError(str(path))\n"
        f"it.load_policy, sys.argv = breaks, ['banksman', 'policy', 'check', {EVIL!r}]\n"
        "from workers.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", breaks], capture_output=True, timeout=50, check=False)
    told = done.stderr.decode()
    assert (done.returncode, "RuntimeError" in told) == (1, True)
    assert not COMMANDS & {*told}, told
