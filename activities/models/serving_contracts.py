"""Steps on backends that machines of goals serve, as goals ask for them: foreseen by the file, claimed, watched, over.

Which backend may be served, by what, and for which data stands in the deployment's file alone. A goal can have one of
those come and go, and no other.
"""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from temporalio.common import RetryPolicy

from activities.presets import Preset
from activities.queues import TaskQueue
from activities.step import Step
from connectors.models import manifest
from connectors.served.boot import Boot
from connectors.served.hello import Name
from hitl.protocol import Effect, PolicyContext

LONGEST_WATCH: Final = timedelta(minutes=10)
"""That one watch takes; a goal watches again, and its history grows by that little."""
_WATCH: Final = Preset(
    start_to_close=LONGEST_WATCH + timedelta(minutes=2),
    schedule_to_close=timedelta(hours=1),
    heartbeat=timedelta(seconds=30),
    retry=RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=1)),
)

Digest = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{64})?$")]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FindServed(_Request):
    """Which backend a machine is to serve."""

    backend: Name

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(account=self.backend)


class ServedFound(_Answer):
    """What the file foresees for it."""

    boot: Boot | None = Field(default=None, description="What a machine boots; none where the file has no such place.")
    models: tuple[str, ...] = Field(default=(), description="Of that backend, as tiers have them.")
    data: tuple[str, ...] = Field(default=(), description="Labels of the data that may go to it.")
    why: str = Field(default="", description="Why there is nothing to boot, and the way out.")


class ClaimServed(FindServed):
    """That the goal's machine is to be the one that serves it."""

    until: AwareDatetime = Field(description="When its lease ends.")
    ticket: Digest = Field(default="", description="Of what the machine dials in with; empty before its launch.")


class ServedClaimed(_Answer):
    """Whether the name is the goal's now."""

    claimed: bool
    why: str = Field(default="", description="Why not, and the way out.")


class WatchServed(FindServed):
    """Until when to watch it."""

    seconds: int = Field(ge=0, le=int(LONGEST_WATCH.total_seconds()), description="At most; with 0 it is one look.")
    answered: bool = Field(description="Whether it did when it was last looked at: a change ends the watch.")
    idle_seconds: int | None = Field(default=None, ge=1, description="So long without a request end the watch, too.")


class ServedSeen(_Answer):
    """How it was in the end."""

    answers: bool
    why: str = Field(default="", description="What was wrong where it does not.")
    asked: int = Field(default=0, description="Requests so far, as the relay counted them since it was started.")
    idle: bool = Field(default=False, description="Whether nobody has asked for as long as was told.")
    held: bool = Field(default=True, description="Whether the name is still the goal's.")


class WithdrawServed(FindServed):
    """That the goal's machine serves it no longer."""


class ServedWithdrawn(_Answer):
    """It is out of its tier, and whoever dials in is refused. So it was before, where the name was another goal's."""


FIND_SERVED: Final = Step(
    name="models.find_served", request=FindServed, response=ServedFound, effect=Effect.READ, on=TaskQueue.MODELS
)
CLAIM_SERVED: Final = Step(
    name="models.claim_served",
    request=ClaimServed,
    response=ServedClaimed,
    effect=Effect.WRITE,
    credential=manifest.REQUEST,
    on=TaskQueue.MODELS,
)
WATCH_SERVED: Final = Step(
    name="models.watch_served",
    request=WatchServed,
    response=ServedSeen,
    effect=Effect.WRITE,
    credential=manifest.REQUEST,
    on=TaskQueue.MODELS,
    tried=_WATCH,
)
WITHDRAW_SERVED: Final = Step(
    name="models.withdraw_served",
    request=WithdrawServed,
    response=ServedWithdrawn,
    effect=Effect.WRITE,
    on=TaskQueue.MODELS,
)
