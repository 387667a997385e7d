"""A goals worker in a process of its own, which a test kills as nobody can be killed within one."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.guard.grants import ClickCheck
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from deploy.ending import run_to_the_end
from tests.conftest import BIN
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS
from workflows.plugin import banksman_plugin

_ROOT = Path(__file__).parents[3]


class Told(BaseModel):
    """What it needs to know.

    Attributes:
        keys: Who decides is known by these, as hex by version.
    """

    address: str
    namespace: str
    policy: Path
    cluster: str
    keys: dict[int, str]


class GoalsProcess:
    """One that runs from its making until it is killed.

    Args:
        told: What it needs to know.
        log: Where it writes.
    """

    def __init__(self, told: Told, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(BIN / "python"), "-m", __name__, told.model_dump_json()], cwd=_ROOT, stdout=output, stderr=output
            )

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.send_signal(signal.SIGKILL)
        assert await asyncio.to_thread(self._process.wait, 30) == -signal.SIGKILL


async def _work(told: Told) -> None:
    client = await Client.connect(told.address, namespace=told.namespace, plugins=[banksman_plugin()])

    async def published() -> Mapping[int, bytes]:
        return {version: bytes.fromhex(key) for version, key in told.keys.items()}

    keys = KeyRing(published)
    await keys.refresh()
    keeping = asyncio.create_task(keys.keep_fresh())
    check = ClickCheck(keys, PolicySource(told.policy, environment="live"), cluster=told.cluster)
    worker = Worker(
        client,
        task_queue=TaskQueue.GOALS,
        workflows=WORKFLOWS,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[DecisionChecks(check)],
        # What was put aside for a worker that is gone is given to the next one so soon.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    await asyncio.gather(worker.run(), keeping)


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(_work(Told.model_validate(json.loads(sys.argv[1])))))
