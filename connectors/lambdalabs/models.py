"""What Lambda's API is sent and answers, as far as it is read.

An instance's `jupyter_token` and `jupyter_url` open it. No model has them, so nothing of ours ever holds them.
"""

from enum import StrEnum
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MARK_TAG: Final = "banksman"
"""The key of the tag whose value is the mark of the goal that launched an instance."""

Content = TypeVar("Content")


class CloudModel(BaseModel):
    """Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Data(CloudModel, Generic[Content]):
    """Every answer that says yes."""

    data: Content


class Status(StrEnum):
    """Where an instance stands, as far as anything follows from it."""

    BOOTING = "booting"
    ACTIVE = "active"
    UNHEALTHY = "unhealthy"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    PREEMPTED = "preempted"


class Region(CloudModel):
    """A place."""

    name: str


class Specs(CloudModel):
    """What an instance type is made of."""

    gpus: int
    vcpus: int = 0
    memory_gib: int = 0
    storage_gib: int = 0


class InstanceType(CloudModel):
    """A size, with its price."""

    name: str
    description: str = ""
    gpu_description: str = ""
    price_cents_per_hour: int = Field(ge=0)
    specs: Specs


class TypeOffer(CloudModel):
    """A size, and where there is capacity now: a hint, and no reservation."""

    instance_type: InstanceType
    regions_with_capacity_available: tuple[Region, ...] = ()


class Tag(CloudModel):
    """One tag."""

    key: str
    value: str


class Instance(CloudModel):
    """One machine."""

    id: str
    name: str | None = None
    ip: str | None = Field(default=None, description="None until it has one.")
    status: str
    region: Region
    instance_type: InstanceType
    ssh_key_names: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether it is being ended, or has been."""
        return self.status in {Status.TERMINATING, Status.TERMINATED}

    @property
    def mark(self) -> str:
        """Of the goal that launched it; empty for one of somebody else's."""
        return next((one.value for one in self.tags if one.key == MARK_TAG), "")


class Launch(CloudModel):
    """The body that asks for an instance."""

    region_name: str
    instance_type_name: str
    ssh_key_names: tuple[str, ...]
    name: str
    user_data: str = Field(repr=False)
    tags: tuple[Tag, ...]


class Launched(CloudModel):
    """Which instances were launched."""

    instance_ids: tuple[str, ...] = Field(min_length=1)


class Terminate(CloudModel):
    """The body that ends instances."""

    instance_ids: tuple[str, ...]


class Terminated(CloudModel):
    """Those that end now."""

    terminated_instances: tuple[Instance, ...] = ()


class Restart(CloudModel):
    """The body that restarts instances."""

    instance_ids: tuple[str, ...]


class Restarted(CloudModel):
    """Those that restart now."""

    restarted_instances: tuple[Instance, ...] = ()


class Rename(CloudModel):
    """The body that gives an instance another name."""

    name: str


class SshKey(CloudModel):
    """A public key that instances may be launched with."""

    id: str
    name: str
    public_key: str


class NewSshKey(CloudModel):
    """One that is to be added."""

    name: str
    public_key: str


class Image(CloudModel):
    """What an instance may boot."""

    id: str
    name: str = ""
    family: str = ""
    architecture: str = ""
    region: Region


class FileSystem(CloudModel):
    """Storage that outlives instances, and costs."""

    id: str
    name: str
    region: Region
    is_in_use: bool
    bytes_used: int | None = None


class Ruleset(CloudModel):
    """A set of firewall rules."""

    id: str
    name: str
    region: Region


class Nothing(CloudModel):
    """An object without fields."""
