"""Stacks kept with Pulumi's Automation API are read like any other; why it changes none here is decision 0021."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from connectors.pulumi.history import read_history
from connectors.pulumi.identity import state_identity
from tests.connectors.pulumi.machine import PROGRAM, STACK, Stack

pytestmark = pytest.mark.timeout(180)

OPENED = f"""
import json, sys
import pulumi.automation as auto
stack = auto.select_stack({STACK!r}, work_dir=sys.argv[1])
"""
KEPT = """
stack.set_config("second", auto.ConfigValue("2"))
stack.set_config("password", auto.ConfigValue("hunter3-canary", secret=True))
stack.up(message="by the Automation API")
outputs = {name: output.value for name, output in stack.outputs().items()}
print(json.dumps({"outputs": outputs, "history": len(stack.history()), "state": stack.export_stack().deployment}))
"""
UP = """
try:
    stack.up(plan=sys.argv[2], policy_packs=[sys.argv[3]])
except auto.CommandError as error:
    print(json.dumps({"refused": "is not allowed" in str(error)}))
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def two(args, report):
    if args.name == "second" and args.props.get("content") == "2":
        report("two is not allowed")

PolicyPack("house", policies=[ResourceValidationPolicy("no-two", "No two.", two, EnforcementLevel.MANDATORY)])
"""


def automated(stack: Stack, program: str, *words: object) -> dict[str, Any]:
    """Run this with Pulumi's own library in the CLI's version, as somebody does who keeps the stack with it."""
    done = subprocess.run(
        [str(stack.tools.python / "bin/python"), "-c", OPENED + program, str(stack.program), *map(str, words)],
        env=stack.environment(), capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_stack_kept_with_it_is_read_like_any_other(stack: Stack) -> None:
    told = automated(stack, KEPT)
    assert told["outputs"] == {"output": "x"}
    assert (stack.files / "second.txt").read_text() == "2"
    updates = read_history(stack.run("stack", "history", "--json", "--page-size=0").must().text.encode())
    assert len(updates) == told["history"] == 2
    exported = json.dumps({"version": 3, "deployment": told["state"]}).encode()
    assert state_identity(exported) == state_identity(stack.export())
    assert b"hunter3-canary" not in stack.export()


@pytest.fixture
def refused(stack: Stack, tmp_path: Path) -> tuple[Stack, Path]:
    """A plan of two changes of which the second breaks a rule, made before there was the rule."""
    if not (stack.tools.path / "pulumi-analyzer-policy-python").exists():
        pytest.skip("the program that runs policy packs is not in the module cache of Go")
    pack = tmp_path / "pack"
    pack.mkdir()
    options = {"name": "python", "options": {"virtualenv": str(stack.tools.python)}}
    (pack / "PulumiPolicy.yaml").write_text(json.dumps({"runtime": options}))
    (pack / "__main__.py").write_text(PACK)
    stack.write(PROGRAM)
    stack.configure("first", "2")
    stack.configure("second", "2")
    stack.preview().must()
    return stack, pack


def test_gap_its_up_finds_a_refusal_of_a_policy_only_after_it_changed_something(refused: tuple[Stack, Path]) -> None:
    stack, pack = refused
    told = automated(stack, UP, stack.plan, pack)
    assert told["refused"]
    assert (stack.files / "first.txt").read_text() == "2", "what came before the violation is changed"
    assert (stack.files / "second.txt").read_text() == "1"


def test_the_cli_refuses_the_same_before_anything_is_changed(refused: tuple[Stack, Path]) -> None:
    stack, pack = refused
    assert stack.up(f"--policy-pack={pack}").code != 0
    assert (stack.files / "first.txt").read_text() == "1"
