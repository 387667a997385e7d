"""An environment with its own collector, Prometheus and log store, where every goal of the catalogue has run once."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from deploy.local.telemetry.programs import find_programs
from deploy.local.tools import ToolUnavailableError, tell
from tests.observability.acceptance.otherwise import Otherwise, policy_with_limits
from tests.stack.conftest import started
from tests.stack.examples import PLACES, run_example, why_not_here
from tests.stack.running import Running

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
        left_out: What this machine lacks for the others, by their names.
        otherwise: Goals that ended in other ways, and how: by name, as often as it was asked for.
    """

    running: Running
    goals: dict[str, dict[str, Any]]
    left_out: dict[str, str]
    otherwise: list[tuple[str, str]]

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

    def ids_of(self, trace_id: str) -> set[str]:
        """The workflows that a trace's lines are about."""
        lines = self.lines(f'trace_id:="{trace_id}"')
        return {line["temporal.workflow_id"] for line in lines if line.get("temporal.workflow_id")}

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
    running = started(folder / "o", "--observability", "--policy", str(policy_with_limits(folder / "policy.yaml")))
    try:
        left_out: dict[str, str] = {}
        ran = dict(_run_all(running, left_out))
        otherwise = list(Otherwise(running).all())
        time.sleep(_SETTLED)
        yield Observed(running, ran, left_out, otherwise)
    finally:
        ended = running.banksman("down", seconds=120).returncode
    assert ended == 0
    shutil.rmtree(folder)


def _run_all(running: Running, left_out: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each goal's example to its end; whatever people are asked, they approve."""
    for goal in PLACES:
        if why := why_not_here(running, goal):
            left_out[goal] = why
            continue
        done = run_example(running, goal, f"observed/{goal}")
        assert done.stdout, f"{goal}: {done.stderr}"
        yield goal, json.loads(done.stdout)
