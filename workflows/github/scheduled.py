"""One run of a repository's schedule: it has the gateway decide, and looks at the repository's file for it.

Not a goal: nobody asks for it. Without a schedule's name it holds all of the repository's schedules against its file.
"""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import READ_FILE
    from activities.guard.error_types import ErrorType
    from workflows.execute import execute
    from workflows.github.contracts import DeliveryResult, Done
    from workflows.github.deciding_contracts import config_question
    from workflows.github.scheduled_contracts import (
        DECIDE_SCHEDULE,
        SCHEDULED_WORKFLOW,
        DecideSchedule,
        ScheduleDecided,
        ScheduledInput,
    )
    from workflows.one_input import OneInput

_ROUNDS: Final = 3


@workflow.defn(name=SCHEDULED_WORKFLOW)
class GitHubScheduledWorkflow(OneInput):
    """It ends once its job has begun."""

    @workflow.init
    def __init__(self, request: ScheduledInput) -> None:
        self._wanted = request

    @workflow.run
    async def run(self, request: ScheduledInput) -> DeliveryResult:
        """What was done."""
        del request
        decided = await _decided()
        for _ in range(_ROUNDS):
            if not decided.look:
                return DeliveryResult(done=decided.done, why=decided.why, goal=decided.goal)
            await self._look()
            decided = await _decided()
        return DeliveryResult(done=Done.IGNORED, why="GitHub answered too late, time after time")

    async def _look(self) -> None:
        """That there is no such file is an answer, too."""
        try:
            question = config_question(self._wanted.repository)
            await execute(READ_FILE, question, summary="What does the repository schedule?")
        except ActivityError as error:
            if not isinstance(error.cause, ApplicationError) or error.cause.type != ErrorType.NOT_FOUND:
                raise


async def _decided() -> ScheduleDecided:
    return await execute(DECIDE_SCHEDULE, DecideSchedule(), summary="Decide what is begun")
