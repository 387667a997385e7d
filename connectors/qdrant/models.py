"""What Qdrant Cloud is sent and answers, as far as it is read: proto-JSON, so zeros and empty lists may be missing.

The one secret among it is a database key's `key`, which is in the answer that made it and in no other.
"""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

MARK_LABEL: Final = "banksman"
"""The label of a cluster whose value is the mark of the goal that made it."""
FREE: Final = "free"
"""The type of a package that costs nothing."""


class CloudModel(BaseModel):
    """Fields are in camelCase on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Phase(StrEnum):
    """Where a cluster stands, as far as anything follows from it."""

    CREATING = "CLUSTER_PHASE_CREATING"
    HEALTHY = "CLUSTER_PHASE_HEALTHY"
    FAILED_TO_CREATE = "CLUSTER_PHASE_FAILED_TO_CREATE"
    NOT_FOUND = "CLUSTER_PHASE_NOT_FOUND"
    DELETING = "CLUSTER_PHASE_DELETING"


class Label(CloudModel):
    """One label."""

    key: str = ""
    value: str = ""


class Endpoint(CloudModel):
    """Where a cluster's database is."""

    url: str = Field(default="", description="Without the port.")
    rest_port: int = 6333

    @property
    def address(self) -> str:
        """With the port of its REST API; empty where there is none yet."""
        return f"{self.url.rstrip('/')}:{self.rest_port}" if self.url else ""


class Configuration(CloudModel):
    """What a cluster is made of."""

    number_of_nodes: int = 0
    package_id: str = ""
    version: str | None = None


class ClusterState(CloudModel):
    """Where a cluster stands."""

    phase: str = "CLUSTER_PHASE_UNSPECIFIED"
    reason: str = ""
    version: str = ""
    endpoint: Endpoint = Endpoint()


class Cluster(CloudModel):
    """One cluster."""

    id: str
    name: str
    cloud_provider_id: str = ""
    cloud_provider_region_id: str = ""
    labels: tuple[Label, ...] = ()
    configuration: Configuration = Configuration()
    state: ClusterState = ClusterState()
    deleted_at: str | None = None

    def marked(self, mark: str) -> bool:
        """Whether a goal with this mark made it."""
        return Label(key=MARK_LABEL, value=mark) in self.labels


class ClusterPage(CloudModel):
    """One page of them."""

    items: tuple[Cluster, ...] = ()
    next_page_token: str = ""


class ClusterAnswer(CloudModel):
    """One of them."""

    cluster: Cluster


class NewCluster(CloudModel):
    """A cluster that is to be made."""

    name: str
    cloud_provider_id: str
    cloud_provider_region_id: str
    labels: tuple[Label, ...]
    configuration: Configuration


class CreateCluster(CloudModel):
    """The body that asks for one."""

    cluster: NewCluster


class Resources(CloudModel):
    """What a package gives to each node."""

    ram: str = ""
    cpu: str = ""
    disk: str = ""


class Package(CloudModel):
    """A size that can be had."""

    id: str
    name: str = ""
    type: str = Field(default="", description="`free` or `paid`.")
    status: str = "PACKAGE_STATUS_ACTIVE"
    resource_configuration: Resources = Resources()


class Packages(CloudModel):
    """All of one region."""

    items: tuple[Package, ...] = ()


class AskForQuote(CloudModel):
    """What a price is asked for."""

    cloud_provider_id: str
    cloud_provider_region_id: str
    number_of_nodes: int
    package_id: str


class Quote(CloudModel):
    """A price."""

    currency: str = "USD"
    discounted_price_per_hour: int = Field(default=0, ge=0, description="Millicents, for all nodes.")


class GlobalAccess(CloudModel):
    """Access to all of a database."""

    access_type: str


class AccessRule(CloudModel):
    """What a database key may do."""

    global_access: GlobalAccess


class NewDatabaseKey(CloudModel):
    """A database key that is to be made."""

    cluster_id: str
    name: str
    access_rules: tuple[AccessRule, ...]


class CreateDatabaseKey(CloudModel):
    """The body that asks for one."""

    database_api_key: NewDatabaseKey


class DatabaseKey(CloudModel):
    """A database key, without what it is."""

    id: str
    name: str = ""
    cluster_id: str = ""


class DatabaseKeys(CloudModel):
    """All of one cluster."""

    items: tuple[DatabaseKey, ...] = ()


class MadeDatabaseKey(DatabaseKey):
    """A database key in the one answer that shows it."""

    key: SecretStr


class DatabaseKeyAnswer(CloudModel):
    """The answer that shows it."""

    database_api_key: MadeDatabaseKey


class Ended(CloudModel):
    """That something is gone: an object without fields."""


class BackupSchedule(CloudModel):
    """When backups are made of a cluster, and how long they are kept."""

    id: str
    schedule: str = Field(default="", description="As cron writes it.")
    retention_period: str = Field(default="", description="Seconds, as in `86400s`.")
    deleted_at: str | None = None


class BackupSchedules(CloudModel):
    """One page of them."""

    items: tuple[BackupSchedule, ...] = ()
    next_page_token: str = ""


class Backup(CloudModel):
    """A backup of a cluster. It outlives it."""

    id: str
    name: str = ""
    created_at: str = ""
    status: str = Field(default="", description="As Qdrant names it: `BACKUP_STATUS_SUCCEEDED`.")
    deleted_at: str | None = None


class Backups(CloudModel):
    """One page of them."""

    items: tuple[Backup, ...] = ()
    next_page_token: str = ""


class NewBackupSchedule(CloudModel):
    """One that is to be made."""

    cluster_id: str
    schedule: str
    retention_period: str
    display_name: str


class CreateBackupSchedule(CloudModel):
    """The body that asks for one."""

    backup_schedule: NewBackupSchedule


class BackupScheduleAnswer(CloudModel):
    """One of them."""

    backup_schedule: BackupSchedule
