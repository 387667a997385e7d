"""Providers, workers and servers that fail in the middle: the goal ends as it should, once, and nothing is lost."""

import json
import os
import signal
from pathlib import Path

import hvac
import pytest

from tests.stack.running import README, Running, eventually
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

CONTENTS = "/contents/"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "headers": {"retry-after": "2"}},
        {"kind": "status", "status": 403, "headers": {"retry-after": "2"}, "body": {"message": "secondary rate limit"}},
        {"kind": "garbage"},
        {"kind": "drop"},
        {"kind": "drop_after_effect"},
    ],
    ids=["500", "429", "secondary", "garbage", "drop", "drop-after-effect"],
)
def test_a_twin_that_misbehaves_once_is_waited_out(stack: Running, goal_id: str, fault: dict[str, object]) -> None:
    stack.fault(path=CONTENTS, **fault)
    ended = stack.read_file(goal_id)
    assert ended["outcome"] == "completed", ended
    asked = stack.requests(CONTENTS)
    assert [one["fault"] for one in asked] == [fault["kind"], None]
    if "headers" in fault:
        assert asked[1]["at"] - asked[0]["at"] >= 2


def test_a_twin_that_says_nothing_is_given_up_and_asked_again(stack: Running, goal_id: str) -> None:
    stack.fault(kind="delay", path=CONTENTS, seconds=60)
    ended = stack.read_file(goal_id, seconds=90)
    assert ended["outcome"] == "completed"
    assert [one["handled"] for one in stack.requests(CONTENTS)] == [False, True]


def test_a_killed_connectors_worker_loses_nothing_and_repeats_nothing(stack: Running, goal_id: str) -> None:
    stack.fault(kind="delay", path=CONTENTS, seconds=60)
    stack.start_file(goal_id)
    eventually(lambda: stack.requests(CONTENTS), what="the read")
    _kill(stack, "worker-connectors")
    assert stack.result(goal_id, seconds=90)["outcome"] == "completed"
    # The read that was under way never reached the repository; the second one did, and nothing else happened.
    assert [one["handled"] for one in stack.requests(CONTENTS)] == [False, True]
    assert {one["method"] for one in stack.requests("/repos/")} == {"GET"}


def test_a_killed_goals_worker_loses_nothing(stack: Running, goal_id: str) -> None:
    stack.fault(kind="delay", path=CONTENTS, seconds=3)
    stack.start_file(goal_id)
    eventually(lambda: stack.requests(CONTENTS), what="the read")
    _kill(stack, "worker-goals")
    assert stack.result(goal_id, seconds=90)["outcome"] == "completed"
    assert [one["handled"] for one in stack.requests(CONTENTS)] == [True]


def test_a_killed_temporal_loses_nothing(stack: Running, goal_id: str) -> None:
    stack.fault(kind="delay", path=CONTENTS, seconds=4)
    stack.start_file(goal_id)
    eventually(lambda: stack.requests(CONTENTS), what="the read")
    _kill(stack, "temporal")
    assert stack.result(goal_id, seconds=120)["outcome"] == "completed"
    listed = stack.temporal("workflow", "list", "--query", "BanksmanRepository='acme/shop'", "--output", "json")
    assert goal_id in listed.stdout


def test_a_goal_waits_for_a_sealed_vault_and_goes_on_by_itself(stack: Running, goal_id: str) -> None:
    _root(stack).sys.seal()
    stack.start_file(goal_id)
    eventually(lambda: "is sealed" in _last_failure(stack, goal_id), what="the step's failure")
    _kill(stack, "vault")  # started again, it unseals itself
    assert stack.result(goal_id, seconds=120)["outcome"] == "completed"


def test_a_goal_waits_for_a_vault_that_is_down(stack: Running, goal_id: str) -> None:
    _kill(stack, "vault")
    assert stack.read_file(goal_id, seconds=120)["outcome"] == "completed"


def test_a_worker_whose_token_was_revoked_says_so_and_comes_back(stack: Running, goal_id: str) -> None:
    root = _root(stack)
    before = stack.pid("worker-connectors")
    for accessor in root.auth.token.list_accessors()["data"]["keys"]:
        policies = root.auth.token.lookup_accessor(accessor)["data"]["policies"]
        if "connectors" in policies:
            root.auth.token.revoke_accessor(accessor)
    ended = stack.read_file(goal_id, seconds=120)
    assert ended["outcome"] == "completed", ended
    eventually(lambda: stack.pid("worker-connectors") not in {None, before}, what="a new worker")
    assert "new wrapped secret id" in (stack.home / "logs" / "worker-connectors.log").read_text()


def test_a_refused_app_key_is_explained(stack: Running, goal_id: str) -> None:
    stack.fault(kind="status", path="/app/installations/", status=401, body={"message": "Bad credentials"}, times=3)
    stack.fault(kind="status", path="/installation$", status=401, body={"message": "Bad credentials"}, times=3)
    ended = stack.read_file(goal_id)
    assert ended["error_type"] == "AuthDenied"
    assert "private key" in ended["error"]


def test_a_denied_step_ends_as_denied(stack: Running, goal_id: str) -> None:
    policy = Path(stack.state["policy"])
    before = policy.read_text()
    policy.write_text(before.replace("    actions:\n", "    actions:\n      - deny: github.read_file\n"))
    try:
        done = stack.banksman("run", "ReadFile", "--input", README, "--id", goal_id, "--wait", "--json")
    finally:
        policy.write_text(before)
    ended = json.loads(done.stdout)
    assert done.returncode == Exit.DENIED
    assert ended["outcome"] == "denied"
    assert ended["result"]["reason"]


def _kill(stack: Running, child: str) -> None:
    """kill -9, and wait until the supervisor has started it again."""
    pid = stack.pid(child)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: stack.pid(child) not in {None, pid}, seconds=60, what=f"{child} started again")


def _root(stack: Running) -> hvac.Client:
    kept = json.loads((stack.home / "vault" / "init.json").read_text())
    return hvac.Client(url=stack.state["vault"]["address"], token=kept["root_token"])


def _last_failure(stack: Running, goal_id: str) -> str:
    return stack.temporal("workflow", "describe", "--workflow-id", goal_id, "--output", "json").stdout
