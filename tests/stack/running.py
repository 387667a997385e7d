"""The embedded environment as a person uses it: through the command, in a folder of its own."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.processes.child import ChildState
from deploy.local.processes.control import Ask, ask
from tests.stack import forked
from workflows.catalogue import GOALS
from workflows.pulumi.goals import OfAStack

BIN: Final = Path(sys.executable).parent
ROOT: Final = forked.ROOT
OF_STACKS: Final = [goal.name for goal in GOALS if issubclass(goal.input, OfAStack)]
"""The goals on Pulumi stacks, which take an image of their own."""

README: Final = '{"repository":"acme/shop","path":"README.md"}'


@dataclass
class Running:
    """One stack. Its folder's path is short: unix sockets allow 108 characters."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("BANKSMAN_")}
        return {**kept, "BANKSMAN_HOME": str(self.home), "COLUMNS": "1000", "NO_COLOR": "1"}

    def banksman(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, without its start."""
        return forked.run(BIN / "banksman", arguments, environment=self.environment, seconds=seconds)

    def temporal(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the Temporal CLI against this environment."""
        return self._run(
            str(BIN / "temporal"), *arguments, "--address", self.state["temporal"]["address"], seconds=seconds
        )

    def in_background(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command and go on."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [str(BIN / "banksman"), *arguments], env=self.environment, cwd=ROOT, stdout=quiet, stderr=quiet
        )

    def _run(self, *command: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
        )

    @property
    def state(self) -> dict[str, Any]:
        """stack.json."""
        return json.loads((self.home / "stack.json").read_text())

    @property
    def github(self) -> str:
        return str(self.state["twins"]["github"]["url"])

    @property
    def ready(self) -> bool:
        """Whether it is up."""
        reply = asyncio.run(ask(self.home / "control.sock", Ask(op="status")))
        return reply is not None and reply.ready

    def pid(self, child: str) -> int | None:
        """A child's process id, once it is ready, as the running environment tells it now."""
        reply = asyncio.run(ask(self.home / "control.sock", Ask(op="status")))
        children = reply.children if reply else ()
        return next((one.pid for one in children if one.name == child and one.state is ChildState.READY), None)

    def fault(self, **fault: object) -> None:
        """Give the GitHub twin a bad day."""
        answer = httpx.post(f"{self.github}/_twin/faults", json=fault)
        assert answer.status_code == 201, answer.text

    def requests(self, path: str) -> list[dict[str, Any]]:
        """What the twin was asked at that path."""
        return [one for one in httpx.get(f"{self.github}/_twin/requests").json() if path in one["path"]]

    def forget_requests(self) -> None:
        httpx.delete(f"{self.github}/_twin/requests")
        httpx.delete(f"{self.github}/_twin/faults")

    def read_file(self, goal_id: str, text: str = README, *, seconds: float = 60) -> dict[str, Any]:
        """Run ReadFile to its end; the answer is the command's JSON."""
        done = self.banksman("run", "ReadFile", "--input", text, "--id", goal_id, "--wait", "--json", seconds=seconds)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def start_file(self, goal_id: str, text: str = README) -> str:
        """Start ReadFile; the answer is its run id."""
        done = self.banksman("run", "ReadFile", "--input", text, "--id", goal_id, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["run_id"])

    def result(self, goal_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait for a goal's result."""
        done = self.temporal("workflow", "result", "--workflow-id", goal_id, "--output", "json", seconds=seconds)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    def history(self, goal_id: str) -> str:
        """The whole history, as raw JSON."""
        return self.temporal("workflow", "show", "--workflow-id", goal_id, "--output", "json").stdout


def eventually(holds: Callable[[], object], *, seconds: float = 40, what: str = "it") -> None:
    """Poll until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about in {seconds:.0f} s"
        time.sleep(0.1)
