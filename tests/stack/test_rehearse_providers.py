"""Rehearsals on copies of the other providers: the real twin is only read, and the real run has no surprise.

One goal of each provider, in an environment of their own: they take away what other tests look at. It has no container
engine, which none of them needs.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stack.approving import Approver
from tests.stack.conftest import started
from tests.stack.running import Running, eventually
from workflows.catalogue import find_goal

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
PROJECT, BRANCH = "shop-quiet-moon-17281", "old-idea"
CONSUMERS = [{"name": "shop-web", "prefix": "session:"}]
HOOK = {
    "endpoint": {"connector": {"image": "ghcr.io/estuary/materialize-webhook:v1", "config": {"address": "https://h"}}},
    "bindings": [{"source": "acme/shop/orders", "resource": {"relativePath": "orders"}}],
}
READING_POSTS = ("/auth/token", "/graphql", "/points/count", "/quote")
"""What is asked by a post and changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A goal, the provider whose state is copied, and what the rehearsal has to list of it."""

    goal: str
    provider: str
    asked: dict[str, Any]
    lists: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.goal}-{self.provider}"

    @property
    def key(self) -> str:
        """The workflow id that names are made from."""
        goal = find_goal(self.goal)
        assert goal is not None
        return goal.input.model_validate(self.asked).business_key()


DELETES = Case(
    goal="DeleteNeonBranch",
    provider="neon",
    asked={"project": PROJECT, "branch": BRANCH},
    lists=("neon.delete_branch", "neon.forget_connection"),
)
CASES = (
    Case(
        goal="ProvisionRedis",
        provider="rediscloud",
        asked={
            "provider": "rediscloud",
            "name": "rehearsed",
            "subscription": "shop",
            "most_usd": 100,
            "consumers": CONSUMERS,
        },
        lists=("rediscloud.create_database", "rediscloud.grant_access", "rediscloud.check_access"),
    ),
    Case(
        goal="RemoveRedis",
        provider="upstash",
        asked={"provider": "upstash", "database": "shop-cache"},
        lists=("upstash.delete_database", "upstash.forget_logins"),
    ),
    Case(
        goal="SwitchCollection",
        provider="qdrant",
        asked={"cluster": "shop-search", "alias": "products", "collection": "products-v2", "on_disk": True},
        lists=("qdrant.create_collection", "qdrant.copy_points", "qdrant.switch_alias"),
    ),
    Case(
        goal="PublishFlow",
        provider="estuary",
        asked={"specs": [{"name": "acme/shop/hook", "type": "materialization", "model": HOOK}]},
        lists=("estuary.try_flow", "estuary.publish_flow"),
    ),
    DELETES,
)


@pytest.fixture(autouse=True)
def quiet_twin() -> None:
    """In place of the one beside: the environment that all others share is not started for these."""


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    running = started(folder / "r", "--no-sandbox")
    yield running
    assert running.banksman("down", seconds=120).returncode == 0
    shutil.rmtree(folder)


def twin(stack: Running, provider: str) -> str:
    return str(stack.state["twins"][provider]["url"])


def changing(stack: Running, provider: str) -> list[str]:
    asked = httpx.get(f"{twin(stack, provider)}/_twin/requests").json()
    told = [(one["method"], one["path"]) for one in asked]
    assert told
    return [path for method, path in told if method != "GET" and not path.endswith(READING_POSTS)]


def rehearsed(stack: Running, case: Case) -> dict[str, Any]:
    done = stack.banksman("rehearse", case.goal, "--input", json.dumps(case.asked), "--json", seconds=300)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def run(stack: Running, case: Case, file: str) -> dict[str, Any]:
    """For real, approved by Alice where it asks."""
    words = ("run", case.goal, "--input", json.dumps(case.asked), "--id", case.key, "--rehearsal", file)
    with ThreadPoolExecutor() as beside:
        ending = beside.submit(stack.banksman, *words, "--wait", "--json", seconds=200)
        done = Approver(stack, case.key).approve_until(ending)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def surprises(stack: Running, goal_id: str) -> list[str]:
    files = (stack.home / "audit").glob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    wanted = (goal_id, "allowed", "approval.report_surprise")
    return [one["context"]["resource"] for one in lines if (one["workflow_id"], one["event"], one["action"]) == wanted]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rehearsal_reads_alone_and_the_real_run_has_no_surprise(small: Running, case: Case) -> None:
    httpx.delete(f"{twin(small, case.provider)}/_twin/requests")
    found = rehearsed(small, case)
    document = found["rehearsal"]
    assert changing(small, case.provider) == []
    assert [one["action"] for one in document["effects"]] == list(case.lists)
    assert document["copied"][0].startswith(case.provider)
    assert document["left"]
    ended = run(small, case, found["file"])
    assert ended["outcome"] == "completed", ended
    assert surprises(small, case.key) == []


def test_what_has_moved_since_is_a_surprise_that_people_see(small: Running) -> None:
    """The branch that is there when the goal runs has the name of the one that was rehearsed, and is another one."""
    key = json.loads((small.home / "twins" / "neon.json").read_text())["keys"][0]
    made = {"branch": {"name": BRANCH}}
    branches = f"/projects/{PROJECT}/branches"
    with httpx.Client(base_url=twin(small, "neon"), headers={"authorization": f"Bearer {key}"}) as neon:
        eventually(lambda: neon.post(branches, json=made).is_success)
        found = rehearsed(small, DELETES)
        [there] = [one for one in neon.get(branches).json()["branches"] if one["name"] == BRANCH]
        eventually(lambda: neon.delete(f"{branches}/{there['id']}").is_success)
        eventually(lambda: neon.post(branches, json=made).is_success)

    assert run(small, DELETES, found["file"])["outcome"] == "completed"
    told = surprises(small, DELETES.key)
    assert any(one.startswith("neon.delete_branch: ") for one in told)
    assert all(there["id"] not in one for one in told)
