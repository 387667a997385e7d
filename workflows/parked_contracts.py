"""What a parked goal and the gateway exchange.

The step `hitl.tell_parked` is the gateway's: a new message goes on the queue `banksman-hitl-posts`, which hands out no
more than Slack takes, its change on `banksman-hitl`. The request holds no goal, no address and no sentence: which goal
asks, where it stands and what its step said, the gateway reads from the server.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from temporalio.exceptions import ApplicationError, ServerError
from temporalio.exceptions import TimeoutError as TimedOut

from activities.guard.error_types import ErrorType
from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

PARKED_NOTICE: Final = "ParkedNotice"
"""The only workflow that the step speaks for: of the goal that is its parent."""


MAY_HAVE_BEGUN: Final = (
    "it may have been done, and what was approved lets it begin once. Look at what is there first: where it had begun, "
    "going on does it no more, and the goal asks people again, or ends and is started anew"
)
"""What people are told besides of a step by a grant: whether it had begun, only the guard knows, when it is tried."""

_WORTH_WAITING_FOR: Final = frozenset({ErrorType.UNAVAILABLE, ErrorType.RATE_LIMITED, ErrorType.SANDBOX_UNAVAILABLE})


class ToldParked(BaseModel):
    """Where it is shown; without `ts` nowhere, because the goal went on before."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    channel: str
    ts: str = ""


class TellParked(BaseModel):
    """`hitl.tell_parked`: one message in the environment's channel. To be posted once, however often it is tried."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="The step that the goal is parked at, by its name."
    )
    posted: ToldParked | None = Field(
        default=None, description="Where it was posted: it is parked no more, and the message is to say so."
    )


def waits_for(step: str, cause: BaseException | None) -> str | None:
    """What a step that used up its retries waits for, in one sentence; None where no waiting mends it.

    Args:
        step: Its name.
        cause: How its last attempt ended.
    """
    if isinstance(cause, TimedOut):
        last = cause.cause
        if isinstance(last, ServerError) and last.cause is not None:
            last = last.cause  # the server's own words for one that it found too long; what it kept lies below
        return f"{step} got no answer in time" + (f": {last}" if last else "")
    if isinstance(cause, ApplicationError) and cause.type in _WORTH_WAITING_FOR:
        return cause.message
    return None


TELL_PARKED: Final = Step(
    name="hitl.tell_parked",
    request=TellParked,
    response=ToldParked,
    effect=Effect.WRITE,
    on=TaskQueue.HITL,
    tried=NOTIFY,
)
