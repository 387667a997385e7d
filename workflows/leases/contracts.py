"""What leases exchange with goals, with people and with the gateway.

The step `hitl.tell_lease` is the gateway's, and speaks for the notice of a lease alone: a new message goes on the queue
`banksman-hitl-posts`, its change on `banksman-hitl`. Which lease it is, the gateway reads from the server.
"""

from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from activities.leases.contracts import Owner
from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

LEASE_NOTICE: Final = "LeaseNotice"
"""The only workflow that the step speaks for: of the lease that is its parent."""
LEASE_SAID: Final = "lease_said"

Note = Annotated[str, StringConstraints(max_length=500)]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LeaseTaken(_Fact):
    """The signal `taken`: a goal wants to hold what a lease holds already."""

    owner: Owner
    ends_at: AwareDatetime = Field(description="It lives at least until then.")
    answer_to: str = Field(description="The run of that goal, which hears whether it may.")


class LeaseSaid(_Fact):
    """The signal `lease_said`, to a goal that wanted to take a lease over, and at the end to the one that had."""

    lease: str
    taken: bool = Field(description="False: it is being ended, or has been, and can be taken anew once that is done.")


class OwnerGone(_Fact):
    """The signal `owner_gone`: a goal is over, or needs what the lease holds no longer."""

    owner: Owner
    why: str = "the goal that held it is over"


class OwnerChanged(_Fact):
    """The signal `owner_changed`, from the goal that holds a lease: another one does from now on, or none."""

    before: Owner
    now: Owner | None


class ExtendLease(_Wish):
    """The update `extend`."""

    ends_at: AwareDatetime = Field(description="When it is to end.")
    note: Note = Field(default="", description="Why, for the record.")


class EndLease(_Wish):
    """The update `end`: end it now; where that is under way already, try again at once."""

    note: Note = Field(default="", description="Why, for the record.")


class HandOverLease(_Wish):
    """The update `hand_over`: it ends with another goal from now on, or with its own time alone."""

    owner: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        default=None, description="The workflow id of a goal that runs; none: it lives until its end."
    )
    note: Note = Field(default="", description="Why, for the record.")


class ToldLease(_Fact):
    """Where people were told."""

    channel: str
    ts: str = ""


class TellLease(_Fact):
    """`hitl.tell_lease`: one message in the environment's channel. To be posted once, however often it is tried."""

    why: str = Field(max_length=2100, description="Why it could not be ended so far.")
    posted: ToldLease | None = Field(
        default=None, description="Where it was posted: the lease has ended, and the message is to say so."
    )


class LeaseResult(_Fact):
    """How a lease ended: what it held is gone, which its provider was asked."""

    why: str = Field(description="Why it was ended.")
    ended_at: AwareDatetime
    tries: int = Field(description="How often it was tried to end.")


TELL_LEASE: Final = Step(
    name="hitl.tell_lease",
    request=TellLease,
    response=ToldLease,
    effect=Effect.WRITE,
    on=TaskQueue.HITL,
    tried=NOTIFY,
)
