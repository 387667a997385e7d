"""What a repository may ask of the deployment's policy, in the policy's own words: more caution, and nothing else.

There is no word for allowing. What comes of it: `hitl.policy.tighten`.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from hitl.approval.approvers import StepUps
from hitl.policy.raw import ENVIRONMENT, Action, Duration, Name, Raw, RawBudget, RawLimits, RawWhere
from hitl.protocol import Phase

_MOST: Final = 50

EnvironmentName = Annotated[str, StringConstraints(pattern=ENVIRONMENT)]
_Environments = Annotated[list[EnvironmentName], Field(min_length=1, max_length=_MOST)]


class DenyRule(Raw):
    """What is not to be done for this service, whatever the deployment allows."""

    deny: Action = Field(
        description="A step's name as in pulumi.destroy_stack, pulumi.* for a system, or *.",
        examples=["pulumi.destroy_stack", "neon.*"],
    )
    where: RawWhere = Field(default=RawWhere(), description="Only where what the step says of itself matches.")
    because: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="The reason, for people.", examples=["frozen until the audit is over"]
    )
    environments: _Environments | None = Field(
        default=None, description="Only in these; in all when left out.", examples=[["production"]]
    )


class StricterApproval(Raw):
    """What approving takes besides what the deployment asks."""

    action: Action = Field(
        description="A step's name as in pulumi.update_stack, pulumi.* for a system, or *.",
        examples=["pulumi.update_stack"],
    )
    environments: _Environments | None = Field(
        default=None, description="Only in these; in all when left out.", examples=[["production"]]
    )
    quorum: int | None = Field(default=None, ge=1, le=20, description="At least so many people.", examples=[2])
    groups: Annotated[list[Name], Field(min_length=1, max_length=_MOST)] | None = Field(
        default=None,
        description="Of the groups that the deployment asks, only these count; one it does not ask is not added.",
        examples=[["platform"]],
    )
    also: Annotated[list[Name], Field(min_length=1, max_length=_MOST)] | None = Field(
        default=None,
        description="Somebody of each of these must be among those who approve; nobody may decide by this alone.",
        examples=[["security"]],
    )
    approve_within: Duration | None = Field(default=None, description="At most so long for deciding.", examples=["4h"])
    execute_within: Duration | None = Field(
        default=None, description="At most so long for carrying it out then.", examples=["30m"]
    )
    cost_limits: RawLimits | None = Field(default=None, description="US dollars at most.", examples=[{"month": 50}])
    unverified_requester: Literal["one_more", "deny"] | None = Field(
        default=None, description="When nobody can say who asked: `one_more` person, or `deny`.", examples=["deny"]
    )
    step_up: Annotated[StepUps, Field(strict=False)] | None = Field(
        default=None, description="`webauthn`: who approves confirms with a security key.", examples=["webauthn"]
    )
    escalate: Literal[False] | None = Field(
        default=None, description="`false`: nobody is asked in the place of those who did not answer.", examples=[False]
    )
    break_glass: Literal[False] | None = Field(
        default=None, description="`false`: there is no emergency path.", examples=[False]
    )

    @model_validator(mode="after")
    def _asks_something(self) -> "StricterApproval":
        if not self.model_dump(exclude_none=True, exclude={"action", "environments"}):
            text = "asks nothing more than the deployment does; write what is to be stricter, as in `quorum: 2`"
            raise PydanticCustomError("nothing", text)
        return self


class Tightening(Raw):
    """How the deployment's policy is tightened for this service. Nothing here loosens it."""

    environments: _Environments | None = Field(
        default=None, description="Nothing is done for this service in any other.", examples=[["staging", "production"]]
    )
    phase: Annotated[Phase, Field(strict=False)] | None = Field(
        default=None,
        description="How far the agent is trusted at most: `read_only`, `non_critical_writes` or `production`.",
        examples=["non_critical_writes"],
    )
    actions: Annotated[list[DenyRule], Field(max_length=_MOST)] = Field(
        default=[], description="What is not to be done."
    )
    approvals: Annotated[list[StricterApproval], Field(max_length=_MOST)] = Field(
        default=[], description="What approving takes besides; once for each action."
    )
    budget: RawBudget | None = Field(
        default=None, description="Whole US dollars that steps cost at most.", examples=[{"day": 20, "goal": 5}]
    )
