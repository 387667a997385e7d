"""Executions that have ended are deleted one by one, and nothing is said to be gone before Temporal says so.

Not by a batch operation of Temporal's: that is a workflow in the same namespace, and keeps the query, with the name in
it, for as long as anything is kept there (decision 0052). A query would also be asked anew at its start.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from workers.forgetting.found import Found
from workers.forgetting.turns import each

_LOOK_EVERY: Final = 1.0


async def delete(client: Client, found: Found, *, tell: Callable[[int], None]) -> None:
    """Have all deleted that is due; what is gone meanwhile is fine. Begun again, it goes on.

    Args:
        client: Of the namespace.
        found: Nothing of it is deleted but what is due.
        tell: Is told how many Temporal has taken by now.

    Raises:
        RPCError: Temporal does not answer, or does not let this caller.
    """
    taken = 0

    async def one_of(one: WorkflowExecution) -> None:
        nonlocal taken
        await _delete(client, one)
        taken += 1
        tell(taken)

    for level in found.levels:  # what is found by what began it goes first, all of it
        await each(one_of, level)


async def _delete(client: Client, one: WorkflowExecution) -> None:
    # By its run: one that was started meanwhile under the same id is another.
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=Execution(workflow_id=one.id, run_id=one.run_id)
    )
    try:
        await client.workflow_service.delete_workflow_execution(request, retry=True)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def still_there(client: Client, found: Found, *, patience: float) -> int:
    """How many of those Temporal still has: it deletes them by itself once it has taken them.

    Args:
        client: Of the namespace.
        found: What was deleted.
        patience: Seconds that all of it may take.

    Raises:
        RPCError: Temporal does not answer.
    """
    loop = asyncio.get_running_loop()
    until, left = loop.time() + patience, list(found.due)
    while True:
        left = [one for one, there in await each(lambda one: _is_there(client, one), left) if there]
        if not left or loop.time() >= until:
            return len(left)
        await asyncio.sleep(_LOOK_EVERY)


async def _is_there(client: Client, one: WorkflowExecution) -> bool:
    try:
        await client.get_workflow_handle(one.id, run_id=one.run_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True
