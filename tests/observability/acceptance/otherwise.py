"""Goals that end in other ways than their examples do, or do not end: so that what is told of those has data, too."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.defaults import DEFAULT_POLICY
from deploy.local.seeded_person import SeededPerson
from tests.stack.approving import run_approved
from tests.stack.running import Running
from workflows.lambdalabs.goals import LEASE_GPU

_BEFORE: Final = "    slack_channel: C0DEPLOYS\n    actions:\n"
_PATIENCE: Final = 90.0
_GPU: Final = LEASE_GPU.example.model_dump(mode="json", exclude_unset=True)


def policy_with_limits(at: Path) -> Path:
    """The policy of the embedded environment, with a budget, and with a repository that nothing may touch."""
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    assert text.count(_BEFORE) == 1
    budget = "    slack_channel: C0DEPLOYS\n    budget: {day: 100, goal: 15}\n    actions:\n"
    denied = (
        "      - deny: github.*\n        where: {repository_name: payroll}\n        because: people alone work on it\n"
    )
    at.write_text(text.replace(_BEFORE, budget + denied), encoding="utf-8")
    return at


class Otherwise:
    """Runs them.

    Args:
        running: An environment under `policy_with_limits`.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        slack = str(running.state["twins"]["slack"]["url"])
        self._alice, self._chika = SeededPerson(slack), SeededPerson(slack, "U0CHIKA")

    def all(self) -> Iterator[tuple[str, str]]:
        """Each goal that ended, by its name, and how it did."""
        yield self._ended("ReadFile", {"repository": "acme/shop", "path": "no/such/file"}, "failing")
        yield self._ended("ReadFile", {"repository": "acme/payroll", "path": "README.md"}, "denied")
        yield self._ended("LeaseGpu", {**_GPU, "hours": 24, "most_usd": 20}, "too-dear")
        yield self._rejected()
        yield self._cancelled()
        yield self._in_an_emergency()
        yield from self._surprising()
        self._start("DeleteBranch", self._branch("waiting"), "waiting")
        self._alice.wait_for("waiting")
        self._alice.click(self._alice.wait_for("emergency", "useful"), "useful")

    def _ended(self, goal: str, given: Mapping[str, Any], goal_id: str) -> tuple[str, str]:
        done = run_approved(self._running, goal, given, goal_id=goal_id)
        return goal, json.loads(done.stdout)["outcome"]

    def _start(self, goal: str, given: Mapping[str, Any], goal_id: str) -> None:
        self._said(self._running.banksman("run", goal, "--input", json.dumps(given), "--id", goal_id, "--json"))

    def _said(self, done: "subprocess.CompletedProcess[str]") -> str:
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _rejected(self) -> tuple[str, str]:
        self._start("DeleteBranch", self._branch("rejected"), "rejected")
        self._alice.click(self._alice.wait_for("rejected", "reject"), "reject")
        self._alice.submit(reason="no")
        return "DeleteBranch", self._running.result("rejected")["outcome"]

    def _cancelled(self) -> tuple[str, str]:
        self._start("DeleteBranch", self._branch("cancelled"), "cancelled")
        self._alice.wait_for("cancelled")
        self._running.temporal("workflow", "cancel", "--workflow-id", "cancelled")
        done = self._running.temporal("workflow", "result", "--workflow-id", "cancelled", seconds=_PATIENCE)
        assert "cancel" in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
        return "DeleteBranch", "cancelled"

    def _in_an_emergency(self) -> tuple[str, str]:
        self._start("DeleteBranch", {**self._branch("emergency"), "break_glass": True}, "emergency")
        message = self._alice.wait_for("emergency")
        self._alice.click(message, "approve")
        self._chika.click(message, "approve")
        return "DeleteBranch", self._running.result("emergency")["outcome"]

    def _surprising(self) -> Iterator[tuple[str, str]]:
        """A branch that moves on after its deletion was rehearsed."""
        asked = self._branch("surprising")
        words = ("rehearse", "DeleteBranch", "--input", json.dumps(asked), "--id", "rehearsed", "--json")
        file = json.loads(self._said(self._running.banksman(*words, seconds=200)))["file"]
        yield "CopyRepository", "completed"
        made = self._git("commit-tree", "HEAD^{tree}", "-p", asked["branch"], "-m", "An idea")
        self._git("update-ref", f"refs/heads/{asked['branch']}", made)
        done = run_approved(self._running, "DeleteBranch", asked, goal_id="surprising", rehearsal=file)
        yield "DeleteBranch", json.loads(done.stdout)["outcome"]

    def _branch(self, name: str) -> dict[str, str]:
        """A branch of the twin's repository, as it is asked about."""
        self._git("branch", name, "HEAD")
        return {"repository": "acme/shop", "branch": name}

    def _git(self, *words: str) -> str:
        bare = self._running.home / "repositories" / "acme" / "shop.git"
        who = ("-c", "user.name=Mallory", "-c", "user.email=mallory@example.com")
        line = ["git", "-C", str(bare), *who, *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()
