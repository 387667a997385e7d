"""`RunInSandbox` as a person uses it, with real containers, and what dies in the middle of it."""

import asyncio
import json
import os
import signal
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hvac
import psutil
import pytest
from pydantic import SecretStr
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from activities.queues import TaskQueue
from activities.sandbox.contracts import CommandRun, RunCommandRequest
from connectors.vault.handover import seal
from connectors.vault.transport import Transport
from deploy.local.processes.control import Ask, ask
from deploy.local.state import StackFolder
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_KIND
from sandbox.provisioning import EngineFound, Images
from tests.stack.running import Running, eventually
from workers.commands.exits import Exit
from workflows.plugin import banksman_plugin

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(240)]

FIRST_TIME = 1500
CANARY = "canary-4c1e9b-of-one-run"


@pytest.fixture(scope="module", autouse=True)
def sandbox(stack: Running) -> EngineFound:
    """Until the sandbox polls; the first time on a machine, its engine and images are made."""

    def there() -> bool:
        reply = asyncio.run(ask(stack.home / "control.sock", Ask(op="status")))
        missing = [note for note in reply.notes if "there is no sandbox" in note] if reply else []
        if missing:
            pytest.skip(missing[0])
        return stack.pid("worker-sandbox") is not None

    eventually(there, seconds=FIRST_TIME, what="the sandbox")
    return EngineFound.model_validate_json((stack.home / "engine.json").read_bytes())


def run(stack: Running, goal_id: str, *command: str, **more: object) -> dict[str, Any]:
    """The goal, to its end."""
    asked = json.dumps({"repository": "acme/shop", "command": command, **more})
    done = stack.banksman("run", "RunInSandbox", "--input", asked, "--id", goal_id, "--wait", "--json", seconds=120)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def start(stack: Running, goal_id: str, *command: str) -> None:
    asked = json.dumps({"repository": "acme/shop", "command": command})
    done = stack.banksman("run", "RunInSandbox", "--input", asked, "--id", goal_id, "--json")
    assert done.returncode == 0, done.stderr


def pending(stack: Running, goal_id: str) -> list[dict[str, Any]]:
    """The step under way, as Temporal tells it."""
    told = stack.temporal("workflow", "describe", "--workflow-id", goal_id, "--output", "json").stdout
    return json.loads(told).get("pendingActivities") or []


def containers(stack: Running, found: EngineFound) -> list[str]:
    """What runs this environment's commands on the engine now."""
    ours = [f"{LABEL_DEPLOYMENT}={StackFolder(stack.home).deployment}", f"{LABEL_KIND}=run"]

    async def listed() -> list[str]:
        engine = Engine(found.host, threads=1)
        try:
            there = await engine.call(engine.api.containers, all=True, filters={"label": ours})
        finally:
            await engine.close()
        return [str(one["Id"]) for one in there]

    return asyncio.run(listed())


def state(stack: Running, goal_id: str) -> str:
    told = stack.temporal("workflow", "describe", "--workflow-id", goal_id, "--output", "json").stdout
    return str(json.loads(told)["workflowExecutionInfo"]["status"]).removeprefix("WORKFLOW_EXECUTION_STATUS_")


def moment(stack: Running, goal_id: str, event: str) -> datetime:
    """When the history says that this happened."""
    told = json.loads(stack.temporal("workflow", "show", "--workflow-id", goal_id, "--output", "json").stdout)
    (found,) = (one for one in told["events"] if one["eventType"] == event)
    return datetime.fromisoformat(found["eventTime"])


def test_a_command_runs_on_a_commit(stack: Running, goal_id: str) -> None:
    ended = run(stack, goal_id, "git", "log", "-1", "--format=%H")
    result = ended["result"]
    assert (ended["outcome"], result["exit_code"], result["ended"]) == ("completed", 0, "exit")
    assert result["stdout"].strip() == result["commit"]
    assert (result["oom_seen"], result["stderr"], result["connections"]) == (False, "", [])


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["sh", "-c", "echo out; echo err >&2; exit 3"], {"exit_code": 3, "ended": "exit"}),
        (["no-such-program"], {"exit_code": 127, "ended": "exit"}),
        (["sh", "-c", "kill -9 $$"], {"exit_code": 137, "ended": "killed"}),
        (["python3", "-c", "x = bytearray(3 << 30)"], {"ended": "out_of_memory", "oom_seen": True}),
    ],
    ids=["fails", "is not there", "is killed", "takes too much memory"],
)
def test_a_command_that_fails_is_a_result(
    stack: Running, goal_id: str, command: list[str], expected: dict[str, object]
) -> None:
    ended = run(stack, goal_id, *command)
    assert ended["outcome"] == "completed"
    assert {name: ended["result"][name] for name in expected} == expected


def test_its_time_ends(stack: Running, goal_id: str) -> None:
    ended = run(stack, goal_id, "sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout_seconds=2)
    assert ended["result"]["ended"] == "timeout"
    assert "raise 'timeout_seconds'" in ended["result"]["reason"]
    assert 2 <= ended["result"]["seconds"] < 8


def test_output_is_bounded(stack: Running, goal_id: str) -> None:
    ended = run(stack, goal_id, "sh", "-c", "echo first; yes | head -c 20000000; echo last")
    assert ended["result"]["truncated"] is True
    assert ended["result"]["stdout"].startswith("first\n")
    assert ended["result"]["stdout"].endswith("last\n")
    assert len(stack.history(goal_id)) < 400_000


def test_the_command_finds_no_credential_and_no_network(stack: Running, goal_id: str) -> None:
    look = (
        "env; cat .git/config; ls -A /run/secrets; cat /proc/1/environ /proc/self/environ | tr '\\0' '\\n'; "
        "grep -rIl 'gh[sp]_[A-Za-z0-9]' /workspace/tree/.git /tmp /run /etc 2>/dev/null; ls /sys/class/net"
    )
    ended = run(stack, goal_id, "sh", "-c", f"{look}; true")
    said = ended["result"]["stdout"]
    assert "PATH=" in said, "the attack ran"
    for hidden in ("ghs_", "VAULT", "BANKSMAN_VAULT", "hvs.", "s.", "Authorization", "x-access-token"):
        assert not any(hidden in line for line in said.splitlines() if "=" in line), hidden
    assert [line for line in said.splitlines() if line in {"lo", "eth0"}] == ["lo"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"purpose": "everything"}, "the purpose 'everything' does not exist here"),
        ({"purpose": "pulumi-stack"}, "the purpose 'pulumi-stack' is for Pulumi's engine alone"),
        ({"ref": "no/such/branch"}, "no branch, tag or commit 'no/such/branch'"),
        ({"repository": "acme/none"}, "not installed on 'acme/none'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(stack: Running, goal_id: str, more: dict[str, object], says: str) -> None:
    ended = run(stack, goal_id, "true", **more)
    assert ended["outcome"] == "failed"
    assert says in ended["error"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"command": []}, "command"),
        ({"command": "ls -l"}, "command"),
        ({"command": ["ls"], "timeout_seconds": 0}, "timeout_seconds"),
        ({"command": ["ls"], "purpose": "Not A Purpose"}, "purpose"),
        ({"command": ["ls"], "image": "alpine"}, "image"),
        ({"command": ["a\0b"]}, "NUL"),
    ],
)
def test_a_wrong_input_names_its_field(stack: Running, wrong: dict[str, object], says: str) -> None:
    asked = json.dumps({"repository": "acme/shop", **wrong})
    done = stack.banksman("run", "RunInSandbox", "--input", asked)
    assert done.returncode == Exit.USAGE
    assert says in done.stderr


def test_a_policy_denies_it_as_a_result(stack: Running, goal_id: str) -> None:
    policy = Path(stack.state["policy"])
    before = policy.read_text()
    policy.write_text(before.replace("    actions:\n", "    actions:\n      - deny: sandbox.*\n"))
    try:
        ended = run(stack, goal_id, "true")
    finally:
        policy.write_text(before)
    assert ended["outcome"] == "denied"
    assert "sandbox.run_command" in ended["result"]["reason"]


def test_its_output_is_seen_while_it_runs(stack: Running, goal_id: str) -> None:
    start(stack, goal_id, "sh", "-c", "for i in 1 2 3 4; do echo step-$i; sleep 2; done")
    eventually(lambda: "step-" in json.dumps(pending(stack, goal_id)), what="a line in the heartbeat")
    log = stack.home / "logs" / "worker-sandbox.log"
    assert stack.result(goal_id)["stdout"] == "step-1\nstep-2\nstep-3\nstep-4\n"
    lines = [json.loads(line) for line in log.read_text().splitlines() if "step-4" in line]
    assert lines[-1]["event"] == "output"
    assert lines[-1]["temporal.workflow_id"] == goal_id


def test_a_cancelled_goal_ends_after_its_command_and_soon(stack: Running, sandbox: EngineFound, goal_id: str) -> None:
    start(stack, goal_id, "sleep", "200")
    eventually(lambda: containers(stack, sandbox), what="the container")
    assert stack.temporal("workflow", "cancel", "--workflow-id", goal_id).returncode == 0
    eventually(lambda: state(stack, goal_id) == "CANCELED", what="the goal's end")
    assert containers(stack, sandbox) == [], "told before the command had stopped"
    asked, heard, ended = (
        moment(stack, goal_id, f"EVENT_TYPE_{event}")
        for event in ("WORKFLOW_EXECUTION_CANCEL_REQUESTED", "ACTIVITY_TASK_CANCELED", "WORKFLOW_EXECUTION_CANCELED")
    )
    assert asked <= heard <= ended
    assert (ended - asked).total_seconds() < 5, "two seconds, and as much again for a busy machine"


def test_a_killed_sandbox_worker_leaves_nothing_and_the_command_runs_again(
    stack: Running, sandbox: EngineFound, goal_id: str
) -> None:
    start(stack, goal_id, "sh", "-c", "sleep 4; echo done")
    eventually(lambda: containers(stack, sandbox), what="the container")
    first = containers(stack, sandbox)
    pid = stack.pid("worker-sandbox")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert stack.result(goal_id, seconds=120)["stdout"] == "done\n"
    eventually(lambda: not set(containers(stack, sandbox)) & set(first), what="the end of what it left")


@workflow.defn(name="WithSecret", sandboxed=False)
class WithSecret:
    """A goal of a test's own, which hands the sandbox what it was given."""

    def __init__(self) -> None:
        self._sealed = ""

    @workflow.run
    async def run(self) -> CommandRun:
        await workflow.wait_condition(lambda: bool(self._sealed))
        return await workflow.execute_activity(
            "sandbox.run_command",
            RunCommandRequest(
                command=("sh", "-c", "stat -c %a /run/secrets/key; cat /run/secrets/key; echo; env"),
                timeout_seconds=30,
                secrets=self._sealed,
            ),
            result_type=CommandRun,
            task_queue=TaskQueue.SANDBOX,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )

    @workflow.signal
    def seal(self, sealed: str) -> None:
        self._sealed = sealed


async def _with_secret(stack: Running, of: str | None = None) -> tuple[str, CommandRun]:
    """Run it with a secret that is sealed for this run, or for another one."""
    root = SecretStr(json.loads((stack.home / "vault/init.json").read_text())["root_token"])
    client = await Client.connect(stack.state["temporal"]["address"], plugins=[banksman_plugin()])
    queue = f"test-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[WithSecret]):
        handle = await client.start_workflow(WithSecret.run, id=queue, task_queue=queue)
        transport = Transport(stack.state["vault"]["address"])
        run_id = of or handle.result_run_id or ""
        sealed = await seal(transport, root, {"key": SecretStr(CANARY)}, run=run_id, ttl=timedelta(seconds=60))
        transport.close()
        await handle.signal("seal", sealed)
        return queue, await handle.result()


def test_a_secret_is_a_file_for_one_command_and_in_no_history(stack: Running) -> None:
    goal, ran = asyncio.run(_with_secret(stack))
    assert ran.stdout.splitlines()[:2] == ["400", "[secret]"], ran
    assert CANARY not in ran.stdout
    assert CANARY not in stack.history(goal)
    assert CANARY not in (stack.home / "logs" / "worker-sandbox.log").read_text()


def test_a_secret_for_another_run_opens_nothing(stack: Running) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        asyncio.run(_with_secret(stack, of=str(uuid.uuid4())))
    assert "not sealed for" in str(caught.value.cause.__cause__)


def test_the_record_names_images_by_digest(sandbox: EngineFound) -> None:
    images = Images.model_validate_json(Path(sandbox.images).read_bytes())
    assert images.base.digest.startswith("sha256:")
    assert images.proxy.digest.startswith("sha256:")


def test_the_sandbox_worker_reaches_no_provider(stack: Running) -> None:
    kept = json.loads((stack.home / "vault/init.json").read_text())
    vault = hvac.Client(url=stack.state["vault"]["address"], token=kept["root_token"])
    try:
        policy = vault.sys.read_acl_policy("sandbox")["data"]["policy"]
    finally:
        vault.adapter.close()
    paths = [line.split('"')[1] for line in policy.splitlines() if line.startswith("path")]
    assert paths == ["banksman/data/payload-keys", "transit/decrypt/handover"]


@pytest.mark.alone
def test_a_killed_engine_is_started_again_and_the_goal_goes_on(
    stack: Running, sandbox: EngineFound, goal_id: str
) -> None:
    folder = Path(sandbox.host.removeprefix("unix://")).parent
    if not (folder / "docker.pid").exists():
        pytest.skip("this machine's own Docker engine is used, which no test kills")
    start(stack, goal_id, "sh", "-c", "sleep 4; echo done")
    eventually(lambda: containers(stack, sandbox), what="the container")
    psutil.Process(int((folder / "docker.pid").read_text())).kill()
    assert stack.result(goal_id, seconds=180)["stdout"] == "done\n"
    eventually(lambda: not containers(stack, sandbox), what="the end of what it left")
