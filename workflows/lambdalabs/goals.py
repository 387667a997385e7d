"""What people ask for at Lambda Labs, and how it ended."""

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from activities.lambdalabs.contracts import MachineSeen, TypeSeen
from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalInput, GoalResult
from workflows.goal_type import GoalType

MachineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]

BackendName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]


class InspectGpusInput(GoalInput):
    """Tell which GPUs Lambda Labs has, at which price and where there is capacity, and what the account has there."""

    types: tuple[TypeName, ...] = Field(
        default=(), max_length=40, description="Sizes, as Lambda names them; all of them where none is named."
    )

    def business_key(self) -> str:
        """`inspect-gpus`, with the sizes that are asked for."""
        return "/".join(("inspect-gpus", *self.types))

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Inspect GPUs at Lambda Labs: {', '.join(self.types) or 'all sizes'}"


class InspectGpusResult(GoalResult):
    """What there is. Nothing that opens a machine is ever read."""

    types: tuple[TypeSeen, ...] = Field(default=(), description="Sizes, each with its price and where it can be had.")
    machines: tuple[MachineSeen, ...] = Field(default=(), description="The account's, whoever launched them.")
    ssh_keys: tuple[str, ...] = Field(default=(), description="Their names.")
    image_families: tuple[str, ...] = Field(default=(), description="What machines may boot.")
    file_systems: tuple[str, ...] = Field(default=(), description="As REGION/NAME; they cost, also unused.")
    firewall_rulesets: tuple[str, ...] = Field(default=(), description="As REGION/NAME.")


class LeaseGpuInput(DestructiveGoalInput):
    """Have a GPU machine for some hours: launched at a known price, really ready, and ended whatever happens."""

    name: MachineName = Field(description="What it is called, at Lambda Labs, too.")
    types: tuple[TypeName, ...] = Field(
        min_length=1, max_length=8, description="Sizes as Lambda names them, such as gpu_1x_a10; the best one first."
    )
    regions: tuple[RegionName, ...] = Field(
        default=(), max_length=5, description="Regions, the best one first; any where none is named."
    )
    hours: int = Field(ge=1, le=168, description="How long it runs at most; its lease can be extended.")
    most_usd: int = Field(ge=1, le=100_000, description="US dollars that all these hours may cost.")
    wait_hours: int = Field(
        default=0, ge=0, le=72, description="How long to wait where there is no capacity; with 0 it is tried once."
    )
    ready: Literal["gpus", "ssh"] = Field(
        default="gpus",
        description="What counts as ready: `gpus`, where the machine says itself that all of them answer; or `ssh`, "
        "where SSH answers, for images that do not say it.",
    )
    serves: BackendName | None = Field(
        default=None,
        description="A backend of language models that it serves, as the models' file foresees it; for `ServeModel`, "
        "which has it asked. Such a machine is ready when Lambda says so, and needs no way in.",
    )

    def business_key(self) -> str:
        """`lease-gpu/NAME`; in an emergency one of its own, beside what may wait for days."""
        return f"{'lease-gpu-break-glass' if self.break_glass else 'lease-gpu'}/{self.name}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Lease the GPU machine {self.name} for {self.hours} h ({', '.join(self.types)})"


class _Wish(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    note: str = Field(default="", max_length=500, description="Why, for the record.")


class RestartGpu(_Wish):
    """The update `restart`: what runs on the machine ends, its disk stays, and it is waited until it is ready again."""


class RenameGpu(_Wish):
    """The update `rename`: what Lambda calls the machine. Goal, lease and policy know it by its first name."""

    name: MachineName


class LeaseGpuResult(GoalResult):
    """The machine, and where its key is; never the key. The query `gpu` answers the same, as far as it is known."""

    name: str = Field(description="As it was asked for.")
    called: str | None = Field(default=None, description="What Lambda calls it, where it was renamed.")
    instance: str | None = Field(default=None, description="Lambda's id of it.")
    type: str | None = Field(default=None, description="Its size.")
    region: str | None = Field(default=None, description="Where it is.")
    address: str | None = Field(default=None, description="Where its SSH listens.")
    secret: str | None = Field(
        default=None, description="In Vault: `user`, and `key` that opens it, in OpenSSH's form."
    )
    gpus: int | None = Field(default=None, description="How many of them it says that answer.")
    lease: str | None = Field(default=None, description="The lease that holds it: what extends or ends it is told.")
    ends_at: AwareDatetime | None = Field(default=None, description="When its lease ends, unless it is extended.")
    ended_at: AwareDatetime | None = Field(default=None, description="When Lambda said that it was gone.")
    cents_per_hour: int | None = Field(default=None, description="US cents.")
    usd_cents: int | None = Field(default=None, description="What it cost at most, from before its launch to its end.")
    tried: tuple[str, ...] = Field(default=(), description="What there was no capacity for when it was last tried.")
    ticket: str = Field(default="", description="The digest of what it dials in with, where it serves a model.")


INSPECT_GPUS: Final = GoalType(
    name="InspectGpus",
    input=InspectGpusInput,
    result=InspectGpusResult,
    effect=Effect.READ,
    example=InspectGpusInput(),
)
LEASE_GPU: Final = GoalType(
    name="LeaseGpu",
    input=LeaseGpuInput,
    result=LeaseGpuResult,
    effect=Effect.DESTRUCTIVE,
    example=LeaseGpuInput(name="train", types=("gpu_1x_a10",), regions=("us-west-1",), hours=2, most_usd=5),
)
