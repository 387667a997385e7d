"""The step that tells what the jobs of each installation of the GitHub App cost, as whoever shows it calls it.

No goal does. It reads the book and asks no model.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

MOST_INSTALLATIONS: Final = 50
MOST_DAYS: Final = 31


class FindSpending(BaseModel):
    """Whose, and how far back."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    installations: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), max_length=MOST_INSTALLATIONS, description="By GitHub's numbers."
    )
    days: int = Field(default=7, ge=1, le=MOST_DAYS, description="Of UTC's, today included.")


class Spent(BaseModel):
    """What some requests to language models cost on each day, in millionths of a US dollar.

    What is under way counts with the most that it can cost.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    micros: tuple[int, ...] = Field(description="Of each day, today first.")

    @property
    def any(self) -> bool:
        """Whether there was something to pay."""
        return any(self.micros)


class SpendingFound(BaseModel):
    """All of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    days: tuple[str, ...] = Field(description="As in 2026-11-30, today first.")
    installations: dict[int, Spent] = Field(description="By number.")
    unverified: Spent = Field(description="Of jobs of GitHub's that the gateway does not vouch for.")
    none: Spent = Field(description="Of what no delivery of GitHub's began, as far as something limits it.")
    day_micros: int | None = Field(default=None, description="What one installation may cost on one day.")


FIND_SPENDING: Final = Step(
    name="models.find_spending",
    request=FindSpending,
    response=SpendingFound,
    effect=Effect.READ,
    on=TaskQueue.MODELS,
)
