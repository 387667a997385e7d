"""Which coding job opened a pull request, and what it is asked for once more: to take up the review of that.

What opened it is told by the branch, whose name holds a digest of the job's workflow id, and by the server's own record
of how that workflow was started. Nothing that stands on the pull request counts.
"""

import json
from typing import Final

from temporalio.client import WorkflowExecution

from activities.queues import TaskQueue
from hitl.gateway.inputs import AskedFor, NotAskedFor, read_asked
from hitl.gateway.server import Server, quoted
from hitl.github.acting import NotTheirs, Occasion
from hitl.github.commands import COMMAND, Command
from workflows.coding.job.goals import CODING_JOB, CodingJobInput
from workflows.contracts import REPOSITORY_ATTRIBUTE

_LOOKED_AT: Final = 1000
"""Coding jobs of one repository, the newest first."""


async def revision_of(server: Server, command: Command, on: Occasion) -> AskedFor:
    """The job that opened the pull request, asked for once more: with what people said of it, and what is said now.

    Args:
        server: Temporal.
        command: What was typed.
        on: Where.

    Raises:
        NotTheirs: It is no pull request, or none that a job opened. The message is for who typed it.
        RPCError: The server cannot be reached.
    """
    if on.number is None or on.commit is None:
        raise NotTheirs(f"`{COMMAND} revise` is about a pull request that a coding job opened: say it there.")
    found = await _job_of(server, on)
    if found is None:
        raise NotTheirs(
            f"No coding job opened #{on.number}, as far as this deployment remembers. `{COMMAND} run CodingJob "
            f"pull={on.number} …` has one change it by a pull request into its branch."
        )
    given = found.model_dump(mode="json", exclude_unset=True, exclude={"text", "issue", "base", "pull", "rehearsal"})
    about = {"pull": on.number, "revise": True, "head": on.commit}
    words = {"text": command.given} if command.given else {}
    try:
        return read_asked(CODING_JOB.name, json.dumps({**given, **about, **words}, ensure_ascii=False))
    except NotAskedFor as error:
        raise NotTheirs(f"The job that opened #{on.number} cannot take up its review: {error}") from error


async def _job_of(server: Server, on: Occasion) -> CodingJobInput | None:
    """What the job was asked for that made this branch."""
    query = (
        f"WorkflowType = {quoted(CODING_JOB.name)} AND {REPOSITORY_ATTRIBUTE.name} = {quoted(on.repository)} "
        f"AND TaskQueue = {quoted(TaskQueue.GOALS)}"
    )
    async for one in server.client.list_workflows(query, limit=_LOOKED_AT):
        wanted = await _asked(server, one, on.branch) if on.branch else None
        if wanted is not None and wanted.branch(one.id) == on.branch and wanted.repository == on.repository:
            return wanted
    return None


async def _asked(server: Server, one: WorkflowExecution, branch: str) -> CodingJobInput | None:
    """What it was started with; None without asking where its branch is another one, or where that cannot be read."""
    if not branch.endswith(CodingJobInput.branch_digest(one.id)):
        return None
    first = await server.first_event(one.id, one.run_id)
    try:
        [plain] = await server.plain(list(first.workflow_execution_started_event_attributes.input.payloads))
        return CodingJobInput.model_validate_json(plain.data)
    except (ValueError, RuntimeError):  # anybody can start anything
        return None
