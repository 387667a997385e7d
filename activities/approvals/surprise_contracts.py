"""The steps of a goal that is about to do what its rehearsal did not: it is counted, and people allow it."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from hitl.approval.plan import PlanParameters
from hitl.approval.rehearsal import Digest, RehearsedEffect
from hitl.protocol import Effect, PolicyContext

MOST_AT_ONCE: Final = 20


class ReportSurprise(BaseModel):
    """What the goal would do, and by which rehearsal it was not expected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rehearsal: str = Field(description="The rehearsal's digest.")
    effects: Annotated[tuple[RehearsedEffect, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]

    def policy_context(self) -> PolicyContext:
        """What the policy may match, and the audit log shows: the first of them."""
        return PolicyContext(resource=self.effects[0].words())


class SurpriseReported(BaseModel):
    """That it was counted."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class AllowSurpriseParameters(PlanParameters):
    """What people approve."""

    resource: str = Field(description="The effect, in words; rules can match it.")
    rehearsal: Digest


class SurpriseAllowed(ApprovedAnswer):
    """The guard has seen the grant."""


REPORT_SURPRISE: Final = Step(
    name="approval.report_surprise",
    request=ReportSurprise,
    response=SurpriseReported,
    effect=Effect.READ,
)
ALLOW_SURPRISE: Final = Step(
    name="approval.allow_surprise",
    request=GrantedRequest,
    response=SurpriseAllowed,
    effect=Effect.DESTRUCTIVE,
)
"""Does nothing by itself: it runs on people's grant alone, so that nobody but the guard says whether there is one."""
