"""A deployment, rehearsed beside the running environment: containers, stack and merge, and nothing of it is real."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.example import SERVICE_REPOSITORY
from tests.stack.running import Running
from tests.stack.services import require_services
from tests.stack.test_rehearse import BESIDE_THE_API, audited, effects_since
from tests.stack.test_stacks import FIRST_TIME

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 400)]

MANIFEST = """\
version: 1
service: {name: storefront, owner: {team: web, people: [slack:U0ALICE]}}
test: {command: [python3, -m, unittest, discover, --start-directory, tests, --top-level-directory, .]}
pulumi: {stacks: {local: STACK}}
verify: {within: 1m, output: newestUrl, http: [{path: /healthz, contains: ok, every: 1s, for: 2s}]}
"""
SETTINGS = "config:\n  storefront:share: 50\n  storefront:watchSeconds: 20\n"


@pytest.fixture(scope="module", autouse=True)
def ready(stack: Running) -> None:
    require_services(stack)


def proposed(stack: Running, name: str) -> dict[str, Any]:
    """A pull request with a manifest that needs nothing of other providers, and a stack of its own."""
    files = {"banksman.yaml": MANIFEST.replace("STACK", name), f"Pulumi.{name}.yaml": SETTINGS}
    asked = {
        "repository": SERVICE_REPOSITORY,
        "title": f"Deploy {name}",
        "files": [{"path": path, "content": text} for path, text in files.items()],
    }
    words = ("run", "OpenPullRequest", "--input", json.dumps(asked), "--id", f"propose-{name}", "--wait", "--json")
    done = stack.banksman(*words, seconds=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


def refs(stack: Running) -> str:
    bare = stack.home / "repositories" / f"{SERVICE_REPOSITORY}.git"
    return subprocess.run(["git", "-C", str(bare), "for-each-ref"], capture_output=True, text=True, check=True).stdout


def test_a_deployment_is_rehearsed_to_its_end_and_nothing_of_it_is_there(stack: Running, goal_id: str) -> None:
    name = f"t{goal_id[5:13]}"
    opened = proposed(stack, name)
    stack.forget_requests()
    before, stood = audited(stack), refs(stack)
    asked = json.dumps({"repository": SERVICE_REPOSITORY, "pull_request": opened["number"]})
    done = stack.banksman("rehearse", "DeployNewFeature", "--input", asked, "--id", goal_id, "--json", seconds=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["rehearsal"]

    effects = {one["action"]: one["on"] for one in found["effects"]}
    assert list(effects) == [
        "github.check_run",
        "sandbox.run_command",
        "pulumi.refresh_stack",
        "pulumi.preview_stack",
        "pulumi.update_stack",
        "github.merge_pull_request",
        "github.comment",
    ]
    assert "create banksman:platform:Service storefront" in effects["pulumi.update_stack"]
    assert [one for one in found["copied"] if "updates are played" in one] == [
        one for one in found["copied"] if one.startswith(f"pulumi storefront/{name}: there is none yet")
    ]

    changing = [one["path"] for one in stack.requests("/") if one["method"] != "GET"]
    assert [path for path in changing if not any(one in path for one in BESIDE_THE_API)] == []
    assert effects_since(stack, before) == []
    assert "pulumi.read_outputs" in {one["action"] for one in audited(stack) if one not in before}
    assert refs(stack) == stood, "nothing is merged"
    assert httpx.get(f"{stack.state['platform']['url']}/storefront-{name}/").status_code == httpx.codes.NOT_FOUND
    assert not list(Path("/tmp").glob("bmr-*/docker.sock")), "its container engine is gone"  # noqa: S108 - where it was
