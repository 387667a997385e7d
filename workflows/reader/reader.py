"""A reader's turns: one request and its corrections, to the first model of its tier that answers. It has no tools."""

from collections.abc import Sequence
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.reading_contracts import AnswersSeen, ReaderBriefed
    from activities.models.contracts import ModelAnswered, ModelFound, ModelsFound, RequestModel
    from connectors.models.messages import OutputSchema, Prompt, Text
    from connectors.models.raw import Use
    from hitl.plan_language.answer_form import AnswerField, most_text, schema_of
    from workflows.agent.spending import Spending
    from workflows.agent.tier import MISSED, Ask, Tier, conversation, told_mistakes

_BESIDE_TEXTS: Final = 2_000
"""Tokens of names, numbers and JSON's own signs."""
_NOBODY: Final = "the deployment's file has no model that reads; an operator can add one to the route `read`"
_AGAIN: Final = "That cannot be used. Answer again, whole, with null where the text does not say:"


class Reader:
    """The models of one tier, as they are shown a text.

    Args:
        found: Who may be shown it.
        brief: What they are told.
        fields: What they answer in.
        labels: Which data it is.
        ask: Asks one of them once.
    """

    def __init__(
        self,
        found: ModelsFound,
        brief: ReaderBriefed,
        fields: Sequence[AnswerField],
        labels: tuple[str, ...],
        ask: Ask,
    ) -> None:
        self._tier = Tier(found, ask, nobody=_NOBODY)
        self._brief, self._labels = brief, labels
        self._output = OutputSchema(name="answer", description="What the text says.", json_schema=schema_of(fields))
        self._most_tokens = _BESIDE_TEXTS + most_text(fields)

    @property
    def spending(self) -> Spending:
        """What is used so far."""
        return self._tier.spending

    async def read(self, last: Text | None = None, seen: AnswersSeen | None = None) -> tuple[ModelAnswered, Text]:
        """An answer, and its text as an artifact.

        Args:
            last: What was answered before, and was of no use.
            seen: What was wrong with that.

        Raises:
            NoModel: Nobody answers.
        """
        sent = self._brief.size + (MISSED if last else 0)
        return await self._tier.answer(lambda model: self._request(model, last, seen), sent=sent)

    def _request(self, model: ModelFound, last: Text | None, seen: AnswersSeen | None) -> RequestModel:
        again = told_mistakes(seen, _AGAIN) if seen is not None else ""
        prompt = Prompt(
            instructions=Text(reference=self._brief.instructions),
            messages=conversation(self._brief.told, last, again),
            output=self._output,
            max_tokens=self._most_tokens,
        )
        # All of it is told again in a correction, and nobody goes on from it: nothing of a stranger's text is kept.
        return RequestModel(
            backend=model.backend,
            model=model.model,
            labels=self._labels,
            prompt=prompt,
            use=Use.READ,
            inline=0,
            keep=False,
        )
