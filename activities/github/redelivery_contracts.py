"""The steps that find what GitHub could not deliver to us, and have it sent again."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect

MOST_FOUND: Final = 1000

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
"""As `X-GitHub-Delivery` has it; a delivery that is sent again keeps it."""


class FindFailedDeliveriesRequest(BaseModel):
    """Since when."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: datetime


class FailedDelivery(BaseModel):
    """What no attempt delivered, as far as GitHub's list of failures says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    guid: Guid
    newest: int = Field(description="The number of the newest attempt that failed.")
    failed_at: datetime = Field(description="When that was.")
    attempts: int = Field(description="How many failed.")


class FailedDeliveriesFound(BaseModel):
    """The oldest first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    deliveries: tuple[FailedDelivery, ...] = ()


class RedeliverRequest(BaseModel):
    """Which to send again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    guid: Guid
    attempt: int = Field(ge=0, description="The one that failed.")


class Redelivered(BaseModel):
    """It is sent again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    before: bool = Field(default=False, description="Whether it had been before this step.")
    gone: bool = Field(default=False, description="Whether GitHub keeps it no more.")


FIND_FAILED_DELIVERIES: Final = Step(
    name="github.find_failed_deliveries",
    request=FindFailedDeliveriesRequest,
    response=FailedDeliveriesFound,
    effect=Effect.READ,
    credential=manifest.READ,
)
REDELIVER: Final = Step(
    name="github.redeliver",
    request=RedeliverRequest,
    response=Redelivered,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
