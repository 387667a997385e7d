"""How a repository does over time: one workflow for each, which keeps what was measured and says so in its memo.

Nothing is decided by it. Whoever reaches Temporal can tell such a workflow something as well, and people would read it.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from activities.health.figures import Figure, FigureName
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

HEALTH_WORKFLOW: Final = "RepositoryHealth"
HEALTH_MEMO: Final = "BanksmanHealth"
KEEP: Final = "keep"
"""The update: keep a report; its answer is the one before."""
MOST_KEPT: Final = 100
"""Reports of one repository; the oldest goes."""


def health_id(repository: str) -> str:
    """The id of the workflow that knows how a repository did. GitHub knows no capitals in names."""
    return f"repository-health/{repository.lower()}"


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HealthReport(_Kept):
    """What was measured at one time."""

    repository: str
    commit: str
    at: datetime
    run: str = Field(description="Of the goal that measured it: a report that is told twice is kept once.")
    figures: tuple[Figure, ...] = Field(max_length=len(FigureName))

    def values(self) -> dict[FigureName, float]:
        """What is kept of it when there is a newer one."""
        return {one.name: one.value for one in self.figures if one.value is not None}


class PastReport(_Kept):
    """What is left of an older report."""

    commit: str
    at: datetime
    run: str
    values: dict[FigureName, FiniteFloat]


class HealthState(_Kept):
    """All that is known of a repository."""

    repository: str
    latest: HealthReport | None = None
    past: tuple[PastReport, ...] = Field(default=(), description="With the latest, the oldest first.")

    def before(self, run: str) -> PastReport | None:
        """The newest one that another run measured."""
        return next((one for one in reversed(self.past) if one.run != run), None)

    def with_report(self, report: HealthReport) -> "HealthState":
        """With one more; the same again changes nothing."""
        if any(one.run == report.run for one in self.past):
            return self
        new = PastReport(commit=report.commit, at=report.at, run=report.run, values=report.values())
        past = sorted((*self.past, new), key=lambda one: one.at)[-MOST_KEPT:]
        newest = self.latest is None or self.latest.at <= report.at
        return self.model_copy(update={"latest": report if newest else self.latest, "past": tuple(past)})


class ReportKept(_Kept):
    """It is kept."""

    before: PastReport | None = Field(default=None, description="The report before it; none where it is the first.")
    kept: int = Field(default=1, description="How many there are now.")


class CheckConfigRequest(_Kept):
    """A repository's own file."""

    content_base64: str = Field(max_length=100_000)


class ConfigChecked(_Kept):
    """What is wrong with it."""

    mistakes: tuple[str, ...] = Field(default=(), description="`LINE: KEY: what`, 50 at most. A stranger's words.")


CHECK_CONFIG: Final = Step(
    name="hitl.check_config",
    request=CheckConfigRequest,
    response=ConfigChecked,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
KEEP_HEALTH: Final = Step(
    name="hitl.keep_health",
    request=HealthReport,
    response=ReportKept,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
