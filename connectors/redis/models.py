"""A Redis database as it is wanted, priced and seen, the same for every provider. Pure data."""

from pydantic import BaseModel, ConfigDict, Field


class Wanted(BaseModel):
    """A database that somebody wants."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="As people call it.")
    region: str = Field(default="", description="Where it is written; empty where its subscription says so.")
    subscription: str = Field(default="", description="Redis Cloud's, by name or id; empty elsewhere.")
    memory_mb: int = Field(default=256, description="How much it holds, where that is bought.")
    eviction: bool = Field(default=True, description="Whether it forgets keys when it is full.")
    most_usd: int = Field(ge=0, description="US dollars that it may cost in a month; none is made that costs more.")


class Price(BaseModel):
    """What a database costs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    usd_cents: int = Field(ge=0, description="At most in a month.")
    lines: tuple[str, ...] = Field(default=(), description="How that comes about, for people.")


class Found(BaseModel):
    """A database as its provider shows it, without anything that opens it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    state: str = Field(default="", description="`active` when it serves.")
    modifying: str = Field(default="", description="What is being changed of it; empty when nothing is.")
    endpoint: str = ""
    port: int | None = None
    tls: bool | None = None
    primary_region: str = ""
    read_regions: tuple[str, ...] = ()
    plan: str = ""
    budget: int | None = Field(default=None, description="US dollars a month.")
    eviction: bool | None = None
    used_mb: float | None = Field(default=None, description="How much it holds now, where its provider tells.")
