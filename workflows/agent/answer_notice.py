"""The workflow that waits for what became of words, and has who asked told: no gateway has to live as long as it."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from workflows.agent.answer_contracts import ANSWER_NOTICE, AWAIT_ANSWER, TELL_ANSWER, Answered
    from workflows.execute import execute

_TELLING: Final = timedelta(days=1)
"""After that nobody waits for it any more; the goal's own result says it for as long as it is kept."""


@workflow.defn(name=ANSWER_NOTICE)
class AnswerNoticeWorkflow:
    """Waits, and says it. Where that cannot be done it ends: the goal has its result all the same."""

    @workflow.run
    async def run(self, request: Answered) -> None:
        """Wait and tell."""
        try:
            await execute(AWAIT_ANSWER, request, summary="Wait for what becomes of it")
            preset = TELL_ANSWER.preset.within(_TELLING)
            await execute(TELL_ANSWER, request, preset=preset, summary="Tell who asked")
        except ActivityError as error:
            workflow.logger.warning("who asked in words is not told what became of it: %s", error.cause)
