"""`CreateNeonBranch` and `IssueNeonLogin` on a running environment, whose connectors worker is killed meanwhile."""

import json
import os
import signal
import subprocess
from typing import Any

import hvac
import pytest
from hvac.exceptions import InvalidPath

from tests.connectors.neon.at_neon import psql
from tests.stack.running import Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
PROJECT = "shop-quiet-moon-17281"


def asked(stack: Running, goal: str, goal_id: str, **given: object) -> dict[str, Any]:
    """What the goal answers."""
    text = json.dumps({"project": PROJECT, **given})
    done = stack.banksman("run", goal, "--input", text, "--id", goal_id, "--wait", "--json", seconds=200)
    ended: dict[str, Any] = json.loads(done.stdout)
    assert ended["outcome"] == "completed", ended
    return ended["result"]


def kept(stack: Running, secret: str) -> str | None:
    """The connection string there; None where nothing is."""
    root = json.loads((stack.home / "vault/init.json").read_text())["root_token"]
    client = hvac.Client(url=stack.state["vault"]["address"], token=root)
    try:
        return client.secrets.kv.v2.read_secret_version(
            path=secret.removeprefix("banksman/"), mount_point="banksman", raise_on_deleted_version=True
        )["data"]["data"]["uri"]
    except InvalidPath:
        return None
    finally:
        client.adapter.close()


def test_a_login_on_a_branch_of_its_own_works_and_both_go_with_their_leases(stack: Running, goal_id: str) -> None:
    name = goal_id[:30]
    made = asked(stack, "CreateNeonBranch", f"{goal_id}/branch", name=name)
    owner = kept(stack, made["secret"])
    assert owner is not None
    psql(owner, "CREATE TABLE parcels AS SELECT 1 AS id")
    worker = stack.pid("worker-connectors")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    told = asked(
        stack, "IssueNeonLogin", f"{goal_id}/login", branch=made["id"], database="shop", purpose="migrate", hours=1
    )
    login = kept(stack, told["secret"])
    assert login is not None
    psql(login, "ALTER TABLE parcels ADD COLUMN total int")
    assert psql(owner, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'") == told["role"]
    done = stack.banksman("leases", "end", told["lease"], "--wait", seconds=120)
    assert done.returncode == 0, done.stderr
    assert psql(owner, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'") == ""
    with pytest.raises(subprocess.CalledProcessError):
        psql(login, "SELECT 1")
    done = stack.banksman("leases", "end", made["lease"], "--wait", seconds=120)
    assert done.returncode == 0, done.stderr
    assert (kept(stack, made["secret"]), kept(stack, told["secret"])) == (None, None)

    def closed() -> bool:
        try:
            psql(owner, "SELECT 1")
        except subprocess.CalledProcessError:
            return True
        return False

    eventually(closed, what="the branch's compute is gone")
