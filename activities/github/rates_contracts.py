"""The step that asks what GitHub lets each installation ask for, as whoever shows it calls it. No goal does."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect

MOST_INSTALLATIONS: Final = 50


class FindRatesRequest(BaseModel):
    """Of all installations, up to fifty."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FoundRate(BaseModel):
    """One installation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    account: str
    limit: int | None = Field(default=None, description="Requests in one hour; None where it is suspended.")
    remaining: int | None = None
    resets_at: datetime | None = None
    closed_for: float = Field(default=0.0, description="Seconds for which the worker that answered asks nothing.")
    written_minute: int = Field(default=0, description="What that worker wrote for people in the last minute.")
    written_hour: int = Field(default=0, description="And in the last hour.")


class RatesFound(BaseModel):
    """All of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    installations: tuple[FoundRate, ...]


FIND_RATES: Final = Step(
    name="github.find_rates",
    request=FindRatesRequest,
    response=RatesFound,
    effect=Effect.READ,
    credential=manifest.READ,
)
