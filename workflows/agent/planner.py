"""A planner's turns: one request and its corrections, to the first model of its tier that answers."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.agent.planning_contracts import AnswerRead, PlannerBriefed
    from activities.agent.prompt_form import SCHEMA
    from activities.models.contracts import ModelAnswered, ModelFound, ModelsFound, RequestModel
    from connectors.models.messages import Prompt, Text
    from connectors.models.raw import Use
    from workflows.agent.spending import Spending
    from workflows.agent.tier import MISSED, Ask, Tier, conversation, told_mistakes

LABELS: Final = ("repository",)
"""What a planner is told: words of the deployment's own people, and names of what it operates."""
_MOST_TOKENS: Final = 16_000
_NOBODY: Final = "the deployment's file has no model for plans; an operator can add one"
_AGAIN: Final = "That cannot be used. Answer again, whole, or ask back where you cannot mend it:"


class Planner:
    """The models of one tier, as they are asked for a plan.

    Args:
        found: Who may be asked.
        brief: What they are told.
        ask: Asks one of them once.
    """

    def __init__(self, found: ModelsFound, brief: PlannerBriefed, ask: Ask) -> None:
        self._tier = Tier(found, ask, nobody=_NOBODY)
        self._brief = brief

    @property
    def spending(self) -> Spending:
        """What is used so far."""
        return self._tier.spending

    async def plan(self, last: Text | None = None, read: AnswerRead | None = None) -> tuple[ModelAnswered, Text]:
        """An answer, and its text as an artifact.

        Args:
            last: What was answered before, and was of no use.
            read: What was wrong with that.

        Raises:
            NoModel: Nobody answers.
        """
        sent = self._brief.size + (MISSED if last else 0)
        return await self._tier.answer(lambda model: self._request(model, last, read), sent=sent)

    def _request(self, model: ModelFound, last: Text | None, read: AnswerRead | None) -> RequestModel:
        again = corrections(read) if read is not None else ""
        prompt = Prompt(
            instructions=Text(reference=self._brief.instructions),
            messages=conversation(self._brief.told, last, again),
            output=SCHEMA,
            max_tokens=_MOST_TOKENS,
        )
        return RequestModel(
            backend=model.backend, model=model.model, labels=LABELS, prompt=prompt, use=Use.PLAN, inline=0, keep=False
        )


def corrections(read: AnswerRead) -> str:
    """What a model is told of its mistakes: all at once, each by its place."""
    return told_mistakes(read, _AGAIN)
