"""What Upstash answers, as far as it is read. Fields that are not named here are ignored, credentials among them."""

from pydantic import BaseModel, ConfigDict, Field


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
