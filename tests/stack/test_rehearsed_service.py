"""A deployment, rehearsed beside the running environment: containers, stack and merge, and nothing of it is real."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy.local.example import SERVICE_REPOSITORY
from tests.stack.examples import by_its_list, issue_logins
from tests.stack.running import Running
from tests.stack.services import require_services
from tests.stack.test_rehearse import BESIDE_THE_API, audited, effects_since
from tests.stack.test_stacks import FIRST_TIME
from workflows.deploy_feature.goals import DEPLOY_NEW_FEATURE

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 400)]

GOAL = DEPLOY_NEW_FEATURE.name
GIVEN = DEPLOY_NEW_FEATURE.example.model_dump(mode="json", exclude_unset=True)


@pytest.fixture(scope="module", autouse=True)
def ready(stack: Running) -> None:
    require_services(stack)


def refs(stack: Running) -> str:
    bare = stack.home / "repositories" / f"{SERVICE_REPOSITORY}.git"
    return subprocess.run(["git", "-C", str(bare), "for-each-ref"], capture_output=True, text=True, check=True).stdout


def test_a_deployment_is_rehearsed_without_any_effect_and_then_is_what_was_rehearsed(
    stack: Running, goal_id: str
) -> None:
    """Of the sample service whole: with tests, database, cache, collection, stack and merge."""
    issue_logins(stack, GIVEN)
    stack.forget_requests()
    before, stood = audited(stack), refs(stack)
    words = ("rehearse", GOAL, "--input", json.dumps(GIVEN), "--id", goal_id, "--json")
    done = stack.banksman(*words, seconds=400)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["rehearsal"]

    effects = {one["action"]: one["on"] for one in found["effects"]}
    assert effects.keys() >= {
        "github.check_run",
        "sandbox.run_command",
        "neon.rehearse_migration",
        "pulumi.preview_stack",
        "neon.migrate_database",
        "pulumi.update_stack",
        "github.merge_pull_request",
        "github.comment",
    }
    assert "create banksman:platform:Service storefront" in effects["pulumi.update_stack"]
    providers = {one.split(":")[0].split(" ")[0] for one in found["copied"]}
    assert providers == {"github", "neon", "pulumi", "qdrant", "upstash"}
    assert any("updates are played" in one for one in found["copied"])

    changing = [one["path"] for one in stack.requests("/") if one["method"] != "GET"]
    assert [path for path in changing if not any(one in path for one in BESIDE_THE_API)] == []
    assert effects_since(stack, before) == []
    assert "pulumi.read_outputs" in {one["action"] for one in audited(stack) if one not in before}
    assert refs(stack) == stood, "nothing is merged"
    assert not list(Path("/tmp").glob("bmr-*/docker.sock")), "its container engine is gone"  # noqa: S108 - where it was

    ended = by_its_list(stack, GOAL, GIVEN, goal_id, found)
    result = json.loads(ended.stdout)["result"]
    assert (result["outcome"], [one["verified"] for one in result["environments"]]) == ("completed", [True]), result
    assert refs(stack) != stood
