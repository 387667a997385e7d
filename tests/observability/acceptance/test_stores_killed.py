"""Bad days of the real servers, last, for it kills them: killed under a goal, made-up names, an endless line."""

import os
import signal
import time

import httpx
import pytest

from tests.observability.acceptance.conftest import Observed
from tests.stack.running import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

_STEPS = "sum(banksman_step_seconds_count)"


def _kill(observed: Observed, child: str) -> None:
    """Kill it; the supervisor starts it again by and by."""
    pid = observed.running.pid(child)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def _ready(observed: Observed) -> bool:
    try:
        return httpx.get(f"{observed.running.state['prometheus']['url']}/-/ready").is_success
    except httpx.TransportError:
        return False


def _steps(observed: Observed, at: float) -> float:
    [found] = observed.asked("query", query=_STEPS, time=f"{at}")["result"]
    return float(found["value"][1])


def test_prometheus_that_is_killed_keeps_what_it_had_and_goes_on(observed: Observed) -> None:
    at = time.time()
    before, pid = _steps(observed, at), observed.running.pid("prometheus")
    _kill(observed, "prometheus")
    assert observed.running.read_file("prometheus-away")["result"]["outcome"] == "completed", "no goal waits for it"
    eventually(lambda: observed.running.pid("prometheus") not in {None, pid}, what="another Prometheus")
    eventually(lambda: _ready(observed), what="what it wrote down to be read again")
    assert _steps(observed, at) == before, "it has what it had"
    eventually(lambda: _steps(observed, time.time()) > before, what="the step that ran meanwhile")
    rules = [rule for group in observed.asked("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 50


def test_lines_that_come_while_the_log_store_is_away_arrive_when_it_is_back(observed: Observed) -> None:
    pid = observed.running.pid("log-store")
    _kill(observed, "log-store")
    told = observed.running.read_file("log-store-away")
    assert told["result"]["outcome"] == "completed"
    eventually(lambda: observed.running.pid("log-store") not in {None, pid}, what="another log store")
    eventually(lambda: observed.lines('temporal.workflow_id:="log-store-away"'), what="its lines", seconds=90)


def test_a_line_of_ten_megabytes_keeps_no_other_from_the_log_store(observed: Observed) -> None:
    log = observed.running.home / "logs" / "endless.log"
    log.write_bytes(b"x" * 10_000_000 + b"\nafter the endless line\n")
    eventually(lambda: observed.lines('"after the endless line"'), what="the next line", seconds=90)
    log.unlink()


def test_goals_of_made_up_names_make_no_series(observed: Observed) -> None:
    for number in range(5):
        done = observed.running.temporal(
            *("workflow", "start", "--type", f"MadeUp{number}", "--task-queue", "banksman-goals"),
            *("--workflow-id", f"made-up-{number}", "--input", "{}"),
        )
        assert done.returncode == 0, done.stderr

    def types() -> set[str]:
        found = observed.asked("query", query="count by (workflow_type) (temporal_workflow_failed_total)")["result"]
        return {one["metric"].get("workflow_type", "") for one in found}

    eventually(lambda: "other" in types(), what="their one series")
    assert not [name for name in types() if name.startswith("MadeUp")]
    everything = observed.asked("label/workflow_type/values")
    assert not [name for name in everything if name.startswith("MadeUp")]
