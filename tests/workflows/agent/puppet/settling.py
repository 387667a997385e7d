"""Many goals at once in one house: which of them wait for people."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from tests.workflows.agent.asking import AskingHouse
from tests.workflows.agent.running import exists
from workflows.agent.goals import AskForResult
from workflows.contracts import GoalStatus

Asked = WorkflowHandle[Any, AskForResult]
PATIENCE: Final = 240.0


async def settled(house: AskingHouse, goals: Sequence[Asked]) -> list[Asked]:
    """Wait until each has ended or waits for people; those that wait."""

    async def waits(goal: Asked) -> bool:
        async with asyncio.timeout(PATIENCE):
            while (await goal.describe()).status is WorkflowExecutionStatus.RUNNING:
                plan = house.child(goal, "plan")
                if await exists(plan) and (await plan.query("status", result_type=GoalStatus)).state == "waiting":
                    return True
                await asyncio.sleep(0.05)
        return False

    return [goal for goal, waiting in zip(goals, [await waits(one) for one in goals], strict=True) if waiting]
