"""An upgrade in place: what an earlier release left, with its goals and approvals, goes on under this one."""

import json
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local.seeded_person import SeededPerson
from tests.stack.releases.record import BRANCH, FOLDER, policy
from tests.stack.running import Running, eventually
from workflows.upstash.goals import INSPECT_REDIS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

RELEASES = sorted(FOLDER.glob("*.tar.xz"))


def bare(running: Running) -> Path:
    return running.home / "repositories/acme/shop.git"


def branches(running: Running) -> str:
    listed = ["git", "-C", str(bare(running)), "branch", "--list"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout


def over(running: Running, goal: str) -> bool:
    """Whether it has ended. One whose step nobody took in twelve hours waits for a person, who lets it go on here."""
    running.banksman("resume", goal)
    return "COMPLETED" in running.temporal("workflow", "describe", "--workflow-id", goal).stdout


@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.name.removesuffix(".tar.xz"))
def test_what_a_release_left_goes_on_under_this_one(release: Path, home: Path) -> None:
    with tarfile.open(release) as archive:
        archive.extractall(home, filter="data")
    running = Running(home)
    shop = home.parent / "shop"
    shutil.copytree(bare(running), shop)
    options = ("--detach", "--no-sandbox", "--policy", str(policy(home.parent)), "--repository", f"acme/shop={shop}")
    started = running.banksman("up", *options, seconds=120)
    assert started.returncode == 0, started.stderr + started.stdout
    assert BRANCH in branches(running)

    waiting = json.loads(running.banksman("approvals", "--json").stdout)
    assert [(one["goal"], one["action"], one["state"]) for one in waiting] == [
        ("waits", "github.delete_branch", "waiting")
    ]
    ends = datetime.fromisoformat(waiting[0]["expires_at"])
    assert ends > datetime.now(UTC), f"what {release.name} left could be approved until {ends}: record a later release"
    alice = SeededPerson(str(running.state["twins"]["slack"]["url"]))
    alice.click(alice.wait_for("waits"), "approve")
    result = running.result("waits")
    assert (result["outcome"], result["lost"]) == ("completed", 1)
    assert BRANCH not in branches(running)

    eventually(lambda: over(running, "runs"), seconds=60, what="the end of the goal that ran")
    assert running.result("runs")["outcome"] == "completed"

    verified = running.banksman("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    # What the release did not know yet is set up beside what it left: a twin, a token role, a secret.
    assert running.banksman("run", "InspectRedis", "--input", INSPECT_REDIS.example_json, "--wait").returncode == 0
