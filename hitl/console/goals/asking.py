"""Reads what a goal was asked for with, and by what on GitHub: from the events that began it, as the server has it."""

import asyncio
import json
from typing import Final

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from hitl.console.goals.asked import AskedWith, ShownJob
from hitl.console.server_lists import PATIENCE, UNKNOWN, soon
from hitl.gateway.server import Server
from hitl.hidden import unhidden_lines
from observability.redaction import redact
from workflows.github.contracts import delivery_id
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput, GitHubJobResult, GitHubJobStatus

_MOST: Final = 16_000
"""Characters of an input that a page shows."""


class AskedFor:
    """Reads it.

    Args:
        client: Of Temporal.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._server = Server(client, cluster="")

    async def of(self, found: WorkflowExecution) -> AskedWith:
        """Of a goal or a job. Whatever cannot be read is left out."""
        try:
            async with asyncio.timeout_at(soon()):
                plain = await self._input(found.id, found.run_id)
                inputs = _written(plain)
        except (*UNKNOWN, RPCError, IndexError):
            inputs = ""
        return AskedWith(inputs=inputs[:_MOST], cut=max(0, len(inputs) - _MOST), job=await self._job(found))

    async def _job(self, found: WorkflowExecution) -> ShownJob | None:
        try:
            async with asyncio.timeout_at(soon()):
                job = await self._job_of(found)
                if job is None:
                    return None
                asked = GitHubJobInput.model_validate_json(await self._input(job.id, job.run_id))
        except (*UNKNOWN, RPCError, IndexError, ValidationError):
            return None
        shown = await self._shown(job)
        return ShownJob(
            id=job.id,
            run_id=job.run_id,
            asked=asked,
            delivered=delivery_id(asked.delivery),
            check=shown.check if shown else None,
            comment=shown.comment if shown else None,
            not_shown=shown.not_shown if shown else (),
        )

    async def _job_of(self, found: WorkflowExecution) -> WorkflowExecution | None:
        """The job of a goal, by the server's word on who started it: ids can be chosen, and so can queues."""
        if found.workflow_type == GITHUB_JOB.name:
            return found
        if not found.parent_id:
            return None
        parent = await self._server.describe(found.parent_id, found.parent_run_id)
        ours = parent is not None and parent.workflow_type == GITHUB_JOB.name and parent.task_queue == TaskQueue.GOALS
        return parent if ours else None

    async def _shown(self, job: WorkflowExecution) -> GitHubJobStatus | GitHubJobResult | None:
        """By the job itself; a worker has to answer for one that runs."""
        handle = self._client.get_workflow_handle(job.id, run_id=job.run_id, result_type=GitHubJobResult)
        try:
            async with asyncio.timeout_at(soon()):
                if job.status is WorkflowExecutionStatus.COMPLETED:
                    return await handle.result(follow_runs=False, rpc_timeout=PATIENCE)
                return await handle.query("status", result_type=GitHubJobStatus, rpc_timeout=PATIENCE)
        except (WorkflowFailureError, *UNKNOWN):
            return None

    async def _input(self, workflow_id: str, run_id: str) -> bytes:
        first = await self._server.first_event(workflow_id, run_id)
        given = first.workflow_execution_started_event_attributes.input.payloads
        return (await self._server.plain(list(given)))[0].data


def _written(plain: bytes) -> str:
    """An input for people. What GitHub's strangers wrote may be in it."""
    told: object = json.loads(plain)
    masked = redact.value(told)
    return unhidden_lines(json.dumps(masked, indent=2, ensure_ascii=False))
