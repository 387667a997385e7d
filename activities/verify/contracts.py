"""Steps that look once whether a service is healthy, as goals ask for them. The goal looks again, by its own timer.

What a service's page says, and what its numbers are, are results and no failures: a service that is down is what
one looks for.
"""

from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from hitl.protocol import Effect, PolicyContext


class CheckPageRequest(BaseModel):
    """One page, asked for once by GET, without a credential."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = Field(max_length=2000)
    status: tuple[int, ...] = Field(default=(200,), description="The statuses that count as an answer.")
    contains: str | None = Field(default=None, description="A text that must be in the first MiB of the body.")
    timeout_seconds: int = Field(default=10, ge=1, le=30, description="For all of it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the host, with its port where one is written."""
        try:
            host = urlsplit(self.url).netloc.rpartition("@")[2]
        except ValueError:
            host = ""  # no address; the step says so
        return PolicyContext(resource=host or None)


class PageChecked(BaseModel):
    """What the page answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    healthy: bool
    why: str = Field(default="", description="Why it is not; in our words, never in the page's.")
    status: int | None = Field(default=None, description="None where nothing answered.")
    milliseconds: int = Field(description="Until the answer was read, or nothing more was waited for.")
    played: bool = Field(default=False, description="A rehearsal: nobody looked, and it is taken to be well.")


class QueryMetricRequest(BaseModel):
    """One expression of PromQL, at this moment, for the deployment's Prometheus."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    expression: str = Field(max_length=2000)
    timeout_seconds: int = Field(default=10, ge=1, le=30)

    def policy_context(self) -> PolicyContext:
        """Nothing but the step's name."""
        return PolicyContext()


class MetricSeen(BaseModel):
    """What it came to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float | None = Field(description="None where there is not exactly one number, and a finite one.")
    why: str = Field(default="", description="Why there is none.")
    played: bool = Field(default=False, description="A rehearsal: nobody asked, and it is taken to be well.")


CHECK_PAGE: Final = Step(name="verify.check_page", request=CheckPageRequest, response=PageChecked, effect=Effect.READ)
QUERY_METRIC: Final = Step(
    name="verify.query_metric", request=QueryMetricRequest, response=MetricSeen, effect=Effect.READ
)
