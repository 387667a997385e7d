"""Goals that park at their first step, as they do when a provider stays away: real goals, whose step is scripted."""

import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.hitl.gateway.running import PATIENCE, Place, eventually
from tests.replay.scenarios import until_parked
from tests.workflows.scripted import CONTENT, Steps, workers
from workflows.contracts import Resume
from workflows.repository.goals import ReadFileInput, ReadFileResult

REQUEST = ReadFileInput(repository="acme/shop", path="README.md")
READ_FILE = "github.read_file"
SEALED = "Vault is sealed; unseal it"
Goal = WorkflowHandle[Any, ReadFileResult]


def outage(why: str = SEALED) -> Exception:
    """One after which no time is left for another attempt."""
    return application_error(ErrorType.UNAVAILABLE, why, retry_after=timedelta(days=1))


def steps(*ends: str) -> Steps:
    """So many outages, one after the other; then the file is there."""
    return Steps(answers=[*map(outage, ends or (SEALED,)), CONTENT])


async def start(here: Place, goal_id: str) -> Goal:
    return await here.client.start_workflow(
        "ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
    )


async def resume(goal: Goal) -> None:
    await until_parked(goal, patience=PATIENCE)
    await goal.execute_update("resume", Resume(note="unsealed"))


@contextlib.asynccontextmanager
async def at_work(here: Place, scripted: Steps, **changes: Any) -> AsyncGenerator[None]:
    """Every worker and one gateway."""
    async with workers(here.client, scripted), here.gateway(**changes):
        yield


async def told(here: Place) -> list[dict[str, Any]]:
    """The messages about parked goals, the oldest first."""
    found = [one for one in await here.messages() if one.get("metadata")]
    return sorted(
        (one for one in found if one["metadata"]["event_type"] == "banksman_parked"), key=lambda one: float(one["ts"])
    )


async def until_told(here: Place, *stages: int) -> list[dict[str, Any]]:
    """The messages, once there are so many and each is so far."""

    async def so() -> bool:
        return [one["metadata"]["event_payload"]["stage"] for one in await told(here)] == list(stages)

    await eventually(so)
    return await told(here)
