"""What Slack sends to an app, whichever way: an envelope, and how it ended."""

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from connectors.slack.twin.problems import Json

Kind = Literal["interactive", "slash_commands", "events_api"]
_REMEMBERED: Final = 10_000


@dataclass(frozen=True)
class Envelope:
    """One thing that happened, for the app.

    Attributes:
        attempt: How often it was sent before; only events are sent again.
    """

    kind: Kind
    payload: Mapping[str, object]
    takes_response: bool = False
    attempt: int = 0
    reason: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def frame(self) -> Json:
        """As it goes over a socket."""
        told: Json = {
            "envelope_id": self.id,
            "type": self.kind,
            "payload": self.payload,
            "accepts_response_payload": self.takes_response,
        }
        if self.kind == "events_api":
            told |= {"retry_attempt": self.attempt, "retry_reason": self.reason}
        return told


Ending = Literal["acknowledged", "timed_out", "unreachable", "refused"]


@dataclass(frozen=True)
class Answer:
    """How an envelope ended, and what the acknowledgement carried."""

    ending: Ending
    payload: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def acknowledged(self) -> bool:
        """Whether the app took it in time."""
        return self.ending == "acknowledged"


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    of: Kind | None = Field(default=None, description="Any kind of envelope when None.")
    times: int = Field(default=1, ge=1, description="For how many envelopes.")


class Duplicate(_Fault):
    """The envelope comes twice, on different connections where there are several."""

    kind: Literal["duplicate"]


class Lose(_Fault):
    """The envelope never arrives, and nobody is told but the person who waits for it."""

    kind: Literal["lose"]


class LoseAcknowledgement(_Fault):
    """The app takes it in time, and the person is told that it did not."""

    kind: Literal["lose_acknowledgement"]


class DisconnectInstead(_Fault):
    """All connections are closed in the moment in which the envelope would have been sent."""

    kind: Literal["disconnect"]


class RateLimitAfter(_Fault):
    """The envelope arrives, and what the app calls once it has acknowledged meets 429."""

    kind: Literal["rate_limit_after"]
    method: str = "chat.update"
    retry_after: int = Field(default=1, ge=1)
    calls: int = Field(default=1, ge=1)


EnvelopeFault = Annotated[
    Duplicate | Lose | LoseAcknowledgement | DisconnectInstead | RateLimitAfter, Field(discriminator="kind")
]
FAULTS: Final[TypeAdapter[list[EnvelopeFault]]] = TypeAdapter(list[EnvelopeFault])


class Sent(BaseModel):
    """One envelope, as the log keeps it: never with its payload."""

    id: str
    kind: Kind
    at: float
    attempt: int = 0
    ending: Ending | None = None
    seconds: float | None = None
    fault: str | None = None


@dataclass
class EnvelopeLog:
    """Faults that wait for envelopes, and what became of each."""

    faults: list[EnvelopeFault] = field(default_factory=list[EnvelopeFault])
    sent: deque[Sent] = field(default_factory=lambda: deque[Sent](maxlen=_REMEMBERED))

    def take(self, kind: Kind) -> EnvelopeFault | None:
        """The fault that this envelope meets."""
        for fault in self.faults:
            if fault.of in {None, kind}:
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
                return fault
        return None
