"""The step that measures a repository, as goals call it."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.health.figures import Figure
from activities.presets import READ
from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext


class MeasureHealthRequest(BaseModel):
    """Which repository, and at which commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class HealthMeasured(BaseModel):
    """What was measured. Nothing of the repository was run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    figures: tuple[Figure, ...]
    config_base64: str | None = Field(
        default=None, description="The beginning of .banksman/config.yaml, 64 kB and a byte; none where there is none."
    )


MEASURE_HEALTH: Final = Step(
    name="github.measure_health",
    request=MeasureHealthRequest,
    response=HealthMeasured,
    effect=Effect.READ,
    credential=manifest.READ,
    tried=replace(READ, start_to_close=timedelta(minutes=5)),
)
