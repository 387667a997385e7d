"""Every command of the documentation is run as it is written, on an environment whose usual ports somebody else has.

What cannot be run here is named below, each with where it is run, or why nowhere. A new command that is in neither is
run, and so fails this test where it does not work.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.docs.markdown import PAGES, ROOT, blocks, command_lines
from tests.stack import forked
from tests.stack.running import BIN, Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

PROGRAMS: Final = ("banksman", "temporal", "make")

NOT_HERE: Final = {
    r"make (demo|down)": "tests/stack/test_demo.py",
    r"make (docs|record-histories)": "what they write is held equal: tests/docs/test_reference.py",
    r"banksman (goals|run) CountLines": "the goal that a page adds: tests/docs/test_how_to_add.py",
    r"banksman up --detach --observability": "it may have to build three servers: make test-observability",
    r"make (test|check|install)": "they are what runs this test, and made the environment that it runs in",
    r"temporal workflow execute --type (?!ReadFile|OpenPullRequest)": "tests/stack/test_goals.py runs every example",
    r"banksman run (DeleteBranch|DeleteNeonBranch|RemoveRedis|RemoveQdrant) .*--wait": (
        "they wait for a person: tests/stack/test_goals.py"
    ),
    r"banksman rehearse DeleteBranch|banksman run DeleteBranch .*--rehearsal FILE": (
        "half a minute, and the document that comes of it: tests/stack/test_rehearse.py"
    ),
    r"banksman rehearse RunPlan|banksman ask --rehearse": (
        "half a minute, and a file of one's own: tests/stack/test_rehearse.py, tests/workers/test_rehearse_plan.py"
    ),
    r"banksman rehearse DeployNewFeature": (
        "it needs a container engine and Pulumi's image: tests/stack/test_rehearsed_service.py"
    ),
    r"banksman run LeaseGpu .*--wait": "it holds its machine for hours: tests/stack/test_gpu.py",
    r"banksman run ServeModel .*--wait": "it holds one until nobody asks it: tests/stack/test_serve_model.py",
    r"banksman gpu (restart|rename) |temporal workflow update execute --workflow-id lease-gpu": (
        "they need a machine: tests/stack/test_gpu.py"
    ),
    r"banksman leases (show|extend|end|hand-over|reconcile --kind) ": "they need a lease: tests/workers/test_leases.py",
    r"banksman ask Delete .*--wait": "it waits for a person: tests/workflows/agent/test_ask_for.py",
    r"banksman investigate --goal": "it needs a goal: tests/workflows/agent/test_investigate.py",
    r"banksman plan run": "it waits for a person: tests/stack/test_plans.py",
    r"banksman run SearchRepository": "it needs a container engine: tests/stack/test_goals.py",
    r"banksman run EditRepository": "it needs one, too: tests/stack/test_goals.py",
    r"banksman run CodingJob": "it needs one, too: tests/stack/test_goals.py",
    r"banksman run RunInSandbox": "it needs a container engine: tests/stack/test_sandbox.py",
    r"banksman run DeployNewFeature": "it needs one and Pulumi's image: tests/stack/test_demo.py",
    r"banksman run MigrateDatabase": "it needs a container engine: tests/stack/test_migrate.py",
    r"banksman run (PreviewAndUp|DetectDrift|InspectStack|RollBackStack|RestoreState|DestroyStack|UnlockStack)": (
        "they need a container engine and an image with Pulumi: tests/stack/test_stacks.py"
    ),
    r"banksman up --detach --encrypt|.*--codec-endpoint": "where payloads are encrypted: tests/stack/test_encrypted.py",
    r"banksman up --detach --repository": "it starts another environment: tests/stack/test_supervisor.py",
    r"banksman run ReadFile .*acme/crm": "it needs the repository that the command before brings in",
    r"temporal workflow update execute --workflow-id shop-cart": (
        "it needs a deployment under way: tests/workflows/deploy_feature/test_attending.py"
    ),
    r"banksman github (setup|check|rotate-key|rotate-webhook)": (
        "they want a person, and a token of Vault's: tests/workers/github_app/test_making.py"
    ),
    r"banksman github schedules (pause|resume)": (
        "they need a schedule of a repository: tests/hitl/gateway/test_github_schedules.py"
    ),
    r"banksman github forget": "it finds nothing that is four days old: tests/workers/forgetting/test_forget.py",
    r"banksman down": "tests/stack/test_supervisor.py",
    r"banksman worker": "it runs until it is ended: tests/stack/test_supervisor.py",
}
"""By what the command line begins with."""

REFUSALS: Final = {
    r"banksman policy check bad\.yaml": 2,
    r"banksman manifest check (wrong\.yaml|--policy deployment\.yaml)": 2,
    r"banksman manifest init": 2,
    r"banksman feedback": 3,
}
"""What ends with another code than 0, as the page says; a manifest is not begun where that of the page lies already."""


def documented() -> list[list[str]]:
    """The command lines of all pages, each once, in order."""
    lines = (words for page in PAGES for words in command_lines(page) if words and words[0] in PROGRAMS)
    return [shlex.split(line) for line in dict.fromkeys(map(shlex.join, lines))]


def excuse(words: list[str]) -> str | None:
    """Why it is not run here; None where it is."""
    line = " ".join(words)
    return next((reason for pattern, reason in NOT_HERE.items() if re.match(pattern, line)), None)


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A folder with the files that the pages speak of."""
    for page in PAGES:
        for block in blocks(page):
            kind, _, name = block.info.partition(" ")
            if kind in {"yaml", "json"} and name:
                file = tmp_path / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, encoding="utf-8")
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    return tmp_path


def test_every_command_that_is_not_run_here_is_one_of_a_page_and_its_test_is_there() -> None:
    lines = [" ".join(words) for words in documented()]
    assert [pattern for pattern in NOT_HERE if not any(re.match(pattern, line) for line in lines)] == []
    named = [one for reason in NOT_HERE.values() for one in re.findall(r"tests/[\w/]+\.py", reason)]
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_the_documented_commands_work(bare: Running, reader: Path) -> None:
    assert bare.state["temporal"]["address"] != "127.0.0.1:7233"
    wrong: list[str] = []
    ran = 0
    for words in documented():
        if excuse(words):
            continue
        ran += 1
        try:
            done = as_written(bare, words, reader)
        except subprocess.TimeoutExpired as late:
            wrong.append(f"{shlex.join(words)} did not end in {late.timeout:g} s")
            continue
        expected = next((code for line, code in REFUSALS.items() if re.match(line, " ".join(words))), 0)
        if done.returncode != expected or "Traceback" in done.stderr:
            wrong.append(f"{shlex.join(words)} ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
    assert not wrong, "\n\n".join(wrong)
    assert ran > 15


def as_written(running: Running, words: list[str], reader: Path) -> "subprocess.CompletedProcess[str]":
    """Run it as a reader would, who says where Temporal is as the README tells them to."""
    where = ["--address", running.state["temporal"]["address"]] if words[0] == "temporal" else []
    given = [an_approval(running) if word == "ID" else word for word in words[1:]]
    known = {**running.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}
    line = [words[0], *(word for word in given if word != "--address" or where), *where]
    if words[0] == "banksman":
        return forked.run(BIN / "banksman", line[1:], environment=known, seconds=90, folder=reader)
    return subprocess.run(line, cwd=reader, env=known, capture_output=True, text=True, timeout=90, check=False)


def an_approval(running: Running) -> str:
    """The id of one that waits; the pages ask for a branch's end before they show its approval."""

    def listed() -> list[dict[str, str]]:
        return json.loads(running.banksman("approvals", "--json").stdout)

    eventually(listed, what="an approval")
    return listed()[0]["id"]
