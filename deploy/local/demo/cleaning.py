"""Takes back what a demonstration has begun and nobody waits for any more, so that the next one has a clean start."""

import asyncio
import contextlib
import time
from typing import Final

from rich.markup import escape
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.service import RPCError

from deploy.local.demo.environment import Environment
from deploy.local.demo.terminal import say
from deploy.local.example import SERVICE_REPOSITORY
from workflows.deploy_feature.goals import Abort

_PREFIX: Final = f"deploy-new-feature/{SERVICE_REPOSITORY}/"
_OPEN: Final = (
    f"WorkflowType = 'DeployNewFeature' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH '{_PREFIX}'"
)
_MOST: Final = 90.0
_POLL: Final = 0.5


async def stop_all(environment: Environment, why: str) -> None:
    """Stop every deployment of the sample service that is under way; what was applied is taken back.

    Alice says yes to that, whoever else decides otherwise in the demonstration.
    """
    goals = [one.id async for one in environment.client.list_workflows(_OPEN)]
    for goal in goals:
        say(f"  [yellow]stopped[/] {escape(goal)}: {why}")
        await _stop(environment, goal, why)


async def _stop(environment: Environment, goal: str, why: str) -> None:
    handle = environment.client.get_workflow_handle(goal)
    with contextlib.suppress(WorkflowUpdateFailedError, RPCError):  # it takes back already, or has ended
        await handle.execute_update("abort", Abort(person="demo", reason=why))
    deadline = time.monotonic() + _MOST
    approving = environment.alice.approving(goal)
    while time.monotonic() < deadline:
        described = await handle.describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return
        await approving()
        await asyncio.sleep(_POLL)
    say(f"  [red]it has not ended yet[/]: {environment.goal_page(goal)}")
