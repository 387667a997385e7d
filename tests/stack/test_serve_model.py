"""`ServeModel` on a running environment: a machine of Lambda's twin dials the relay, and its backend goes with it."""

import json
from typing import Any

import pytest

from tests.stack.examples import known_gpu
from tests.stack.running import Running, eventually
from workers.commands.exits import Exit
from workflows.serving.goals import SERVE_MODEL

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

EXAMPLE = SERVE_MODEL.example.model_dump_json(exclude_unset=True)


def served(stack: Running, goal_id: str) -> dict[str, Any]:
    """What the goal says of its backend; nothing while it cannot be asked."""
    done = stack.temporal("workflow", "query", "--workflow-id", goal_id, "--type", "served", "--output", "json")
    return json.loads(done.stdout)["queryResult"][0] if done.returncode == 0 else {}


def checked(stack: Running) -> str:
    """What `banksman models check` says of the backend that machines serve."""
    done = stack.banksman("models", "check", "--json")
    assert done.returncode == Exit.COMPLETED, done.stderr
    (found,) = [one for one in json.loads(done.stdout) if one["model"].startswith("twin-gpu/")]
    return str(found["said"])


def test_a_backend_is_served_and_gone_with_its_machine(stack: Running, goal_id: str) -> None:
    assert checked(stack) == "no machine serves it now"
    waiting = stack.in_background("run", SERVE_MODEL.name, "--input", EXAMPLE, "--id", goal_id, "--wait")
    eventually(lambda: served(stack, goal_id).get("answers"), seconds=180, what="a model that answers")
    assert ", stop, $0.000000" in checked(stack)
    lease = known_gpu(stack, f"{goal_id}/gpu")["lease"]
    ended = stack.banksman("leases", "end", lease, "--wait", seconds=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert waiting.wait(60) == Exit.COMPLETED
    assert checked(stack) == "no machine serves it now"
