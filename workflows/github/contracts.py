"""What the gateway and the workflows of GitHub's deliveries exchange.

A delivery's workflow is started by the gateway alone, with a statement under its signature in the memo. Whoever reaches
Temporal can start one by hand: no step of the gateway's does anything for it, for each reads the start from the server.
"""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.github.redelivery_contracts import Guid
from activities.queues import TaskQueue
from activities.step import Step
from hitl.approval.decision import Moment
from hitl.github.events import AnyEvent
from hitl.protocol import Effect

DELIVERY_WORKFLOW: Final = "GitHubDelivery"

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


SWEEP_DELIVERIES: Final = "SweepGitHubDeliveries"
MOST_ASKED: Final = 500


class FindUnreceivedRequest(BaseModel):
    """Deliveries that GitHub calls failed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    deliveries: tuple[Guid, ...] = Field(max_length=MOST_ASKED)


class UnreceivedFound(BaseModel):
    """Those that no workflow works off: its answer alone was lost where one does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    deliveries: tuple[Guid, ...] = ()


class SweepResult(BaseModel):
    """How a sweep ended; the next one goes on from it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sent: tuple[int, ...] = Field(default=(), description="Attempts that failed and were answered with another one.")
    redelivered: int = Field(default=0, description="How many by this sweep.")
    others: int = Field(default=0, description="How many GitHub calls failed that were not due, or answered before.")
    unseen: str = Field(default="", description="Why nothing could be seen, or sent.")
    installations: tuple[int, ...] = Field(default=(), description="Those that were found by now, known or begun.")
    begun: tuple[int, ...] = Field(default=(), description="Of these the ones that this sweep began to keep.")


FIND_UNRECEIVED: Final = Step(
    name="hitl.find_unreceived",
    request=FindUnreceivedRequest,
    response=UnreceivedFound,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
