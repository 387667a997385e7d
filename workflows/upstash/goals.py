"""What people ask for at Upstash, and how it ended."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType

DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")]


class InspectRedisInput(GoalInput):
    """Tell what a Redis database at Upstash is: its state, where it serves, and what it may cost."""

    database: DatabaseName = Field(description="Its name or its id, as Upstash's console shows them.")

    def business_key(self) -> str:
        """`inspect-redis/DATABASE`."""
        return f"inspect-redis/{self.database}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Inspect the Redis database {self.database}"

    def reaches(self) -> Mapping[str, str]:
        """The account."""
        return {"upstash": ""}


class InspectRedisResult(GoalResult):
    """What the database is. Nothing that opens it is ever read into a history."""

    database: str = Field(description="As it was asked for.")
    id: str | None = Field(default=None, description="Upstash's id of it.")
    name: str | None = Field(default=None, description="Its name.")
    state: str | None = Field(default=None, description="`active` when it serves.")
    modifying: str | None = Field(default=None, description="What is being changed of it; empty when nothing is.")
    endpoint: str | None = Field(default=None, description="Its host, or the first part of it.")
    port: int | None = Field(default=None, description="Where it listens.")
    tls: bool | None = Field(default=None, description="Whether it takes encrypted connections alone.")
    primary_region: str | None = Field(default=None, description="Where it is written.")
    read_regions: tuple[str, ...] = Field(default=(), description="Where it is read as well.")
    plan: str | None = Field(default=None, description="What it is paid by.")
    budget: int | None = Field(default=None, description="US dollars a month at most.")
    eviction: bool | None = Field(default=None, description="Whether it forgets keys when it is full.")


INSPECT_REDIS: Final = GoalType(
    name="InspectRedis",
    input=InspectRedisInput,
    result=InspectRedisResult,
    rehearses=frozenset({"upstash"}),
    effect=Effect.READ,
    example=InspectRedisInput(database="shop-cache"),
)
