"""Goals on the running environment, by our command and by Temporal's."""

import json
import re

import httpx
import pytest

from tests.stack.examples import PLAIN, run_example
from tests.stack.running import README, ROOT, Running, eventually
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_the_temporal_cli_line_of_the_readme_prints_the_content(stack: Running, goal_id: str) -> None:
    text = '{"repository":"acme/shop","path":"LICENSE"}'
    line = ["workflow", "execute", "--type", "ReadFile", "--task-queue", "banksman-goals"]
    done = stack.temporal(*line, "--workflow-id", goal_id, "--input", text)
    assert done.returncode == 0, done.stderr
    assert "Apache License" in done.stdout


@pytest.mark.timeout(900)
def test_every_example_runs_as_it_is_told(stack: Running, goal_id: str) -> None:
    """What people are asked about waits until a person of Slack's twin says yes. Those of stacks:
    `test_stacks.py`; of a service: `test_demo.py`; what is held for hours: `test_gpu.py`."""
    for goal in PLAIN:
        done = run_example(stack, goal, f"{goal_id}/{goal}")
        ended = json.loads(done.stdout)
        assert (done.returncode, ended["outcome"]) == (Exit.COMPLETED, "completed"), ended


def test_a_person_gets_the_file_and_is_told_where_to_look(stack: Running, goal_id: str) -> None:
    text = '{"repository":"acme/shop","path":"LICENSE"}'
    done = stack.banksman("run", "ReadFile", "--input", text, "--id", goal_id, "--wait")
    assert done.returncode == 0
    assert done.stdout == (ROOT / "LICENSE").read_text()
    for label in ("outcome", "commit", "workflow", "trace", "log", "metrics"):
        assert label in done.stderr


def test_asking_twice_finds_the_same_goal(stack: Running, goal_id: str) -> None:
    stack.fault(kind="status", path="/commits/", status=503, times=1000)
    first = stack.start_file(goal_id)
    assert stack.start_file(goal_id) == first
    stack.forget_requests()
    assert stack.result(goal_id)["outcome"] == "completed"


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('{"repository":"acme/shop","path":"no/such/file"}', "NotFound", "no file 'no/such/file'"),
        ('{"repository":"acme/shop","path":"README.md","ref":"gone"}', "NotFound", "'gone'"),
        ('{"repository":"acme/absent","path":"README.md"}', "NotFound", "not installed on 'acme/absent'"),
        ('{"repository":"acme/shop","path":"docs"}', "InvalidRequest", "folder"),
    ],
)
def test_what_is_not_there_is_named(stack: Running, goal_id: str, text: str, kind: str, says: str) -> None:
    ended = stack.read_file(goal_id, text)
    assert (ended["outcome"], ended["error_type"]) == ("failed", kind)
    assert says in ended["error"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"repository":"acme/shop"}', "field 'path' is missing"),
        ('{"repository":"acme/shop","path":"a","branch":"b"}', "field 'branch' is unknown"),
        ('{"repository":"shop","path":"a"}', "is not OWNER/NAME"),
        ('{"repository":"acme/shop","path":"../a"}', "not a path inside the repository"),
        ('{"repository":"acme/shop","path":"a\\u0000b"}', "NUL"),
    ],
)
def test_the_temporal_cli_is_told_what_is_wrong_with_an_input(
    stack: Running, goal_id: str, text: str, says: str
) -> None:
    line = ["workflow", "execute", "--type", "ReadFile", "--task-queue", "banksman-goals"]
    done = stack.temporal(*line, "--workflow-id", goal_id, "--input", text, seconds=30)
    assert done.returncode != 0
    assert says in done.stdout + done.stderr


def test_an_unknown_goal_ends_at_once(stack: Running, goal_id: str) -> None:
    line = ["workflow", "execute", "--type", "ReadFiel", "--task-queue", "banksman-goals"]
    done = stack.temporal(*line, "--workflow-id", goal_id, "--input", "{}", seconds=30)
    assert "no goal 'ReadFiel'" in done.stdout + done.stderr


def test_malformed_json_is_refused_before_anything_starts(stack: Running, goal_id: str) -> None:
    line = ["workflow", "execute", "--type", "ReadFile", "--task-queue", "banksman-goals"]
    done = stack.temporal(*line, "--workflow-id", goal_id, "--input", "{", seconds=30)
    assert done.returncode != 0
    assert "JSON" in done.stdout + done.stderr


def test_a_cancelled_goal_has_its_own_exit_code(stack: Running, goal_id: str) -> None:
    stack.fault(kind="status", path="/commits/", status=503, times=100)
    waiting = stack.in_background("run", "ReadFile", "--input", README, "--id", goal_id, "--wait")
    eventually(lambda: stack.requests("/commits/"), what="the first attempt")
    assert stack.temporal("workflow", "cancel", "--workflow-id", goal_id).returncode == 0
    assert waiting.wait(60) == Exit.CANCELLED


def test_one_trace_leads_from_the_command_to_the_twin(stack: Running, goal_id: str) -> None:
    ended = stack.read_file(goal_id)
    found = f"{stack.state['traces']['url']}/api/traces/{ended['trace_id']}"
    # Every process sends its spans in batches, seconds after the goal's end.
    for part in ('"banksman"', "worker-goals", "worker-connectors", "twin-github", "github.read_file"):
        eventually(lambda part=part: part in httpx.get(found).text, what=f"a span of {part}")
    logs = (stack.home / "logs" / "worker-connectors.log").read_text()
    line = next(line for line in logs.splitlines() if ended["run_id"] in line)
    assert ended["trace_id"] in line
    assert goal_id in line
    described = stack.temporal("workflow", "describe", "--workflow-id", goal_id, "--output", "json").stdout
    link = f"[Its traces]({stack.state['traces']['url']}/?workflow_id={goal_id})"
    assert link in described


def test_metrics_of_both_kinds_are_on_one_page(stack: Running, goal_id: str) -> None:
    stack.read_file(goal_id)
    text = httpx.get(stack.state["workers"]["connectors"]["metrics"]).text
    for name in ("banksman_guard_decisions_total", "banksman_vault_token_ttl_seconds", "temporal_", "process_"):
        assert name in text


def test_what_waits_and_how_goals_end_is_counted_and_audit_files_are_watched(stack: Running, goal_id: str) -> None:
    stack.read_file(goal_id)

    def page(role: str) -> str:
        return httpx.get(stack.state["workers"][role]["metrics"]).text

    def ended() -> bool:
        counted = r'banksman_goals_ended_total\{goal="ReadFile",outcome="completed"\} [1-9]'
        return re.search(counted, page("gateway")) is not None

    eventually(ended, what="the gateway's look at what ended", seconds=50)
    assert 'banksman_goals_open{state="parked"} 0.0' in page("gateway")
    assert 'banksman_queue_backlog{queue="banksman-destructive"} 0.0' in page("gateway")
    eventually(lambda: "banksman_audit_whole 1.0" in page("connectors"), what="a look at the audit file")
    assert "banksman_audit_whole" not in page("goals")  # it runs no steps, and has no such file


def test_the_audit_chain_holds(stack: Running, goal_id: str) -> None:
    stack.read_file(goal_id)
    done = stack.banksman("audit", "verify")
    assert done.returncode == 0, done.stdout
    assert "connectors.jsonl" in done.stdout
