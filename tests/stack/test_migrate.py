"""`MigrateDatabase` on a running environment: tried on a copy, approved in Slack, carried out, with a way back."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.connectors.neon.at_neon import psql
from tests.stack.approving import Approver
from tests.stack.running import Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PROJECT = "shop-quiet-moon-17281"
DONE = "SELECT string_agg(version, ',' ORDER BY version) FROM schema_migrations"


def owner(stack: Running, branch: str) -> str:
    """How the database's owner connects to a branch."""
    config = json.loads((stack.home / "twins" / "neon.json").read_text())
    answer = httpx.get(
        f"{stack.state['twins']['neon']['url']}/projects/{PROJECT}/connection_uri",
        params={"branch_id": branch, "database_name": "shop", "role_name": "shop_owner"},
        headers={"Authorization": f"Bearer {config['keys'][0]}"},
        timeout=90,
    )
    return str(answer.json()["uri"])


def made_branch(stack: Running, goal_id: str) -> dict[str, Any]:
    """One of its own, so that no other test meets what is migrated."""
    text = json.dumps({"project": PROJECT, "name": goal_id[:40], "database": "shop"})
    done = stack.banksman("run", "CreateNeonBranch", "--input", text, "--id", f"{goal_id}/branch", "--wait", "--json")
    ended: dict[str, Any] = json.loads(done.stdout)
    assert ended["outcome"] == "completed", ended
    return ended["result"]


def branches(stack: Running) -> list[str]:
    """The names of all."""
    config = json.loads((stack.home / "twins" / "neon.json").read_text())
    answer = httpx.get(
        f"{stack.state['twins']['neon']['url']}/projects/{PROJECT}/branches",
        headers={"Authorization": f"Bearer {config['keys'][0]}"},
        timeout=30,
    )
    return [str(one["name"]) for one in answer.json()["branches"]]


def test_a_database_is_migrated_as_it_was_tried_whoever_is_killed_meanwhile(stack: Running, goal_id: str) -> None:
    alice = Approver(stack, goal_id)
    made = made_branch(stack, goal_id)
    uri = owner(stack, made["id"])
    psql(uri, "DROP TABLE IF EXISTS orders, schema_migrations")  # the goal's example may have migrated its parent
    given = {"project": PROJECT, "branch": made["id"], "database": "shop", "repository": "acme/shop-database"}
    text = json.dumps({**given, "command": ["python3", "migrate.py"], "way_back_hours": 1})
    words = ("run", "MigrateDatabase", "--input", text, "--id", goal_id, "--wait", "--json")
    with ThreadPoolExecutor() as beside:
        running = beside.submit(stack.banksman, *words, seconds=600)
        eventually(lambda: alice.is_asked, what="the question", seconds=300)
        assert not [name for name in branches(stack) if name.startswith("rehearsal-")]
        assert psql(uri, "SELECT to_regclass('orders') IS NULL") == "t"  # nothing yet
        worker = stack.pid("worker-goals")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        done = alice.approve_until(running)
    ended = json.loads(done.stdout)
    assert ended["outcome"] == "completed", ended
    result = ended["result"]
    assert psql(uri, DONE) == "0001-orders,0002-totals"
    assert "+CREATE TABLE public.orders (" in result["difference"]
    assert not [line for line in result["difference"] if "OWNER" in line or "banksman_" in line]
    assert result["seconds"] > 0
    assert psql(uri, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'") == "0"
    assert result["way_back"] in branches(stack)
    again = stack.banksman(*words[:-4], "--id", f"{goal_id}/again", "--wait", "--json", seconds=300)
    ended = json.loads(again.stdout)
    assert ended["outcome"] == "completed", ended
    assert "changed neither" in ended["result"]["reason"]
    assert stack.banksman("leases", "end", result["lease"], "--wait", seconds=120).returncode == 0
    assert result["way_back"] not in branches(stack)


def test_a_program_that_runs_commands_cannot_ask_for_the_way_to_a_database(stack: Running, goal_id: str) -> None:
    text = json.dumps({"repository": "acme/shop", "command": ["true"], "purpose": "database"})
    done = stack.banksman("run", "RunInSandbox", "--input", text, "--id", goal_id, "--wait", "--json", seconds=200)
    ended = json.loads(done.stdout)
    assert ended["outcome"] == "failed", ended
    assert "is for migrations alone" in ended["error"]
