"""What the twin of Lambda's cloud answers, whole, and what it is started with."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.lambdalabs.models import CloudModel, InstanceType, Region, Specs, Tag

_DESCRIBED: Final = {
    "us-west-1": "California, USA",
    "us-east-1": "Virginia, USA",
    "europe-central-1": "Germany",
    "asia-south-1": "India",
}
REGIONS: Final = tuple(_DESCRIBED)


class TwinRegion(Region):
    """A region with its description."""

    description: str

    @classmethod
    def of(cls, name: str) -> "TwinRegion":
        """One of the twin's."""
        return cls(name=name, description=_DESCRIBED[name])


class TwinType(InstanceType):
    """A size, as the twin always tells it whole."""

    description: str = "a GPU"
    gpu_description: str = "GPU"


class TwinOffer(CloudModel):
    """A size, and where there is capacity."""

    instance_type: TwinType
    regions_with_capacity_available: tuple[TwinRegion, ...] = ()


class TwinAction(CloudModel):
    """Whether something can be done now."""

    available: bool


class TwinActions(CloudModel):
    """What can be done with an instance."""

    migrate: TwinAction = TwinAction(available=False)
    rebuild: TwinAction = TwinAction(available=False)
    restart: TwinAction
    cold_reboot: TwinAction
    terminate: TwinAction


class TwinInstance(CloudModel):
    """An instance, with what opens it: our client reads none of that."""

    id: str
    name: str
    ip: str | None = None
    status: str
    ssh_key_names: tuple[str, ...]
    tags: tuple[Tag, ...]
    region: TwinRegion
    instance_type: TwinType
    file_system_names: tuple[str, ...] = ()
    hostname: str | None = None
    jupyter_token: str | None = None
    jupyter_url: str | None = None
    is_reserved: bool = False
    actions: TwinActions


class TwinLaunch(CloudModel):
    """What a launch may be asked, with what may be left out."""

    region_name: str
    instance_type_name: str
    ssh_key_names: tuple[str, ...]
    name: str = ""
    user_data: str = ""
    tags: tuple[Tag, ...] = ()


class TwinTerminated(CloudModel):
    """Those that end now."""

    terminated_instances: tuple[TwinInstance, ...]


class TwinRestarted(CloudModel):
    """Those that restart now."""

    restarted_instances: tuple[TwinInstance, ...]


class TwinUser(CloudModel):
    """Who made something."""

    id: str = "u0"
    email: str = "ops@example.com"
    status: str = "active"


class TwinFileSystem(CloudModel):
    """Storage, whole."""

    id: str
    name: str
    is_in_use: bool
    bytes_used: int
    region: TwinRegion
    mount_point: str = "/lambda/nfs/datasets"
    created: str = "2026-01-02T03:04:05Z"
    created_by: TwinUser = TwinUser()


class TwinImage(CloudModel):
    """An image, whole."""

    id: str
    name: str
    family: str
    architecture: str
    region: TwinRegion
    description: str = "Ubuntu with Lambda Stack"
    version: str = "22.4.3"
    created_time: str = "2026-01-02T03:04:05Z"
    updated_time: str = "2026-01-02T03:04:05Z"


class TwinRule(CloudModel):
    """One firewall rule."""

    protocol: str = "tcp"
    port_range: tuple[int, int] = (22, 22)
    source_network: str = "0.0.0.0/0"
    description: str = "SSH from everywhere"


class TwinRuleset(CloudModel):
    """A set of firewall rules, whole."""

    id: str
    name: str
    region: TwinRegion
    rules: tuple[TwinRule, ...] = (TwinRule(),)
    created: str = "2026-01-02T03:04:05Z"
    instance_ids: tuple[str, ...] = ()


class SeededType(BaseModel):
    """A size of the account's, and how many of it there are where.

    Attributes:
        cents: US cents an hour.
        capacity: How many there are, by region.
        arrives_in: Seconds after which one more is there, by region.
        defect: What is wrong with each of them: it never becomes `active`, has no GPU that answers, or is silent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    gpus: int
    gpu: str
    cents: int
    capacity: dict[str, int] = {}
    arrives_in: dict[str, float] = {}
    defect: Literal["", "unhealthy", "no_gpus", "silent"] = ""

    def type(self) -> TwinType:
        """As it is told."""
        return TwinType(
            name=self.name,
            description=f"{self.gpus}x {self.gpu}",
            gpu_description=self.gpu,
            price_cents_per_hour=self.cents,
            specs=Specs(gpus=self.gpus, vcpus=30 * self.gpus, memory_gib=200 * self.gpus, storage_gib=1400),
        )


TYPES: Final = (
    SeededType(name="gpu_1x_a10", gpus=1, gpu="A10 (24 GB PCIe)", cents=75, capacity={"us-west-1": 2, "us-east-1": 4}),
    SeededType(name="gpu_1x_h100_pcie", gpus=1, gpu="H100 (80 GB PCIe)", cents=249, capacity={"us-west-1": 2}),
    SeededType(name="gpu_8x_a100", gpus=8, gpu="A100 (40 GB SXM4)", cents=1032, capacity={"us-west-1": 1}),
    SeededType(name="gpu_1x_gh200", gpus=1, gpu="GH200 (96 GB)", cents=149, arrives_in={"us-east-1": 60}),
)


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        keys: API keys that it takes.
        types: Sizes, with what there is of each.
        most_instances: The account's quota.
        boots_in: Seconds until an instance is active.
        answers_in: Seconds after that until its SSH tells of its GPUs.
        ends_in: Seconds until one that is terminated is gone.
        per_second: How much the account may ask; 0: no limit.
        launch_every: Seconds between two launches; 0: no limit.
        model_port: Where a model server listens on this host that its machines serve; None: each has one of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:0"
    keys: tuple[str, ...] = Field(repr=False)
    types: tuple[SeededType, ...] = TYPES
    most_instances: int = 8
    boots_in: float = 20.0
    answers_in: float = 5.0
    ends_in: float = 5.0
    per_second: float = 1.0
    launch_every: float = 12.0
    model_port: int | None = None
