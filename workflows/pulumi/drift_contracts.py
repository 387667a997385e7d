"""What the goal `DetectDrift` and the gateway exchange.

The step `hitl.tell_drift` is the gateway's, on the queue `banksman-hitl`, and speaks for that goal alone. Which
workflow speaks, the server says: the request holds no id of one, and no address.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

MAX_DRIFT_LINES: Final = 50
"""In one message; the whole is in the goal's result."""


class TellDrift(BaseModel):
    """`hitl.tell_drift`: one message in the environment's channel. To be posted once, however often it is tried."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    place: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="As people call the stack: PROJECT/STACK, and the repository."
    )
    lines: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_DRIFT_LINES)] = Field(
        description="What drifted and was not told before; a difference may take several. Long ones are cut."
    )
    more: int = Field(default=0, ge=0, description="How many lines there are besides.")
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Of this message, unique in its workflow: by it, a second try finds what the first one posted."
    )


class ToldDrift(BaseModel):
    """Where it is shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channel: str
    ts: str


TELL_DRIFT: Final = Step(
    name="hitl.tell_drift", request=TellDrift, response=ToldDrift, effect=Effect.WRITE, on=TaskQueue.HITL, tried=NOTIFY
)
