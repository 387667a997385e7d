"""Steps on Upstash, as goals ask for them."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.upstash import manifest
from hitl.protocol import Effect, PolicyContext


class LookAtDatabaseRequest(BaseModel):
    """Which database to look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database: str = Field(description="Its name, or its id.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)


class DatabaseSeen(BaseModel):
    """A Redis database, without anything that opens it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    state: str = Field(description="`active` when it serves.")
    modifying: str = Field(default="", description="What is being changed of it; empty when nothing is.")
    endpoint: str = ""
    port: int | None = None
    tls: bool | None = None
    primary_region: str = ""
    read_regions: tuple[str, ...] = ()
    plan: str = ""
    budget: int | None = Field(default=None, description="US dollars a month.")
    eviction: bool | None = None


LOOK_AT_DATABASE: Final = Step(
    name="upstash.look_at_database",
    request=LookAtDatabaseRequest,
    response=DatabaseSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
