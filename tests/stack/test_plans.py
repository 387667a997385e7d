"""A plan of goals on the running environment: handed in as a file, shown in Slack, approved, and done."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hitl.plan_language.planning import plan_of
from tests.stack.approving import Approver
from tests.stack.running import Running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

README = {"id": "readme", "goal": "ReadFile", "inputs": {"repository": "acme/shop", "path": "README.md"}}
COPY = {
    "id": "copy",
    "goal": "OpenPullRequest",
    "inputs": {
        "repository": "acme/shop",
        "title": "Copy the readme",
        "files": [{"path": "COPY.md", "content": {"$from": "readme.content"}}],
    },
}


def test_a_plan_in_a_file_is_approved_and_carried_out(stack: Running, goal_id: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan_of(title="Copy the readme", explore=[README], act=[COPY])), encoding="utf-8")
    with ThreadPoolExecutor() as beside:
        words = ("plan", "run", str(file), "--id", goal_id, "--wait", "--json")
        ending = beside.submit(stack.banksman, *words, seconds=200)
        done = Approver(stack, goal_id).approve_until(ending)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert (result["outcome"], result["asked"], result["effect"]) == ("completed", True, "write")
    assert [(one["id"], one["outcome"]) for one in result["steps"]] == [("readme", "completed"), ("copy", "completed")]
    audit = (stack.home / "audit" / "destructive.jsonl").read_text(encoding="utf-8")
    assert any(goal_id in line and '"agent.run_plan"' in line for line in audit.splitlines())
