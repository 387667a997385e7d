"""An embedded environment on a machine without a container engine, in a folder with a space in its name."""

import json
import shlex
import signal
import subprocess

import pytest

from deploy.local.processes.parts import LEFT_OUT
from tests.stack.running import BIN, README, ROOT, Running, eventually
from workflows.repository.goals import RUN_IN_SANDBOX

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

DELETE = '{"repository":"acme/shop","branch":"banksman/old-idea"}'
SANDBOX = RUN_IN_SANDBOX.example_json


def watching(running: Running, *arguments: str) -> "subprocess.Popen[str]":
    """`banksman run --wait` without a terminal."""
    command = [str(BIN / "banksman"), "run", *arguments, "--wait"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=running.environment, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def said_until(process: "subprocess.Popen[str]", last: str) -> str:
    """What it says on standard error, up to the line with that."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if last in line:
            return "".join(said)
    raise AssertionError(f"it ended without saying {last!r}: {said}")


def test_status_says_what_is_missing_and_why(bare: Running) -> None:
    told = json.loads(bare.banksman("status", "--json").stdout)
    assert told["stack"]["parts"] == {name: {"state": "missing", "why": LEFT_OUT} for name in ("sandbox", "stacks")}
    assert f"Sandbox      missing: {LEFT_OUT}" in bare.banksman("status").stdout.splitlines()


def test_a_goal_that_nobody_can_take_says_so_and_goes_on_without_who_watches(bare: Running) -> None:
    process = watching(bare, "RunInSandbox", "--input", SANDBOX)
    said = said_until(process, "nobody serves")
    assert f"waits: there is no sandbox here: {LEFT_OUT}\n" in said
    assert f"waits: nobody serves the queue banksman-sandbox: {LEFT_OUT}\n" in said
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert "Traceback" not in rest
    goal = next(line for line in rest.splitlines() if "goes on without this command" in line).split()[0]
    lines = {line.split(maxsplit=2)[-1] for line in rest.splitlines() if line.startswith("  ")}
    assert any(line.startswith("http") and line.endswith("/history") for line in lines)
    cancel = shlex.split(next(line.partition("temporal ")[2] for line in rest.splitlines() if " temporal " in line))
    described = bare.temporal("workflow", "describe", "--workflow-id", goal, "--output", "json")
    assert "WORKFLOW_EXECUTION_STATUS_RUNNING" in described.stdout
    pasted = subprocess.run([str(BIN / "temporal"), *cancel], capture_output=True, text=True, timeout=60, check=False)
    assert pasted.returncode == 0, pasted.stderr


def test_a_goal_that_waits_for_people_says_for_whom_and_so_does_status(bare: Running) -> None:
    process = watching(bare, "DeleteBranch", "--input", DELETE, "--id", "delete/it", "--json")
    said = said_until(process, "banksman approvals\n")
    assert "waits: for 1 of platform (alice, boris) to approve github.delete_branch, until " in said
    assert f" {bare.state['console']['url']}/approval?id=" in said
    assert f" {bare.state['twins']['slack']['url']}\n" in said

    def waiting() -> list[dict[str, str]]:
        return json.loads(bare.banksman("status", "--json").stdout)["waiting"]

    eventually(lambda: waiting() == [{"id": "delete/it", "state": "waiting"}], what="the goal among what waits")
    assert "             delete/it" in bare.banksman("status").stdout.splitlines()
    assert bare.temporal("workflow", "cancel", "--workflow-id", "delete/it").returncode == 0
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["outcome"] == "cancelled"


def test_what_can_be_pasted_can_be_pasted(bare: Running) -> None:
    done = bare.banksman("run", "ReadFile", "--input", README, "--id", "pasted", "--wait")
    grep = next(line.partition(" grep ")[2] for line in done.stderr.splitlines() if " grep " in line)
    found = subprocess.run(["/bin/sh", "-c", f"grep {grep}"], capture_output=True, text=True, timeout=20, check=False)
    assert (found.returncode, "pasted" in found.stdout) == (0, True), found.stderr


def test_eighty_columns_cut_nothing(bare: Running) -> None:
    environment = {**bare.environment, "COLUMNS": "80"}
    shown = subprocess.run(
        [str(BIN / "banksman"), "status"], env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    lines = shown.splitlines()
    assert [line for line in lines if len(line.rstrip()) > 80 and " " in line[13:].strip()] == []
    state = bare.state
    words = {*shown.split()}
    for whole in (state["vault"]["address"], state["traces"]["url"], state["console"]["url"], "worker-destructive"):
        assert whole in words
    assert f"'{state['logs']}'" in shown
