"""The parts of the command that need no stack; what needs one is in tests/stack."""

import json
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from deploy.local.state import StackState
from workers.cli import _PLACES, app
from workers.commands.exits import Exit
from workers.commands.goals import complete_goal
from workers.commands.status import _phase
from workflows.registry import GOALS

RUN = CliRunner()
POLICY = "environments:\n  local: {phase: read_only}\n"


def test_goals_as_json_is_what_a_script_needs() -> None:
    found = json.loads(RUN.invoke(app, ["goals", "--json"]).stdout)
    assert [set(goal) for goal in found] == [{"name", "task_queue", "input_schema", "example"}] * len(GOALS)
    assert found[0]["task_queue"] == "banksman-goals"
    assert found[0]["input_schema"]["properties"]["path"]["description"]


def test_goals_shows_each_field_and_the_temporal_command() -> None:
    text = RUN.invoke(app, ["goals"], env={"COLUMNS": "200"}).stdout
    for goal in GOALS:
        assert goal.temporal_command() in text.replace("\n", "")
        assert all(name in text for name in goal.input.model_fields)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ReadFiel", "--input", "{}"], "no goal 'ReadFiel'; there are: ReadFile"),
        (["ReadFile", "--input", "{"], "the input is not JSON"),
        (["ReadFile", "--input", "[]"], "ReadFileInput"),
        (["ReadFile", "--input", '{"repository":"acme/shop"}'], "field 'path' is missing"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"a","x":1}'], "field 'x' is unknown"),
        (["ReadFile", "--input", '{"repository":"shop","path":"a"}'], "'shop' is not OWNER/NAME"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"../a"}'], "not a path inside the repository"),
        (["ReadFile", "--input", '{"repository":"acme/shop","path":"a\\u0000"}'], "NUL"),
        (["ReadFile", "--input", "@/nowhere/at/all.json"], "cannot be read"),
    ],
)
def test_bad_input_is_one_line_before_anything_starts(arguments: list[str], says: str) -> None:
    result = RUN.invoke(app, ["run", *arguments], env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.USAGE
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_input_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"repository":"acme/shop"}')
    assert "field 'path' is missing" in RUN.invoke(app, ["run", "ReadFile", "--input", f"@{file}"]).stderr


@pytest.mark.parametrize("command", [["status"], ["run", "ReadFile", "--input", GOALS[0].example_json]])
def test_without_a_stack_the_way_to_one_is_told(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANKSMAN_TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("BANKSMAN_DEVELOPMENT", "true")
    monkeypatch.setenv("BANKSMAN_ENCRYPT_PAYLOADS", "false")
    result = RUN.invoke(app, command, env={"COLUMNS": "1000"})
    assert result.exit_code == Exit.NO_STACK
    assert "banksman up" in result.stdout + result.stderr


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


def test_goal_names_complete() -> None:
    assert complete_goal("read") == ["ReadFile"]
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
