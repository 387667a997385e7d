"""Rehearsals on copies of the other providers: the real twin is only read, and the real run has no surprise."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.stack.approving import Approver
from tests.stack.running import Running
from workflows.catalogue import find_goal

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
_READING_POSTS = frozenset({"/api/v1/auth/token", "/api/graphql"})
"""A token is exchanged and a query is asked by a post; both change nothing."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A goal, the provider whose state is copied, and what the rehearsal has to list of it."""

    goal: str
    provider: str
    asked: dict[str, Any]
    lists: tuple[str, ...]
    left: str
    asks: bool = True
    looks: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.goal}-{self.provider}"


def consumers() -> list[dict[str, str]]:
    return [{"name": "shop-web", "prefix": "session:"}]


CASES = (
    Case(
        goal="ProvisionRedis",
        provider="upstash",
        asked={
            "provider": "upstash",
            "name": "rehearsed",
            "region": "eu-west-1",
            "most_usd": 10,
            "consumers": consumers(),
        },
        lists=("upstash.create_database", "upstash.grant_access", "upstash.check_access"),
        left="passwords and tokens",
        asks=False,
    ),
)


def twin(stack: Running, provider: str) -> str:
    return str(stack.state["twins"][provider]["url"])


def changing(stack: Running, provider: str) -> list[str]:
    asked = httpx.get(f"{twin(stack, provider)}/_twin/requests").json()
    return [
        f"{one['method']} {one['path']}"
        for one in asked
        if one["method"] != "GET" and one["path"] not in _READING_POSTS
    ]


def rehearsed(stack: Running, case: Case) -> dict[str, Any]:
    done = stack.banksman("rehearse", case.goal, "--input", json.dumps(case.asked), "--json", seconds=300)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def run(stack: Running, case: Case, goal_id: str, file: str) -> dict[str, Any]:
    """For real, approved by Alice where it asks."""
    words = ("run", case.goal, "--input", json.dumps(case.asked), "--id", goal_id, "--rehearsal", file)
    if not case.asks:
        done = stack.banksman(*words, "--wait", "--json", seconds=200)
    else:
        with ThreadPoolExecutor() as beside:
            ending = beside.submit(stack.banksman, *words, "--wait", "--json", seconds=200)
            done = Approver(stack, goal_id).approve_until(ending)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def surprises(stack: Running, goal_id: str) -> list[str]:
    files = (stack.home / "audit").glob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [
        one["context"]["resource"]
        for one in lines
        if (one["workflow_id"], one["event"], one["action"]) == (goal_id, "allowed", "approval.report_surprise")
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rehearsal_reads_alone_and_the_real_run_has_no_surprise(stack: Running, case: Case) -> None:
    httpx.delete(f"{twin(stack, case.provider)}/_twin/requests")
    found = rehearsed(stack, case)
    document = found["rehearsal"]
    assert changing(stack, case.provider) == []
    assert {one["action"] for one in document["effects"]} >= set(case.lists)
    assert document["copied"][-1].startswith(f"{case.provider}")
    assert any(case.left in one for one in document["left"])
    goal_id = key(case)
    ended = run(stack, case, goal_id, found["file"])
    assert ended["outcome"] == "completed", ended
    assert surprises(stack, goal_id) == []


def key(case: Case) -> str:
    goal = find_goal(case.goal)
    assert goal is not None
    return goal.input.model_validate(case.asked).business_key()
