"""An investigator's turns: one conversation, with the first model of its tier that goes on with it.

Texts lie in the artifact store, and what was said before in a transcript, outside of the history: here are references.
A model that does not answer is not asked again; the next one goes on with the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.findings_form import FINDINGS
    from activities.models.contracts import ModelAnswered, ModelFound, ModelLeftOut, ModelsFound, RequestModel
    from connectors.models.messages import Message, OutputSchema, Part, Prompt, Text, Tool, ToolCall
    from connectors.models.raw import Use
    from workflows.agent.spending import Spending
    from workflows.agent.tier import Ask, Tier
    from workflows.agent.tools import MOST_ARGUMENTS

LABELS: Final = ("log", "repository")
"""What an investigator is told: files of repositories, and what goals, programs and providers wrote."""
MOST_AT_ONCE: Final = 8
"""Tools that are called in one turn; those beyond are told so."""
_MOST_TOKENS: Final = 8_000
_BYTES: Final = 4
"""Of one token."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NOBODY: Final = "the deployment's file has no model for reading; an operator can add one"


class Briefed(Protocol):
    """What models are told first, as artifacts."""

    @property
    def instructions(self) -> str:
        """Rules."""
        ...

    @property
    def told(self) -> str:
        """What is to be done."""
        ...

    @property
    def size(self) -> int:
        """Bytes of both."""
        ...


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What a conversation is for.

    Attributes:
        labels: Of all that is told in it.
        use: What models are asked for.
        output: The form of the answer at its end.
        max_tokens: As long as one turn may be.
        most_arguments: Characters of a call that is told again, where what was said could not be kept.
        nobody: What is told where the deployment's file has no model for it.
    """

    labels: tuple[str, ...] = LABELS
    use: Use = Use.READ
    output: OutputSchema = FINDINGS
    max_tokens: int = _MOST_TOKENS
    most_arguments: int = MOST_ARGUMENTS
    nobody: str = _NOBODY

    @property
    def most_said(self) -> int:
        """Bytes that a model's own turn adds to what the next request tells."""
        return _BYTES * self.max_tokens


LOOKING: Final = Talk()
"""An investigator's."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a model said in one turn: calls of tools, or its answer.

    Attributes:
        answered: As the step says it.
        calls: All of them; each has to be answered.
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
        talk: What it is for.
    """

    def __init__(
        self, found: ModelsFound, brief: Briefed, tools: tuple[Tool, ...], ask: Ask, talk: Talk = LOOKING
    ) -> None:
        self._tier = Tier(_with_tools(found), ask, nobody=talk.nobody)
        self._brief, self._tools, self._talk = brief, tools, talk
        self._transcript: str | None = None
        self._new: list[Message] = []
        self._size = brief.size
        self.tell((Text(reference=brief.told),), 0)

    @property
    def spending(self) -> Spending:
        """What is used so far."""
        return self._tier.spending

    def tell(self, parts: Sequence[Part], size: int) -> None:
        """Say something to the model before its next turn.

        Args:
            parts: What.
            size: Bytes of it.
        """
        if self._new and self._new[-1].role == "user":
            self._new[-1] = Message(role="user", parts=(*self._new[-1].parts, *parts))
        else:
            self._new.append(Message(role="user", parts=tuple(parts)))
        self._size += size

    async def turn(self) -> Turn:
        """What the model says now. It is part of the conversation from here on.

        Raises:
            NoModel: Nobody answers.
        """
        _, said = await self._tier.first(self._request, sent=self._size, useful=_turn)
        self._hear(said)
        return said

    def _request(self, model: ModelFound) -> RequestModel:
        prompt = Prompt(
            instructions=Text(reference=self._brief.instructions),
            messages=tuple(self._new),
            tools=self._tools,
            output=self._talk.output,
            max_tokens=self._talk.max_tokens,
        )
        return RequestModel(
            backend=model.backend,
            model=model.model,
            labels=self._talk.labels,
            prompt=prompt,
            use=self._talk.use,
            inline=0,
            transcript=self._transcript,
        )

    def _hear(self, said: Turn) -> None:
        """Go on from what is kept; what could not be kept is told once more, with what comes."""
        self._size += self._talk.most_said
        if said.answered.transcript is not None:
            self._transcript, self._new = said.answered.transcript, []
            return
        most = self._talk.most_arguments
        calls = tuple(_as_told(one, most) for one in said.calls)
        parts = (Text(reference=said.answer),) if said.answer is not None else calls
        self._new.append(Message(role="assistant", parts=parts))


def _with_tools(found: ModelsFound) -> ModelsFound:
    """Without those that take no tools, which are told as left out."""
    why = "it takes no tools"
    without = [ModelLeftOut(backend=one.backend, model=one.model, why=why) for one in found.models if not one.tools]
    able = tuple(one for one in found.models if one.tools)
    return found.model_copy(update={"models": able, "left_out": (*found.left_out, *without)})


def _turn(answered: ModelAnswered) -> Turn | None:
    """What it comes to; None where it is of no use. With nothing inline, an answer is one artifact."""
    said = answered.answer
    if said.output is not None:
        return Turn(answered=answered, answer=said.output.reference) if said.output.reference else None
    calls = tuple(one for one in said.parts if isinstance(one, ToolCall))
    return Turn(answered=answered, calls=calls) if calls else None


def name_of(call: ToolCall) -> str:
    """The name that a call has in the conversation: one that no provider would take is none."""
    return call.tool if _NAME.fullmatch(call.tool) else "unknown_tool"


def _as_told(call: ToolCall, most: int) -> ToolCall:
    """A call as it can be told again: no provider takes a broken one back, and a history no long one."""
    fine = call.well_formed and len(call.arguments) <= most
    return call.model_copy(
        update={"tool": name_of(call), "arguments": call.arguments if fine else "{}", "well_formed": True}
    )
