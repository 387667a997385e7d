"""What Upstash is told and answers, as far as it is read. Fields that are not named here are ignored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Database(BaseModel):
    """One Redis database."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_id: str
    database_name: str
    state: str = Field(default="", description="`active` when it serves.")
    modifying_state: str = Field(default="", description="What is being changed of it; empty when nothing is.")
    endpoint: str = Field(default="", description="A host, or its first part.")
    port: int | None = None
    tls: bool | None = None
    primary_region: str = ""
    read_regions: tuple[str, ...] = ()
    plan: str = Field(default="", alias="type", description="What it is paid by.")
    budget: int | None = Field(default=None, description="US dollars a month.")
    eviction: bool | None = None


class OpenDatabase(BaseModel):
    """What opens one. The description does not name the password; the answers have it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: str = Field(description="A host, or its first part.")
    port: int
    tls: bool
    password: SecretStr


class NewDatabase(BaseModel):
    """A database to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_name: str
    platform: Literal["aws", "gcp"]
    primary_region: str
    plan: Literal["free", "payg"]
    budget: int | None = Field(default=None, description="US dollars a month.")
    eviction: bool
    tls: bool = True
