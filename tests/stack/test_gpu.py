"""`LeaseGpu` on a running environment: a machine that answers, its key in Vault, and nothing of either in the end."""

import asyncio
import json
import os
import signal
from typing import Any

import httpx
import hvac
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hvac.exceptions import InvalidPath

from connectors.lambdalabs.readiness import gpus_of, greeting
from tests.stack.examples import known_gpu
from tests.stack.running import Running, eventually
from workers.commands.exits import Exit
from workflows.lambdalabs.goals import LEASE_GPU

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

EXAMPLE = LEASE_GPU.example.model_dump_json()


def leased(stack: Running, goal_id: str, *, killed: bool = False) -> dict[str, Any]:
    """Have a machine; where it is killed, whatever becomes of the worker that launches it."""
    done = stack.banksman("run", LEASE_GPU.name, "--input", EXAMPLE, "--id", goal_id, "--json")
    assert done.returncode == 0, done.stderr
    eventually(lambda: known_gpu(stack, goal_id).get("secret"), what="the key")
    if killed:
        worker = stack.pid("worker-connectors")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: known_gpu(stack, goal_id).get("address"), seconds=180, what="a machine that answers")
    return known_gpu(stack, goal_id)


def secret(stack: Running, path: str) -> dict[str, str]:
    """What lies in Vault."""
    root = json.loads((stack.home / "vault/init.json").read_text())["root_token"]
    client = hvac.Client(url=stack.state["vault"]["address"], token=root)
    try:
        place = path.removeprefix("banksman/")
        return client.secrets.kv.v2.read_secret_version(
            path=place, mount_point="banksman", raise_on_deleted_version=True
        )["data"]["data"]
    finally:
        client.adapter.close()


def machines(stack: Running) -> list[Any]:
    """What there is at Lambda, or rather at its twin."""
    requests = httpx.get(f"{stack.state['twins']['lambdalabs']['url']}/_twin/requests").json()
    return [one for one in requests if one["path"] == "/instance-operations/launch" and one["status"] == 200]


def test_a_machine_is_leased_extended_and_ended(stack: Running, goal_id: str) -> None:
    held = leased(stack, goal_id, killed=True)
    assert (held["type"], held["region"], held["gpus"]) == ("gpu_1x_a10", "us-west-1", 1)
    greeted = asyncio.run(greeting(held["address"]))
    assert greeted is not None
    assert gpus_of(greeted) == 1
    assert len(machines(stack)) == 1
    kept = secret(stack, held["secret"])
    assert kept["user"] == "ubuntu"
    assert load_ssh_private_key(kept["key"].encode(), None) is not None

    extended = stack.banksman("leases", "extend", held["lease"], "--hours", "2", "--note", "one more epoch")
    assert extended.returncode == 0, extended.stdout + extended.stderr
    renamed = stack.banksman("gpu", "rename", goal_id, "evaluate")
    assert (renamed.returncode, renamed.stdout.startswith("evaluate (")) == (0, True), renamed.stdout + renamed.stderr
    assert stack.banksman("gpu", "rename", goal_id, "No Name").returncode == Exit.USAGE
    ended = stack.banksman("leases", "end", held["lease"], "--wait")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = stack.result(goal_id)
    assert (told["outcome"], told["instance"], told["called"]) == ("completed", held["instance"], "evaluate")
    over = stack.banksman("gpu", "restart", goal_id)
    assert (over.returncode, "no goal LeaseGpu runs" in over.stderr) == (Exit.FAILED, True), over.stderr
    assert asyncio.run(greeting(held["address"])) is None
    with pytest.raises(InvalidPath):
        secret(stack, held["secret"])
    assert "PRIVATE KEY" not in stack.history(goal_id)


def test_a_goal_that_is_terminated_leaves_no_machine(stack: Running, goal_id: str) -> None:
    held = leased(stack, goal_id)
    assert stack.temporal("workflow", "terminate", "--workflow-id", goal_id).returncode == 0

    def gone() -> bool:
        return asyncio.run(greeting(held["address"])) is None

    eventually(gone, seconds=120, what="its end")
    done = stack.temporal("workflow", "result", "--workflow-id", held["lease"], "--output", "json", seconds=120)
    assert json.loads(done.stdout)["result"]["why"] == "the goal that held it is over"
    with pytest.raises(InvalidPath):
        secret(stack, held["secret"])
