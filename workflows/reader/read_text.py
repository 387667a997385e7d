"""The goal `ReadText`: what a model takes out of a stranger's text, and nothing that it was told there is done."""

from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.reading_contracts import (
        BRIEF_READER,
        LOOK_AT_ANSWERS,
        AnswersSeen,
        BriefReaderRequest,
        LookAtAnswersRequest,
        ReaderBriefed,
    )
    from activities.models.contracts import FIND_MODELS, REQUEST, FindModelsRequest, ModelAnswered, RequestModel
    from connectors.models.raw import Use
    from hitl.hidden import visible
    from workflows.agent.planner import LABELS
    from workflows.agent.tier import NoModel
    from workflows.contracts import Outcome, State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.reader.goals import READ_TEXT, ReadTextInput, ReadTextResult
    from workflows.reader.reader import Reader

_SHORT: Final = 1000


@goal(READ_TEXT)
class ReadTextWorkflow(Goal):
    """Ask the first model that may be told, give mistakes back, and hand on the declared fields alone."""

    @workflow.init
    def __init__(self, request: ReadTextInput) -> None:
        super().__init__(request)
        self._wanted = request
        labels = tuple(sorted({*request.labels, *LABELS}))  # the question is a word of our people's
        self._result = ReadTextResult(labels=labels)

    @workflow.run
    async def run(self, request: ReadTextInput) -> ReadTextResult:
        """Read it; a refusal and an answer that is of no use are results."""
        del request
        return await self.run_goal(self._run(), denied=lambda reason: self._ended(State.DENIED, reason))

    def _ended(self, outcome: Outcome, reason: str | None, **more: Any) -> ReadTextResult:
        return self._result.model_copy(update={"outcome": outcome, "reason": reason, **more})

    async def _run(self) -> ReadTextResult:
        wanted = self._wanted
        briefing = BriefReaderRequest(text=wanted.text, question=wanted.question, fields=wanted.fields)
        brief = await self.step(BRIEF_READER, briefing, summary="Write down what a model is told")
        found = await self.step(
            FIND_MODELS,
            FindModelsRequest(use=Use.READ, labels=self._result.labels),
            summary="Find who may be shown the text",
        )
        reader = Reader(found, brief, wanted.fields, self._result.labels, self._ask)
        try:
            seen = await self._read(reader, brief)
        except NoModel as nobody:
            self._note(reader)
            return self._ended(State.REFUSED, f"no model read it: {visible(str(nobody))[:_SHORT]}.")
        if seen.mistakes:
            count = len(seen.mistakes) + seen.more_mistakes
            told = f"the model's answer has {count} mistake{'' if count == 1 else 's'}: {seen.mistakes[0].line()}"
            return self._ended(State.REFUSED, f"{told}. Ask for less, or another model.", mistakes=seen.mistakes)
        return self._ended(State.COMPLETED, None, answers=seen.answers)

    async def _ask(self, request: RequestModel, summary: str) -> ModelAnswered:
        self.begin(summary)
        return await self.attempt(REQUEST, request, summary=summary)

    async def _read(self, reader: Reader, brief: ReaderBriefed) -> AnswersSeen:
        """Answers without mistakes, or the last ones, when they were given back as often as they may be.

        Raises:
            NoModel: Nobody answers.
        """
        last, seen = None, None
        for _ in range(self._wanted.corrections + 1):
            answered, last = await reader.read(last, seen)
            self._note(reader, answered)
            request = LookAtAnswersRequest(answer=last.reference or "", told=brief.told, fields=self._wanted.fields)
            seen = await self.step(LOOK_AT_ANSWERS, request, summary="Look at the answer")
            if not seen.mistakes:
                return seen
        return seen or AnswersSeen()

    def _note(self, reader: Reader, answered: ModelAnswered | None = None) -> None:
        spent = reader.spending
        told: dict[str, Any] = {"requests": spent.requests, "cost_micros": spent.micros}
        if answered is not None:
            told |= {"backend": answered.backend, "model": answered.model, "prompt": answered.instructions}
        self._result = self._result.model_copy(update=told)
