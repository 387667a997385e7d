"""An investigator's turns: one conversation, with the first model of its tier that goes on with it.

Texts lie in the artifact store, and stand here by their references. A model that does not answer is not asked again;
the next one is told the same from the beginning.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.agent.findings_form import FINDINGS
    from activities.agent.investigation_contracts import InvestigatorBriefed
    from activities.guard.error_types import ErrorType
    from activities.models.contracts import ModelAnswered, ModelFound, ModelsFound, RequestModel
    from connectors.models.messages import Ended, Message, Part, Prompt, Text, Tool, ToolCall
    from connectors.models.raw import Use
    from workflows.agent.spending import Spending, reserve_of
    from workflows.agent.tools import MOST_ARGUMENTS
    from workflows.goal import StepDenied, StepWaits

LABELS: Final = ("log", "repository")
"""What an investigator is told: files of repositories, and what goals, programs and providers wrote."""
MOST_AT_ONCE: Final = 8
"""Tools that are called in one turn."""
_MOST_TOKENS: Final = 8_000
_MOST_SAID: Final = 4 * _MOST_TOKENS
"""Bytes that a model's own turn adds to what the next request tells."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NO_ANSWER: Final = {
    Ended.CONTEXT_TOO_LONG: "what it is told does not fit into its context",
    Ended.CONTENT_FILTER: "its filter refused",
    Ended.LENGTH: "its answer was longer than it may be",
}
Ask = Callable[[RequestModel, str], Awaitable[ModelAnswered]]
"""Asks once; raises what `Goal.attempt` raises."""


class NoModel(Exception):
    """No model goes on, or none may be asked. The message says of each why."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a model said in one turn: calls of tools, or its answer.

    Attributes:
        answered: As the step says it.
        calls: As many as are made.
        answer: Its answer's artifact; None where it calls.
    """

    answered: ModelAnswered
    calls: tuple[ToolCall, ...] = ()
    answer: str | None = None


class Inquiry:
    """The conversation.

    Args:
        found: Who may be asked.
        brief: What they are told first.
        tools: What they may ask for.
        ask: Asks one of them once.
    """

    def __init__(self, found: ModelsFound, brief: InvestigatorBriefed, tools: tuple[Tool, ...], ask: Ask) -> None:
        self.spending = Spending()
        self._left = [one for one in found.models if one.tools]
        self._why = [f"{one.backend}/{one.model}: {one.why}" for one in found.left_out]
        self._why += [f"{one.backend}/{one.model}: it takes no tools" for one in found.models if not one.tools]
        self._brief, self._tools, self._ask = brief, tools, ask
        self._said: list[Message] = []
        self._size = brief.size
        self.tell((Text(reference=brief.told),), 0)

    def tell(self, parts: Sequence[Part], size: int) -> None:
        """Say something to the model before its next turn.

        Args:
            parts: What.
            size: Bytes of it.
        """
        if self._said and self._said[-1].role == "user":
            self._said[-1] = Message(role="user", parts=(*self._said[-1].parts, *parts))
        else:
            self._said.append(Message(role="user", parts=tuple(parts)))
        self._size += size

    async def turn(self) -> Turn:
        """What the model says now. It is part of the conversation from here on.

        Raises:
            NoModel: Nobody answers.
        """
        while self._left:
            model = self._left[0]
            reserve = reserve_of(model, sent=self._size, answered=_MOST_TOKENS)
            answered = await self._answered(model, reserve)
            if answered is not None and (said := _turn(answered)) is not None:
                self._hear(said)
                return said
            if answered is not None:
                self._gone(model, _NO_ANSWER.get(answered.answer.ended, "it said nothing"))
        raise NoModel("; ".join(self._why) or "the deployment's file has no model for reading; an operator can add one")

    async def _answered(self, model: ModelFound, reserve: int | None) -> ModelAnswered | None:
        try:
            answered = await self._ask(self._request(model), f"Ask {model.backend}/{model.model}")
        except StepDenied as denied:  # nobody was asked
            self._gone(model, str(denied))
            return None
        except (StepWaits, ApplicationError) as error:
            unknown = isinstance(error, ApplicationError) and error.type == ErrorType.OUTCOME_UNKNOWN
            self.spending.settle(reserve, None if unknown else 0)
            self._gone(model, error.message if isinstance(error, ApplicationError) else str(error))
            return None
        self.spending.settle(reserve, answered.cost_micros)
        return answered

    def _request(self, model: ModelFound) -> RequestModel:
        prompt = Prompt(
            instructions=Text(reference=self._brief.instructions),
            messages=tuple(self._said),
            tools=self._tools,
            output=FINDINGS,
            max_tokens=_MOST_TOKENS,
        )
        return RequestModel(
            backend=model.backend, model=model.model, labels=LABELS, prompt=prompt, use=Use.READ, inline=0
        )

    def _hear(self, said: Turn) -> None:
        parts = (Text(reference=said.answer),) if said.answer is not None else tuple(map(_as_told, said.calls))
        self._said.append(Message(role="assistant", parts=parts))
        self._size += _MOST_SAID

    def _gone(self, model: ModelFound, why: str) -> None:
        self._left.remove(model)
        self._why.append(f"{model.backend}/{model.model}: {why}")


def _turn(answered: ModelAnswered) -> Turn | None:
    """What it comes to; None where it is of no use. With nothing inline, an answer is one artifact."""
    said = answered.answer
    if said.ended in _NO_ANSWER:
        return None
    if said.output is not None:
        return Turn(answered=answered, answer=said.output.reference) if said.output.reference else None
    calls = [one for one in said.parts if isinstance(one, ToolCall)][:MOST_AT_ONCE]
    return Turn(answered=answered, calls=_told_apart(calls)) if calls else None


def _told_apart(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Each with an id of its own: by that the model knows what belongs to what."""
    seen: list[ToolCall] = []
    for number, one in enumerate(calls):
        taken = not one.id or any(one.id == other.id for other in seen)
        seen.append(one.model_copy(update={"id": f"call-{number}-{one.id}"[:64]}) if taken else one)
    return tuple(seen)


def name_of(call: ToolCall) -> str:
    """The name that a call has in the conversation: one that no provider would take is none."""
    return call.tool if _NAME.fullmatch(call.tool) else "unknown_tool"


def _as_told(call: ToolCall) -> ToolCall:
    """A call as it can be told again: no provider takes a broken one back, and a history no long one."""
    fine = call.well_formed and len(call.arguments) <= MOST_ARGUMENTS
    return call.model_copy(
        update={"tool": name_of(call), "arguments": call.arguments if fine else "{}", "well_formed": True}
    )
