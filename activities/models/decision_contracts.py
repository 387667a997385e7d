"""The step that counts how often people have to decide on what models planned, on the day of whoever asked for it.

Apart from the other steps on language models, so that every goal that asks people can name it: it needs no model.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

MOST: Final = 1000
"""Decisions of one run of a goal."""


class CountDecisions(BaseModel):
    """What this run of its goal takes of the day: all of it each time, so that telling it again changes nothing.

    Attributes:
        decisions: How often it has people decide at most; at its end, how often it did.
        day: On whose page it was counted, as the first answer says; today without.
        ended: Whether it asks no more: what it did not use is given back.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    decisions: int = Field(ge=0, le=MOST)
    day: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    ended: bool = False


class DecisionsCounted(BaseModel):
    """Whether there was room.

    Attributes:
        day: On which it counts; None where no day is limited.
        refused: Why people are not asked; None where they may be.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    day: str | None = None
    refused: str | None = None


COUNT_DECISIONS: Final = Step(
    name="models.count_decisions",
    request=CountDecisions,
    response=DecisionsCounted,
    effect=Effect.READ,
    on=TaskQueue.MODELS,
    owned=True,
)
