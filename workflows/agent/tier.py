"""The models of one tier: the first that answers, each request within what the deployment lets a run use."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType
    from activities.models.contracts import ModelAnswered, ModelFound, ModelsFound, RequestModel
    from connectors.models.messages import Ended, Message, Text
    from hitl.plan_language.mistakes import Mistake
    from workflows.agent.spending import Spending, reserve_of
    from workflows.goal import StepDenied, StepWaits

Useful = TypeVar("Useful")
MISSED: Final = 64 * 1024
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


class WithMistakes(Protocol):
    """What was looked at of an answer."""

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What is wrong with it."""
        ...

    @property
    def more_mistakes(self) -> int:
        """How much more than that."""
        ...


class Tier:
    """Those that may be asked, the first to be asked first; one that does not answer is not asked again.

    Args:
        found: Who may be asked.
        ask: Asks one of them once.
        nobody: What is told where the deployment's file has none.
    """

    def __init__(self, found: ModelsFound, ask: Ask, *, nobody: str) -> None:
        self.spending = Spending()
        self._left = list(found.models)
        self._why = [f"{one.backend}/{one.model}: {one.why}" for one in found.left_out]
        self._ask, self._nobody = ask, nobody

    async def answer(
        self, request_to: Callable[[ModelFound], RequestModel], *, sent: int
    ) -> tuple[ModelAnswered, Text]:
        """An answer, and its text as an artifact: see `first`, with nothing of the answer inline."""
        return await self.first(request_to, sent=sent, useful=_text)

    async def first(
        self,
        request_to: Callable[[ModelFound], RequestModel],
        *,
        sent: int,
        useful: Callable[[ModelAnswered], Useful | None],
    ) -> tuple[ModelAnswered, Useful]:
        """The first answer that is of use, and what it comes to.

        Args:
            request_to: What one of them is asked.
            sent: Bytes that it is told at most.
            useful: What an answer comes to; None where it is of no use, and the next model is asked.

        Raises:
            NoModel: Nobody answers.
        """
        while self._left:
            model = self._left[0]
            request = request_to(model)
            reserve = reserve_of(model, sent=sent, answered=request.prompt.max_tokens)
            answered = await self._answered(model, request, reserve)
            if answered is not None and answered.answer.ended in _NO_ANSWER:
                self._gone(model, _NO_ANSWER[answered.answer.ended])
            elif answered is not None and (found := useful(answered)) is not None:
                return answered, found
            elif answered is not None:
                self._gone(model, "it said nothing")
        raise NoModel("; ".join(self._why) or self._nobody)

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

    def _gone(self, model: ModelFound, why: str) -> None:
        self._left.remove(model)
        self._why.append(f"{model.backend}/{model.model}: {why}")


def conversation(told: str, last: Text | None, corrections: str) -> tuple[Message, ...]:
    """What a model is told, and where it answered before, that answer and what is wrong with it.

    Args:
        told: The artifact of what it is told first.
        last: What it answered before.
        corrections: What is wrong with that.
    """
    first = Message(role="user", parts=(Text(reference=told),))
    if last is None:
        return (first,)
    again = Message(role="user", parts=(Text(text=corrections),))
    return (first, Message(role="assistant", parts=(last,)), again)


def told_mistakes(read: WithMistakes, first: str) -> str:
    """What a model is told of its mistakes: all at once, each by its place.

    Args:
        read: What was found in its answer.
        first: What it is to do about them.
    """
    lines = [f"- {one.at or 'the answer'}: {one.says}" for one in read.mistakes]
    more = [f"- and {read.more_mistakes} more like these"] if read.more_mistakes else []
    return "\n".join([first, *lines, *more])


def _text(answered: ModelAnswered) -> Text | None:
    """All that it said, where it was done; with nothing inline, one artifact."""
    answer = answered.answer
    found = answer.output or next((one for one in answer.parts if isinstance(one, Text)), None)
    return found if found is not None and found.reference is not None else None
