"""A deployment that shows whatever steps a test wants, as the goal of that name would."""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Worker

from workflows.contracts import REPOSITORY_ATTRIBUTE, STATE_ATTRIBUTE, State
from workflows.deploy_feature.goals import DeployNewFeatureResult, DeployStatus, StepTold

REPOSITORY: Final = "acme/shop"


class Played(BaseModel):
    """What it shows at first.

    Attributes:
        ends: Whether it has a result at once, or runs until it is told to.
    """

    model_config = ConfigDict(frozen=True)

    steps: tuple[StepTold, ...]
    record: tuple[str, ...] = ()
    commands_left: tuple[str, ...] = ()
    pull_request: int | None = 7
    waiting_for: str | None = None
    ends: bool = False


@workflow.defn(name="DeployNewFeature", sandboxed=False)
class PlayedDeployment:
    """Shows what it is told, until it is told to end or to fail."""

    def __init__(self) -> None:
        self._steps: tuple[StepTold, ...] = ()
        self._record: tuple[str, ...] = ()
        self._waiting_for: str | None = None
        self._end = ""

    @workflow.query
    def status(self) -> DeployStatus:
        """As a deployment answers."""
        return DeployStatus(state=State.RUNNING, waiting_for=self._waiting_for, steps=self._steps, record=self._record)

    @workflow.signal
    def show(self, steps: Sequence[StepTold]) -> None:
        """Other steps, from now on."""
        self._steps, self._waiting_for = tuple(steps), None

    @workflow.signal
    def end(self, how: str) -> None:
        """`completed`, or why it fails."""
        self._end = how

    @workflow.run
    async def run(self, played: Played) -> DeployNewFeatureResult:
        """Until it ends."""
        workflow.upsert_search_attributes([REPOSITORY_ATTRIBUTE.value_set(REPOSITORY)])
        self._steps, self._record, self._waiting_for = played.steps, played.record, played.waiting_for
        await workflow.wait_condition(lambda: played.ends or self._end != "")
        if self._end not in {"", "completed"}:
            workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(State.FAILED)])
            raise ApplicationError(self._end, non_retryable=True)
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(State.COMPLETED)])
        return DeployNewFeatureResult(
            outcome=State.COMPLETED,
            repository=REPOSITORY,
            what="#7",
            steps=self._steps,
            record=self._record,
            commands_left=played.commands_left,
            pull_request=played.pull_request,
        )


@contextlib.asynccontextmanager
async def playing(client: Client, played: Played) -> AsyncGenerator[WorkflowHandle[object, object]]:
    """One of them, with a worker of its own; ended with the block if it runs by then."""
    queue = f"steps-{secrets.token_hex(4)}"
    async with Worker(client, task_queue=queue, workflows=[PlayedDeployment]):
        handle = await client.start_workflow(
            "DeployNewFeature",
            played,
            id=f"deploy-new-feature/{REPOSITORY}/{queue}",
            task_queue=queue,
            execution_timeout=timedelta(minutes=2),
        )
        yield handle
        with contextlib.suppress(RPCError):  # it has ended by itself
            await handle.signal("end", "completed")
            await handle.result()
