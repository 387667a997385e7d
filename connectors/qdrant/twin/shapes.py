"""What Qdrant's twin is started with, takes and answers, with what the provider's description has in every answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.qdrant.copy import CopiedDatabase
from connectors.qdrant.models import Backup, BackupSchedule, CloudModel, Cluster, DatabaseKey, Package

Access = Literal["read", "manage"]


class TwinPackage(Package):
    """A package, with its price."""

    currency: str = "USD"
    unit_int_price_per_hour: int = 0
    tier: str = "PACKAGE_TIER_STANDARD"


class SeededDatabase(BaseModel):
    """A cluster that is there from the beginning, with one collection behind an alias.

    Attributes:
        readers: Its key that reads.
        writers: Its key that does all.
        points: How many there are, with four numbers each.
        goal: The workflow id of the goal that has made it, which finds it again; empty where none has.
        cluster: As it was copied; None where it is an example.
        content: Its database as it was copied, in place of the one collection.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    readers: str = Field(repr=False)
    writers: str = Field(repr=False)
    collection: str = ""
    alias: str = ""
    points: int = 8
    goal: str = ""
    cluster: Cluster | None = None
    content: CopiedDatabase | None = None


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        account: The id of the one account.
        reading_key: A management key that only reads.
        writing_key: One that makes things.
        buying_key: Another one that does.
        deleting_key: One that only deletes clusters.
        creates_in: Seconds that a cluster takes until it is healthy.
        deletes_in: Seconds that one that is deleted is still shown.
        packages: What can be had, everywhere.
        databases: What there is already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8306"
    account: str
    reading_key: str = Field(repr=False)
    writing_key: str = Field(repr=False)
    buying_key: str = Field(repr=False)
    deleting_key: str = Field(repr=False)
    creates_in: float = 20.0
    deletes_in: float = 5.0
    packages: tuple[TwinPackage, ...] = (
        TwinPackage(id="7c939d96-d671-4051-aa16-3b8b7130fa42", name="free2", type="free"),
        TwinPackage(id="39b48a76-2a60-4ee0-9266-6d1e0f91ea14", name="gpx1", type="paid", unit_int_price_per_hour=3_750),
    )
    databases: tuple[SeededDatabase, ...] = ()


class TwinCluster(Cluster):
    """A cluster, with the fields of the provider's own description that are in every answer."""

    account_id: str
    created_at: str


class Clusters(CloudModel):
    """One page of clusters."""

    items: tuple[TwinCluster, ...]
    total_size: int
    next_page_token: str | None = None


class OneCluster(CloudModel):
    """One of them."""

    cluster: TwinCluster


class Packages(CloudModel):
    """All of them."""

    items: tuple[TwinPackage, ...]


class Quote(CloudModel):
    """A price."""

    currency: str = "USD"
    original_price_per_hour: str
    discounted_price_per_hour: str
    discount_percentage: float = 0.0


class TwinKey(DatabaseKey):
    """A database key; only the answer that makes it shows it."""

    account_id: str
    created_at: str
    postfix: str
    key: str | None = Field(default=None, repr=False)


class Keys(CloudModel):
    """All of a cluster, or of the account."""

    items: tuple[TwinKey, ...]


class OneKey(CloudModel):
    """The one answer that shows it."""

    database_api_key: TwinKey


class TwinBackup(Backup):
    """A backup, whole."""

    account_id: str
    cluster_id: str
    name: str = "nightly"
    created_at: str = "2026-01-02T03:04:05Z"
    status: str = "BACKUP_STATUS_SUCCEEDED"


class TwinBackups(CloudModel):
    """One page of them."""

    items: tuple[TwinBackup, ...]
    total_size: int
    next_page_token: str | None = None


class TwinSchedule(BackupSchedule):
    """When backups are made of a cluster."""

    account_id: str
    cluster_id: str
    created_at: str
    display_name: str
    status: str = "BACKUP_SCHEDULE_STATUS_ACTIVE"


class Schedules(CloudModel):
    """All of a cluster, or of the account."""

    items: tuple[TwinSchedule, ...]
    total_size: int


class OneSchedule(CloudModel):
    """One of them."""

    backup_schedule: TwinSchedule


class Page(CloudModel):
    """Which part of a list."""

    cluster_id: str | None = None
    page_size: int = Field(default=100, ge=1, le=2**31 - 1)
    page_token: str = "0"  # noqa: S105 - a place in a list


class OfCluster(CloudModel):
    """Whose keys."""

    cluster_id: str | None = None
