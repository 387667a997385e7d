"""`banksman plan`, as people and scripts call it."""

import json
from pathlib import Path
from typing import Final

import pytest
from pydantic import JsonValue
from typer.testing import CliRunner

from tests.hitl.plan_language.planning import OPEN, delete, plan_of, step
from workers.cli import app

POLICY: Final = """\
people: {alice: [slack:U0ALICE], bob: [slack:U0BOB]}
groups: {platform: [alice, bob]}
environments:
  live:
    phase: production
    actions: [{allow: agent.run_plan}]
    approvals: [{action: agent.run_plan, groups: [platform], quorum: 2}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    """What the command says, on both outputs."""
    done = CliRunner().invoke(app, ["plan", *words], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def write(folder: Path, value: JsonValue, name: str = "plan.json") -> None:
    (folder / name).write_text(json.dumps(value), encoding="utf-8")


def test_a_right_one_is_told_so(folder: Path) -> None:
    write(folder, plan_of())
    assert run("check", "plan.json") == ("✓ plan.json: Copy the motto: 2 steps at most, strongest effect write\n")
    assert json.loads(run("check", "plan.json", "--json")) == {
        "file": "plan.json",
        "valid": True,
        "steps": 2,
        "effect": "write",
        "mistakes": [],
    }


def test_every_mistake_is_told_and_the_exit_code_is_that_of_other_checks(folder: Path) -> None:
    write(folder, plan_of(act=[step(OPEN, goal="OpenPulRequest"), delete("a b")]))
    lines = run("check", "plan.json", code=2).splitlines()
    assert lines[0].startswith("/act/0/goal: there is no goal 'OpenPulRequest'; did you mean 'OpenPullRequest'?")
    assert lines[1].startswith("/act/1/inputs/branch: 'a b' is not a branch")
    assert lines[2] == "error: 'plan.json' cannot be run: 2 mistakes"
    found = json.loads(run("check", "plan.json", "--json", code=2))
    assert [one["at"] for one in found["mistakes"]] == ["/act/0/goal", "/act/1/inputs/branch"]
    assert run("show", "plan.json", code=2).splitlines()[-1] == lines[2]


def test_it_is_shown_with_every_input_and_who_decides(folder: Path) -> None:
    write(folder, plan_of(act=[OPEN, delete("old")]))
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    said = run("show", "plan.json", "--policy", "policy.yaml", "--environment", "live")
    assert "Strongest effect: destructive" in said
    assert "/files/0/content: ← motto.content" in said
    assert '/branch: "old"' in said
    assert "platform" in said


def test_a_closed_list_is_read_from_a_file(folder: Path) -> None:
    write(folder, plan_of(act=[delete({"$from": "motto.content"})]))
    assert "give a closed list of 'branch'" in run("check", "plan.json", code=2)
    write(folder, {"branch": ["old"]}, "lists.json")
    assert run("check", "plan.json", "--lists", "lists.json").startswith("✓")
    write(folder, {"branch": "old"}, "lists.json")
    assert "'lists.json': branch:" in run("check", "plan.json", "--lists", "lists.json", code=2)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"{", "it is not JSON"), (b"\xff", "is no text in UTF-8"), (b" " * 200_000, "is longer than 131072 bytes")],
)
def test_a_file_that_is_no_plan_is_told(folder: Path, content: bytes, says: str) -> None:
    (folder / "plan.json").write_bytes(content)
    assert says in run("check", "plan.json", code=2)
    assert "cannot be read" in run("check", "other.json", code=2)


def test_a_plan_with_mistakes_reaches_no_server_and_a_right_one_wants_one(folder: Path) -> None:
    write(folder, plan_of(act=[step(OPEN, goal="X")]))
    assert "cannot be run: 1 mistake" in run("run", "plan.json", code=2)
    write(folder, plan_of())
    assert "BANKSMAN_TEMPORAL_ADDRESS" in run("run", "plan.json", code=5)


def test_what_hides_in_a_file_is_written_out(folder: Path) -> None:
    write(folder, plan_of(act=[step(OPEN, goal="\u202eOpen\x1b[2J")]))
    said = run("check", "plan.json", code=2)
    assert "\\u202eOpen\\u001b[2J" in said
    assert "\x1b[2J" not in said
