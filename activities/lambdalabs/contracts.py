"""Steps on machines of Lambda Labs, as goals and leases ask for them. No key of anything is ever in an answer.

A machine is named by the mark of the goal that launched it, from before it is there until after it is gone.
"""

import shlex
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from activities.guard.granted import GrantedRequest
from activities.leases.contracts import LeasedPage, LeaseStanding, ListLeased
from activities.leases.kinds import LeaseKind
from activities.step import Step
from activities.step_end import ApprovedAnswer, StepEnd
from connectors.lambdalabs import manifest
from connectors.served.boot import Boot
from hitl.approval.plan import PlanParameters
from hitl.protocol import Effect, Ended, Hired, PolicyContext

LONGEST: Final = timedelta(hours=168)
MOST_CHOICES: Final = 40
_CENTS: Final = 100

Mark = Annotated[str, StringConstraints(pattern=r"^banksman-[0-9a-f]{16}$")]
Name = Annotated[str, StringConstraints(max_length=64)]
InstanceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Cents = Annotated[int, Field(ge=0, le=10_000_000)]
Hours = Annotated[int, Field(ge=1, le=168)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def dollars(cents: int) -> int:
    """Whole US dollars, rounded up, as policies match them."""
    return -(-cents // _CENTS)


class LookAtTypesRequest(_Request):
    """Which sizes to look at."""

    names: Annotated[tuple[str, ...], Field(max_length=MOST_CHOICES)] = Field(
        default=(), description="Those alone; all of them where none is named."
    )


class TypeSeen(_Answer):
    """A size, its price, and where there is capacity now: a hint, and no reservation."""

    name: str
    gpu: str = Field(description="Which one, as Lambda describes it.")
    gpus: int
    cents_per_hour: int = Field(description="US cents.")
    regions: tuple[str, ...] = ()


class TypesSeen(_Answer):
    """Those that there are."""

    types: tuple[TypeSeen, ...] = ()


class LookAtAccountRequest(_Request):
    """Nothing to say: there is one account."""


class MachineSeen(_Answer):
    """A machine of the account."""

    id: str
    name: str
    type: str
    region: str
    status: str = Field(description="As Lambda names it.")
    cents_per_hour: int
    mark: str = Field(default="", description="Of the goal that launched it; empty for somebody else's.")


class AccountSeen(_Answer):
    """What the account has besides sizes to choose from."""

    machines: tuple[MachineSeen, ...] = ()
    ssh_keys: tuple[str, ...] = Field(default=(), description="Their names.")
    image_families: tuple[str, ...] = ()
    file_systems: tuple[str, ...] = Field(default=(), description="Each as REGION/NAME; they cost, also unused.")
    firewall_rulesets: tuple[str, ...] = Field(default=(), description="Each as REGION/NAME.")


class LeasedGpu(_Request):
    """A machine, by its mark: what ends it, looks after it, and makes its key is asked this."""

    mark: Mark
    name: Name = ""
    cents_per_hour: Cents = Field(default=0, description="The price at most, for what an extension may cost.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name or self.mark)


class SshKeyMade(_Answer):
    """Where the key is that opens the machine."""

    secret: str = Field(description="In Vault: `key`, in OpenSSH's form, and `user`.")
    adopted: bool = Field(default=False, description="Whether a machine runs with it already, so that it was left.")


class Choice(_Request):
    """A size in a region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    region: str

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.type} in {self.region}"


class LaunchRequest(_Request):
    """A machine that the policy may let a goal launch by itself, by what it costs at most."""

    name: Name
    choices: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=MOST_CHOICES)] = Field(
        description="By preference."
    )
    hours: Hours
    cents_per_hour: Cents = Field(description="The price at most.")
    boot: Boot | None = Field(default=None, description="What it boots, where it is to serve a language model.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match. A lease is shorter than a month: it costs no more in one than in all."""
        return PolicyContext(resource=self.name, cost=dollars(self.hours * self.cents_per_hour))

    def spend(self) -> int | None:
        """For all its hours."""
        return self.hours * self.cents_per_hour


class GpuLaunched(ApprovedAnswer):
    """A machine that is on its way; or that there was no capacity, and nothing was launched."""

    id: str = Field(default="", description="Empty where nothing was launched.")
    mark: str = Field(default="", description="What it carries.")
    type: str = ""
    region: str = ""
    cents_per_hour: int = 0
    hours: int = 0
    adopted: bool = Field(default=False, description="Whether an attempt before had launched it.")
    tried: tuple[str, ...] = Field(default=(), description="What Lambda had no capacity for.")
    ticket: str = Field(default="", description="The digest of what it dials in with, where it serves a model.")

    def spent(self) -> int | None:
        """For all its hours, at its own price."""
        return self.hours * self.cents_per_hour if self.id else 0

    def hired(self) -> Hired | None:
        """The machine; what it was paid for and does not run is given back."""
        if not (self.id and self.mark):
            return None
        return Hired(mark=self.mark, thing=self.id, cents_per_hour=self.cents_per_hour)

    def end(self) -> StepEnd:
        """How it ended, for those who approved it."""
        if self.id:
            return StepEnd(way="completed")
        return StepEnd(
            way="refused",
            why=f"Lambda Labs had no capacity for {', '.join(self.tried)[:300]}",
            next_step="It is looked for again, and people are asked again.",
        )


class BuyGpuParameters(PlanParameters):
    """Exactly what people approve: a machine of one of these sizes, for so long, at no higher price."""

    resource: str
    choices: tuple[Choice, ...]
    hours: int
    cents_per_hour: int
    boot: Boot | None = None


class GpuStanding(LeaseStanding):
    """Whether what carries a mark is still there, and what it is."""

    mark: str = ""
    id: str = ""
    type: str = ""
    region: str = ""
    status: str = ""
    cents_per_hour: int = 0

    def resource_ended(self) -> Ended | None:
        """Nothing of it runs on, where nothing is there."""
        return None if self.there or not self.mark else Ended(mark=self.mark)


class GpuReadiness(_Answer):
    """Whether the machine itself answers: Lambda's word is not enough."""

    status: str = Field(description="As Lambda names it; empty where it has none of this mark.")
    address: str = ""
    answers: bool = Field(default=False, description="Whether SSH greets.")
    gpus: int | None = Field(default=None, description="How many GPUs it says that answer.")
    wanted: int = Field(default=0, description="How many its size has.")


class ExtendRequest(LeasedGpu):
    """A machine that is to run on. Nothing is done at Lambda: it runs until it is ended. It costs."""

    until: AwareDatetime
    ends_at: AwareDatetime = Field(description="When it would end.")

    def _cents(self) -> int:
        seconds = max((self.until - self.ends_at).total_seconds(), 0)
        return -(-int(seconds) * self.cents_per_hour // 3600)

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name or self.mark, cost=dollars(self._cents()))

    def spend(self) -> int | None:
        """For the time that it is longer."""
        return self._cents()


class GpuExtended(_Answer):
    """That it may run on."""

    cents: int = Field(description="What that costs, at its own price.")
    mark: str = ""
    id: str = ""
    cents_per_hour: int = 0

    def hired(self) -> Hired | None:
        """The machine, for longer."""
        if not (self.id and self.mark):
            return None
        return Hired(mark=self.mark, thing=self.id, cents_per_hour=self.cents_per_hour, longer=True)

    def spent(self) -> int | None:
        """What that costs."""
        return self.cents


class RestartRequest(LeasedGpu):
    """A machine that is to start anew: what runs on it ends, and its disk stays."""

    instance: InstanceId


class GpuRestarted(_Answer):
    """That it restarts now."""

    adopted: bool = Field(default=False, description="Whether an attempt before had begun it.")


class RenameRequest(LeasedGpu):
    """A machine that is to have another name at Lambda. The policy goes by the name that it was asked for under."""

    instance: InstanceId
    called: Name = Field(description="Its new name.")


class GpuRenamed(_Answer):
    """What it is called now."""

    called: str


class GpuEnded(_Answer):
    """What was ended; nothing where there was nothing."""

    ids: tuple[str, ...] = ()
    mark: str = ""
    ending: tuple[str, ...] = Field(default=(), description="Those, and what was ended before and is still shown.")

    def resource_ended(self) -> Ended | None:
        """All that carried the mark."""
        return Ended(mark=self.mark, things=self.ending) if self.mark else None


def _by_hand(mark: str) -> str:
    """Lambda ends instances by their ids, which a person looks up by the mark."""
    api, key = manifest.LAMBDA_LABS.url, '"$LAMBDA_API_KEY:"'
    those = "{instance_ids: [.data[] | select(any(.tags[]?; .value == $mark)) | .id]}"
    return (
        f"curl -su {key} {api}/instances | jq --arg mark {shlex.quote(mark)} {shlex.quote(those)} | "
        f"curl -su {key} --json @- {api}/instance-operations/terminate"
    )


LOOK_AT_TYPES: Final = Step(
    name="lambdalabs.look_at_types",
    request=LookAtTypesRequest,
    response=TypesSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
LOOK_AT_ACCOUNT: Final = Step(
    name="lambdalabs.look_at_account",
    request=LookAtAccountRequest,
    response=AccountSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
ADD_SSH_KEY: Final = Step(
    name="lambdalabs.add_ssh_key",
    request=LeasedGpu,
    response=SshKeyMade,
    effect=Effect.WRITE,
    credential=manifest.KEEP,
)
LAUNCH_INSTANCE: Final = Step(
    name="lambdalabs.launch_instance",
    request=LaunchRequest,
    response=GpuLaunched,
    effect=Effect.WRITE,
    credential=manifest.LAUNCH,
)
BUY_INSTANCE: Final = Step(
    name="lambdalabs.buy_instance",
    request=GrantedRequest,
    response=GpuLaunched,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.BUY,
)
CHECK_READY: Final = Step(
    name="lambdalabs.check_ready",
    request=LeasedGpu,
    response=GpuReadiness,
    effect=Effect.READ,
    credential=manifest.READ,
)
CHECK_INSTANCE: Final = Step(
    name="lambdalabs.check_instance",
    request=LeasedGpu,
    response=GpuStanding,
    effect=Effect.READ,
    credential=manifest.READ,
)
FIND_INSTANCES: Final = Step(
    name="lambdalabs.find_instances",
    request=ListLeased,
    response=LeasedPage,
    effect=Effect.READ,
    credential=manifest.READ,
)
RESTART_INSTANCE: Final = Step(
    name="lambdalabs.restart_instance",
    request=RestartRequest,
    response=GpuRestarted,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
RENAME_INSTANCE: Final = Step(
    name="lambdalabs.rename_instance",
    request=RenameRequest,
    response=GpuRenamed,
    effect=Effect.WRITE,
    credential=manifest.CHANGE,
)
END_INSTANCE: Final = Step(
    name="lambdalabs.end_instance",
    request=LeasedGpu,
    response=GpuEnded,
    effect=Effect.WRITE,
    credential=manifest.KEEP,
)
EXTEND_INSTANCE: Final = Step(
    name="lambdalabs.extend_instance",
    request=ExtendRequest,
    response=GpuExtended,
    effect=Effect.WRITE,
    credential=manifest.READ,
)

GPU: Final = LeaseKind(
    name="lambdalabs-gpu",
    title="GPU",
    place=LeasedGpu,
    find=FIND_INSTANCES,
    check=CHECK_INSTANCE,
    end=END_INSTANCE,
    extend=EXTEND_INSTANCE,
    by_hand=lambda place: _by_hand(place.mark),
    longest=LONGEST,
)
"""A machine, until its time, its goal or a person ends it."""
