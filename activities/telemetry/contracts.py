"""Steps on the deployment's own log lines and numbers, as goals ask for them: little at once.

What they find lies in the artifact store. It holds what programs and strangers wrote.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.step import Step
from hitl.protocol import Effect, PolicyContext

MOST_MINUTES: Final = 7 * 24 * 60
MOST_LINES: Final = 200
MOST_SERIES: Final = 20
Words = Annotated[str, StringConstraints(max_length=300)]


class SearchLogsRequest(BaseModel):
    """Which lines; all that is given must be so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    contains: Words = ""
    service: Words = ""
    goal: Words = ""
    minutes: int = Field(default=60, ge=1, le=MOST_MINUTES)
    lines: int = Field(default=50, ge=1, le=MOST_LINES)

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the service."""
        return PolicyContext(resource=self.service or None)


class QueryMetricsRequest(BaseModel):
    """One expression of PromQL over a time that ends now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    expression: str = Field(min_length=1, max_length=2000)
    minutes: int = Field(default=60, ge=1, le=MOST_MINUTES)

    def policy_context(self) -> PolicyContext:
        """Nothing but the step's name."""
        return PolicyContext()


class TelemetryFound(BaseModel):
    """What was found, as text in the artifact store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    artifact: str
    found: int = Field(description="Lines, or series.")
    size: int = Field(description="Bytes.")


SEARCH_LOGS: Final = Step(
    name="telemetry.search_logs", request=SearchLogsRequest, response=TelemetryFound, effect=Effect.READ
)
QUERY_METRICS: Final = Step(
    name="telemetry.query_metrics", request=QueryMetricsRequest, response=TelemetryFound, effect=Effect.READ
)
