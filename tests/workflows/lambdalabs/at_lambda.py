"""Goals on GPUs with their real steps on Lambda's judged twin; what is played is Vault, and the gateway's message."""

import contextlib
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.lambdalabs.contracts import GPU
from activities.leases.contracts import lease_id
from activities.leases.views import LeaseView
from activities.queues import TaskQueue
from activities.step import implemented
from connectors.creation import mark
from connectors.lambdalabs.twin.app import create_twin
from tests.activities.lambdalabs.at_work import Vault
from tests.connectors.judged import judged_twin
from tests.connectors.lambdalabs.conftest import CONFIG
from tests.connectors.lambdalabs.published import LAMBDA
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.leasing import LeaseTeller, MappedErrors
from workflows.contracts import GoalStatus
from workflows.implementations import WORKFLOWS
from workflows.lambdalabs.goals import LEASE_GPU, LeaseGpuInput, LeaseGpuResult
from workflows.leases.contracts import EndLease, LeaseResult

AT_ONCE = CONFIG.model_copy(update={"boots_in": 0.0, "answers_in": 0.0, "ends_in": 0.0})
WANTED = LeaseGpuInput(name="train", types=("gpu_1x_a10",), regions=("us-west-1", "us-east-1"), hours=3, most_usd=3)


@dataclass
class AtLambda:
    """All that a test acts on."""

    app: Starlette
    vault: Vault
    teller: LeaseTeller = field(default_factory=LeaseTeller)

    @property
    def known(self) -> Any:
        """The twin itself."""
        return self.app.state.twin

    def left(self) -> dict[str, int]:
        """What there is at Lambda and in Vault, beside the keys of the account."""
        opened = [path for path in self.vault.held if path.startswith("lambdalabs/ssh/")]
        self.known.clock.run()
        return {"instances": len(self.known.instances), "keys": len(self.known.ssh_keys), "secrets": len(opened)}

    @contextlib.asynccontextmanager
    async def at_work(self, client: Client) -> AsyncGenerator[None]:
        """Goals, steps on Lambda Labs, and who tells people."""
        steps = [*implemented(self.vault.looking), *implemented(self.vault.making), *implemented(self.vault.changing)]
        async with contextlib.AsyncExitStack() as running:
            for worker in (
                Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
                Worker(client, task_queue=TaskQueue.CONNECTORS, activities=steps, interceptors=[MappedErrors()]),
                Worker(client, task_queue=TaskQueue.POSTS, activities=[self.teller.tell]),
                Worker(client, task_queue=TaskQueue.HITL, activities=[self.teller.tell]),
            ):
                await running.enter_async_context(worker)
            yield

    def start(self, client: Client, goal_id: str, wanted: LeaseGpuInput = WANTED) -> Any:
        """Begin the goal."""
        return client.start_workflow(
            LEASE_GPU.name, wanted, id=goal_id, task_queue=TaskQueue.GOALS, result_type=LeaseGpuResult
        )

    async def held(
        self, client: Client, goal_id: str, wanted: LeaseGpuInput = WANTED
    ) -> WorkflowHandle[Any, LeaseGpuResult]:
        """The goal, once its machine is ready."""
        goal: WorkflowHandle[Any, LeaseGpuResult] = await self.start(client, goal_id, wanted)
        await until_step(goal, "Hold the machine")
        return goal


NOTHING_LEFT = {"instances": 0, "keys": 0, "secrets": 0}
ONE_OF_EACH = {"instances": 1, "keys": 1, "secrets": 1}


@contextlib.contextmanager
def at_lambda(**changes: object) -> Generator[AtLambda]:
    """The twin, until the block ends."""
    app = create_twin(AT_ONCE.model_copy(update=changes))
    with judged_twin(app, LAMBDA) as twin:
        yield AtLambda(app, Vault(twin))


async def told(goal: WorkflowHandle[Any, Any]) -> LeaseGpuResult:
    """What the goal knows of its machine."""
    return await goal.query("gpu", result_type=LeaseGpuResult)


async def until_step(goal: WorkflowHandle[Any, Any], begins: str) -> str:
    """What the goal says that it does, once it begins so."""
    said = ""

    async def so() -> bool:
        nonlocal said
        said = (await goal.query("status", result_type=GoalStatus)).step or ""
        return said.startswith(begins)

    await eventually(so)
    return said


def lease_of(client: Client, goal_id: str) -> WorkflowHandle[Any, LeaseResult]:
    """The goal's lease."""
    return client.get_workflow_handle(lease_id(GPU.name, mark(goal_id)), result_type=LeaseResult)


async def end_lease(client: Client, goal_id: str) -> None:
    """As a person does."""
    await lease_of(client, goal_id).execute_update("end", EndLease(note="done"), result_type=LeaseView)
