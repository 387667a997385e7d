"""The workflow of one sentence of an evaluation: the planner of `AskFor` with its corrections, and no plan run.

The command that evaluates runs it by itself, on a queue of its own: no goals worker has it, and no release has to
replay it. Its steps are those of the deployment, each behind its guard: keys stay where they are, limits hold, and the
audit log has every request.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.planning_contracts import (
        BRIEF_PLANNER,
        READ_ANSWER,
        AnswerRead,
        BriefPlannerRequest,
        ReadAnswerRequest,
    )
    from activities.guard.error_types import ErrorType, application_error
    from activities.models.contracts import REQUEST, ModelAnswered, ModelsFound, RequestModel
    from connectors.models.messages import Tokens
    from workers.planning_eval.contracts import PLAN_SENTENCE, PlanSentence, SentencePlanned
    from workflows.agent.corrected import corrected
    from workflows.agent.planner import Planner
    from workflows.agent.tier import NoModel
    from workflows.goal import Goal, StepDenied, StepWaits


@workflow.defn(name=PLAN_SENTENCE)
class PlanSentenceWorkflow(Goal):
    """Ask, look at the answer, give it back, and end."""

    @workflow.init
    def __init__(self, request: PlanSentence) -> None:
        super().__init__(request)
        self._wanted = request
        self._planned = SentencePlanned()

    @workflow.run
    async def run(self, request: PlanSentence) -> SentencePlanned:
        """What came of it; that nobody answers is a result, too.

        Raises:
            ApplicationError: A step of the planner's own was refused, or tried in vain.
        """
        try:
            return await self._run(request)
        except (StepWaits, StepDenied) as error:
            raise application_error(ErrorType.UNAVAILABLE, str(error)) from error

    async def _run(self, request: PlanSentence) -> SentencePlanned:
        brief = await self.attempt(
            BRIEF_PLANNER,
            BriefPlannerRequest(text=request.text, repositories=request.repositories, stacks=request.stacks),
            summary="Write down what the model is told",
        )
        planner, began = Planner(ModelsFound(models=(request.model,)), brief, self._ask), workflow.now()
        read, why = None, ""
        try:
            read = await corrected(
                planner,
                brief,
                text=request.text,
                answers=(),
                corrections=request.corrections,
                read=self._read,
                note=lambda _: None,
            )
        except NoModel as nobody:
            why = str(nobody)
        return self._planned.model_copy(
            update={
                "read": read,
                "why": why,
                "seconds": (workflow.now() - began).total_seconds(),
                "requests": planner.spending.requests,
                "cost_micros": planner.spending.micros,
            }
        )

    async def _ask(self, request: RequestModel, summary: str) -> ModelAnswered:
        answered, so_far = await self.attempt(REQUEST, request, summary=summary), self._planned
        tokens = answered.answer.tokens or Tokens()
        self._planned = so_far.model_copy(
            update={
                "prompt": answered.instructions or "",
                "answered_by": answered.answer.answered_by,
                "input_tokens": so_far.input_tokens + tokens.input,
                "output_tokens": so_far.output_tokens + tokens.output,
            }
        )
        return answered

    async def _read(self, request: ReadAnswerRequest) -> AnswerRead:
        read = await self.attempt(READ_ANSWER, request, summary="Look at the answer")
        so_far = self._planned
        mistakes = {
            "mistakes": (*so_far.mistakes, *read.mistakes),
            "more_mistakes": so_far.more_mistakes + read.more_mistakes,
        }
        self._planned = so_far.model_copy(update=mistakes)
        return read
