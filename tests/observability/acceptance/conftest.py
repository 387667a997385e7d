"""An environment with its own collector, Prometheus and log store, in which every goal that runs here has run once."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from deploy.local.seeded_person import SeededPerson
from deploy.local.telemetry.programs import find_programs
from deploy.local.tools import ToolUnavailableError, tell
from tests.stack.approving import run_approved
from tests.stack.conftest import started
from tests.stack.running import OF_LEASES, OF_SERVICES, OF_STACKS, Running, eventually

_STACKS: Final = ("PreviewAndUp", "DetectDrift")
"""Of the goals on stacks those whose examples need no other to have run."""
_SETTLED: Final = 45.0
"""Seconds: the gateway counts on the server every thirty, and Prometheus scrapes every five."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make dashboards` says."""
    parser.addoption("--pictures", type=Path, help="Draw the dashboards into this folder.")
    parser.addoption("--queries", type=Path, help="Write what every query was answered with to this page.")


@dataclass(frozen=True)
class Observed:
    """The environment, and what was run on it.

    Attributes:
        goals: What `banksman run --json` said of each goal, by the goal's name.
    """

    running: Running
    goals: dict[str, dict[str, Any]]

    def asked(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers.

        Raises:
            AssertionError: It refuses the question.
        """
        url = f"{self.running.state['prometheus']['url']}/api/v1/{path}"
        answer = httpx.get(url, params=parameters, timeout=30)
        assert answer.is_success, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def lines(self, query: str) -> list[dict[str, str]]:
        """What the log store has, by its own language."""
        url = f"{self.running.state['log_store']['url']}/select/logsql/query"
        return [json.loads(line) for line in httpx.post(url, data={"query": query}).text.splitlines()]

    def spans(self, trace_id: str) -> list[str]:
        """The names of a trace's spans."""
        answer = httpx.get(f"{self.running.state['traces']['url']}/api/traces/{trace_id}")
        batches = answer.json()["batches"] if answer.is_success else []
        return [span["name"] for batch in batches for scoped in batch["scopeSpans"] for span in scoped["spans"]]

    def spans_of_jaeger(self, trace_id: str) -> list[str]:
        """The same, as Jaeger has them."""
        answer = httpx.get(f"{self.running.state['jaeger']['url']}/api/traces/{trace_id}")
        found = answer.json()["data"] if answer.is_success else []
        return [span["operationName"] for trace in found for span in trace["spans"]]


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the dashboards are drawn: where `make dashboards` wants them, else nowhere that stays."""
    return request.config.getoption("pictures", None) or tmp_path


@pytest.fixture
def queries(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where what was answered is written, in the same way."""
    return request.config.getoption("queries", None) or tmp_path / "queries.md"


@pytest.fixture(scope="session")
def observed() -> Iterator[Observed]:
    try:
        asyncio.run(find_programs(tell))
    except ToolUnavailableError as error:
        pytest.skip(str(error))
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    running = started(folder / "o", "--observability")
    try:
        ran = dict(_run_all(running))
        _end_otherwise(running)
        time.sleep(_SETTLED)
        yield Observed(running, ran)
    finally:
        ended = running.banksman("down", seconds=120).returncode
    assert ended == 0
    shutil.rmtree(folder)


def _run_all(running: Running) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each goal's example to its end; whatever people are asked, they approve."""
    stacks = _has_stacks(running)
    for goal in json.loads(running.banksman("goals", "--json").stdout):
        if goal["name"] in (*OF_LEASES, *OF_SERVICES) or (
            goal["name"] in OF_STACKS and not (stacks and goal["name"] in _STACKS)
        ):
            continue
        one = f"observed/{goal['name']}"
        done = run_approved(running, goal["name"], goal["example"], goal_id=one)
        yield goal["name"], json.loads(done.stdout)


def _end_otherwise(running: Running) -> None:
    """What is told of goals that end in other ways: one that fails, one that is refused, one that waits."""
    missing = json.dumps({"repository": "acme/shop", "path": "no/such/file"})
    running.banksman("run", "ReadFile", "--input", missing, "--id", "failing", "--wait", "--json")
    alice = SeededPerson(running.state["twins"]["slack"]["url"])
    for goal_id in ("rejected", "waiting"):
        branch = json.dumps({"repository": "acme/shop", "branch": _branch(running, goal_id)})
        running.banksman("run", "DeleteBranch", "--input", branch, "--id", goal_id, "--json")
    alice.click(alice.wait_for("rejected", "reject"), "reject")
    alice.submit(reason="no")
    alice.wait_for("waiting")


def _branch(running: Running, name: str) -> str:
    """A branch of the twin's repository, to be asked about."""
    bare = running.home / "repositories" / "acme" / "shop.git"
    subprocess.run(["git", "-C", str(bare), "branch", name, "HEAD"], check=True, capture_output=True)
    return name


def _has_stacks(running: Running) -> bool:
    """Whether goals on stacks can be run here; where it takes minutes, wait."""
    eventually(lambda: running.state["parts"]["stacks"]["state"] != "coming", seconds=600, what="Pulumi")
    return running.state["parts"]["stacks"]["state"] == "ready"
