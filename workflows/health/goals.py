"""What people ask of a repository's health, and what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import SearchAttributeKey

from activities.health.figures import FigureName, Trend
from hitl.plan_language.labels import TRUST
from hitl.protocol import Effect
from workflows.contracts import REPOSITORY_ATTRIBUTE, GitRef, GoalInput, GoalResult, RepositoryName
from workflows.goal_type import GoalType


class ReportHealthInput(GoalInput):
    """Report how a repository does, in figures with what to do about each, and what changed since the last report."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    ref: GitRef | None = Field(
        default=None,
        description="Branch, tag or commit. The default branch when left out, and only such a report is kept.",
    )

    def business_key(self) -> str:
        """`report-health/OWNER/NAME`, with `@REF` when one is asked for."""
        return f"report-health/{self.repository}" + (f"@{self.ref}" if self.ref else "")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Report how {self.repository} does" + (f" at {self.ref}" if self.ref else "")

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class FigureTold(BaseModel):
    """One figure, with all that a reader needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: FigureName
    label: str = Field(description="Its name for people.")
    value: float | None = Field(default=None, description="None where it cannot be known.")
    unit: str = Field(description="Of the value.")
    source: str = Field(description="Where it comes from.")
    told: str = Field(default="", description="What is behind it. A stranger's words are in it.")
    advice: str = Field(default="", description="What to do; empty where nothing is to be done.")
    before: float | None = Field(default=None, description="Its value in the last report.")
    trend: Trend | None = Field(
        default=None, description="Against the last report; none where one of both does not know it."
    )


class ReportHealthResult(GoalResult):
    """The report. Figures that need something done come with an advice."""

    repository: str = Field(description="As it was asked for.")
    commit: str | None = Field(
        default=None, description="The commit that was measured.", json_schema_extra={TRUST: "digest"}
    )
    figures: tuple[FigureTold, ...] = Field(default=(), description="Each with unit, source and what to do.")
    compared_with: datetime | None = Field(default=None, description="When the last report was made; none before it.")
    reports: int = Field(default=0, description="How many are kept of this repository; the console shows them.")
    manifests: str | None = Field(default=None, description="Its dependencies, as JSON in the artifact store.")


REPORT_HEALTH: Final = GoalType(
    name="ReportHealth",
    input=ReportHealthInput,
    result=ReportHealthResult,
    effect=Effect.READ,
    example=ReportHealthInput(repository="acme/shop"),
    data=("repository",),
)
