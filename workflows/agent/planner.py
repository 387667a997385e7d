"""A planner's turns: one request and its corrections, to the first model of its tier that answers."""

from collections.abc import Awaitable, Callable
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.agent.planning_contracts import AnswerRead, PlannerBriefed
    from activities.agent.prompt_form import SCHEMA
    from activities.guard.error_types import ErrorType
    from activities.models.contracts import ModelAnswered, ModelFound, ModelsFound, RequestModel
    from connectors.models.messages import Ended, Message, Prompt, Text
    from connectors.models.raw import Use
    from workflows.agent.spending import Spending, reserve_of
    from workflows.goal import StepDenied, StepWaits

LABELS: Final = ("repository",)
"""What a planner is told: words of the deployment's own people, and names of what it operates."""
_MOST_TOKENS: Final = 16_000
_MISSED: Final = 64 * 1024
"""Bytes that a correction adds at most: what the model said, and what is wrong with it."""
_MAY_BE_BILLED: Final = frozenset({ErrorType.OUTCOME_UNKNOWN})
_NO_ANSWER: Final = {
    Ended.CONTEXT_TOO_LONG: "what it is told does not fit into its context",
    Ended.CONTENT_FILTER: "its filter refused",
    Ended.LENGTH: "its answer was longer than it may be",
}

Ask = Callable[[RequestModel, str], Awaitable[ModelAnswered]]
"""Asks once; raises what `Goal.attempt` raises."""


class NoModel(Exception):
    """No model answers, or none may be asked. The message says of each why."""


class Planner:
    """The models of one tier, the first to be asked first; one that does not answer is not asked again.

    Args:
        found: Who may be asked.
        brief: What they are told.
        ask: Asks one of them once.
    """

    def __init__(self, found: ModelsFound, brief: PlannerBriefed, ask: Ask) -> None:
        self.spending = Spending()
        self._left = list(found.models)
        self._why = [f"{one.backend}/{one.model}: {one.why}" for one in found.left_out]
        self._brief, self._ask = brief, ask

    async def plan(self, last: Text | None = None, read: AnswerRead | None = None) -> tuple[ModelAnswered, Text]:
        """An answer, and its text as an artifact.

        Args:
            last: What was answered before, and was of no use.
            read: What was wrong with that.

        Raises:
            NoModel: Nobody answers.
        """
        while self._left:
            model = self._left[0]
            reserve = reserve_of(model, sent=self._brief.size + (_MISSED if last else 0), answered=_MOST_TOKENS)
            answered = await self._answered(model, self._request(model, last, read), reserve)
            if answered is not None and (said := _text(answered)) is not None:
                return answered, said
            if answered is not None:
                self._gone(model, _NO_ANSWER.get(answered.answer.ended, "it said nothing"))
        raise NoModel("; ".join(self._why) or "the deployment's file has no model for plans; an operator can add one")

    async def _answered(self, model: ModelFound, request: RequestModel, reserve: int | None) -> ModelAnswered | None:
        try:
            answered = await self._ask(request, f"Ask {model.backend}/{model.model}")
        except StepDenied as denied:  # nobody was asked
            self._gone(model, str(denied))
            return None
        except (StepWaits, ApplicationError) as error:
            unknown = isinstance(error, ApplicationError) and error.type in _MAY_BE_BILLED
            self.spending.settle(reserve, None if unknown else 0)
            self._gone(model, error.message if isinstance(error, ApplicationError) else str(error))
            return None
        self.spending.settle(reserve, answered.cost_micros)
        return answered

    def _request(self, model: ModelFound, last: Text | None, read: AnswerRead | None) -> RequestModel:
        told = [Message(role="user", parts=(Text(reference=self._brief.told),))]
        if last is not None and read is not None:
            told.append(Message(role="assistant", parts=(last,)))
            told.append(Message(role="user", parts=(Text(text=corrections(read)),)))
        prompt = Prompt(
            instructions=Text(reference=self._brief.instructions),
            messages=tuple(told),
            output=SCHEMA,
            max_tokens=_MOST_TOKENS,
        )
        return RequestModel(
            backend=model.backend, model=model.model, labels=LABELS, prompt=prompt, use=Use.PLAN, inline=0, keep=False
        )

    def _gone(self, model: ModelFound, why: str) -> None:
        self._left.remove(model)
        self._why.append(f"{model.backend}/{model.model}: {why}")


def corrections(read: AnswerRead) -> str:
    """What a model is told of its mistakes: all at once, each by its place."""
    lines = [f"- {one.at or 'the answer'}: {one.says}" for one in read.mistakes]
    more = [f"- and {read.more_mistakes} more like these"] if read.more_mistakes else []
    return "\n".join(["That cannot be used. Answer again, whole, or ask back where you cannot mend it:", *lines, *more])


def _text(answered: ModelAnswered) -> Text | None:
    """All that it said, where it was done; with nothing inline, one artifact."""
    answer = answered.answer
    if answer.ended in _NO_ANSWER:
        return None
    found = answer.output or next((one for one in answer.parts if isinstance(one, Text)), None)
    return found if found is not None and found.reference is not None else None
