"""What the gateway and the workflows of GitHub's deliveries exchange.

A delivery's workflow is started by the gateway alone, with a statement under its signature in the memo. Whoever reaches
Temporal can start one by hand: no step of the gateway's does anything for it, for each reads the start from the server.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hitl.approval.decision import Moment
from hitl.github.events import AnyEvent

DELIVERY_WORKFLOW: Final = "GitHubDelivery"

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
"""As `X-GitHub-Delivery` has it; a delivery that is sent again keeps it."""

_DELIVERIES: Final = "github-delivery/"


def delivery_id(guid: str) -> str:
    """The id of the workflow that works a delivery off."""
    return f"{_DELIVERIES}{guid}"


class ReceivedDelivery(BaseModel):
    """What the workflow is started with: of a payload what goals need, cut. Never all of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    delivery: Guid
    event: AnyEvent


class DeliveryStatement(BaseModel):
    """All that the gateway signs of a delivery: that GitHub sent this, and that it was received now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str
    namespace: str
    workflow_id: str
    input_digest: str
    received_at: Moment


class Done(StrEnum):
    """What became of a delivery."""

    IGNORED = "ignored"
    ANSWERED = "answered"
    STARTED = "started"
    KEPT = "kept"


class DeliveryResult(BaseModel):
    """How a delivery ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    done: Done
    why: str = Field(description="In a sentence.")
    goal: str | None = Field(default=None, description="The workflow id of the goal that was started.")
