"""What people ask for who want a feature deployed, what they may say meanwhile, and how it ended."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from temporalio.common import SearchAttributeKey

from hitl.protocol import Effect
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    DestructiveGoalInput,
    GitRef,
    GoalResult,
    GoalStatus,
    RepositoryName,
)
from workflows.goal_type import GoalType
from workflows.kept import Kept
from workflows.repository.goals import Line

Environment = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class DeployNewFeatureInput(DestructiveGoalInput):
    """Deploy a feature as its repository's `banksman.yaml` says: test, plan, one approval, apply, verify, merge."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    branch: GitRef | None = Field(
        default=None, description="The branch to deploy, or else `pull_request`. Its open pull request is merged."
    )
    pull_request: int | None = Field(default=None, ge=1, description="The pull request to deploy and to merge.")
    environments: Annotated[tuple[Environment, ...], Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="Where to, in this order; all of the manifest, in its order, when left out."
    )
    merge_method: Literal["merge", "squash", "rebase"] = Field(
        default="merge", description="How the pull request is merged, once all is healthy."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.branch is None) is (self.pull_request is None):
            msg = "what to deploy is named by 'branch' or by 'pull_request': write one of them, and not both"
            raise ValueError(msg)
        if self.environments is not None and len(set(self.environments)) != len(self.environments):
            msg = f"'environments' names one twice: {', '.join(self.environments)}; write each once"
            raise ValueError(msg)
        return self

    @property
    def what(self) -> str:
        """The branch or the pull request, as people say it."""
        return self.branch if self.branch is not None else f"#{self.pull_request}"

    def business_key(self) -> str:
        """`deploy-new-feature/OWNER/NAME/BRANCH`, or `/#NUMBER`; in an emergency one of its own."""
        kind = "deploy-new-feature-break-glass" if self.break_glass else "deploy-new-feature"
        return f"{kind}/{self.repository}/{self.what}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        to = f" to {', '.join(self.environments)}" if self.environments else ""
        return f"{emergency}Deploy {self.what} of {self.repository}{to}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class RiskClass(StrEnum):
    """How much of a deployment could not be taken back if it turns out to be a mistake."""

    R0 = "R0"
    """Nothing is changed."""
    R1 = "R1"
    """All of it can be taken back."""
    R2 = "R2"
    """Something is deleted or replaced that holds no data, or nothing says how to go back."""
    R3 = "R3"
    """Something is lost that cannot be brought back."""


class Mark(StrEnum):
    """Where one step of a deployment stands."""

    RUNNING = "running"
    WAITING = "waiting"
    """For people."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_DONE = "not_done"
    """It was not begun, or what it was to do is still there."""


class StepTold(BaseModel):
    """One step of a deployment, for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="As in `tests` or `update staging`.")
    mark: Mark
    began: datetime | None = None
    ended: datetime | None = None
    why: str = Field(default="", description="Why it failed, or was skipped.")


class DeployStatus(GoalStatus):
    """The answer to the query `status`: the goal, and every step that was begun or skipped."""

    steps: tuple[StepTold, ...] = ()
    record: tuple[str, ...] = Field(default=(), description="What people told it, in order.")


class EnvironmentTold(BaseModel):
    """What became of one environment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    stack: str
    planned: str = Field(default="", description="What was planned, in one line.")
    applied: str = Field(default="no", description="`no`, `yes`, `partially` or `unknown`.")
    verified: bool | None = Field(default=None, description="None where nothing was looked at.")
    undone: bool = Field(default=False, description="Whether it was taken back.")
    restored: bool | None = Field(
        default=None,
        description="Whether what was there before was seen to serve again; None where nobody looked.",
    )
    state_before: str | None = Field(
        default=None, description="The artifact with the state before it, as `RestoreState` takes it."
    )


class ArtifactTold(BaseModel):
    """A file that a command left. Its name is a stranger's word."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: str = Field(description="Of the manifest: `test` or `build`.")
    path: str = Field(description="Below the work tree.")
    size: int = Field(description="Bytes.")
    reference: Annotated[str, Kept(name="artifact", named_by="path", about="what a command left")] = Field(
        description="Where the artifact store has it."
    )


class NeedTold(BaseModel):
    """What became of one thing that the service needs. What opens it is in Vault alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = Field(description="`neon`, `redis`, `qdrant` or `estuary`.")
    name: str = Field(description="As the manifest names it.")
    how: str = Field(
        description="`there` before, and left alone; `made`; `updated`, a flow that was there; or `given_back`, where "
        "it was made, or updated and is as the base has it."
    )
    secrets: tuple[str, ...] = Field(default=(), description="Where in Vault what opens it is.")
    until: datetime | None = Field(default=None, description="When what was made ends by itself; None for never.")
    lease: str | None = Field(default=None, description="What holds it: `banksman leases extend LEASE`, or `end`.")
    remove: str = Field(default="", description="The command that removes what was made and has no lease.")


class MigrationTold(BaseModel):
    """What became of one database's schema."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database: str = Field(description="The project, and BRANCH/DATABASE.")
    environments: tuple[str, ...] = Field(description="Those that use it; it is migrated before the first's update.")
    planned: str = Field(default="", description="What was planned, in one line.")
    applied: str = Field(default="no", description="`no`, `yes`, `partially` or `unknown`.")
    undone: bool = Field(default=False, description="Whether the schema is as before again.")
    difference: tuple[str, ...] = Field(default=(), description="What goes and comes, as it was on the copy.")
    locks: tuple[str, ...] = Field(default=(), description="Tables that were locked on the copy, and for how long.")
    rehearsed_seconds: float | None = Field(default=None, description="How long it took on the copy.")
    seconds: float | None = Field(default=None, description="How long it took on the database itself.")
    way_back: str | None = Field(default=None, description="The snapshot: a branch that has it as it was before.")
    way_back_until: datetime | None = Field(default=None, description="When that branch is ended.")
    lease: str | None = Field(default=None, description="What ends it sooner: `banksman leases end LEASE`.")
    restore: str = Field(default="", description="The command by which a person has the database as it was before.")


class DeployNewFeatureResult(GoalResult):
    """What became of a feature. `completed` is deployed and verified everywhere."""

    repository: str = Field(description="As it was asked for.")
    what: str = Field(description="The branch, or `#` and the pull request's number.")
    service: str | None = Field(default=None, description="As the manifest calls it.")
    commit: str | None = Field(default=None, description="What was tested, planned and applied.")
    pull_request: int | None = Field(default=None, description="The one that was to be merged.")
    merged: str | None = Field(default=None, description="The commit that it was merged as.")
    risk: RiskClass | None = Field(default=None, description="Of the plan that people were asked about.")
    environments: tuple[EnvironmentTold, ...] = Field(default=(), description="In the order in which they go.")
    needs: tuple[NeedTold, ...] = Field(default=(), description="Databases, caches, clusters and flows that it needs.")
    migrations: tuple[MigrationTold, ...] = Field(default=(), description="In the order in which they go.")
    artifacts: tuple[ArtifactTold, ...] = Field(default=(), description="What tests and build left.")
    mistakes: tuple[str, ...] = Field(default=(), description="What is wrong with the manifest, one a line.")
    commands_left: tuple[str, ...] = Field(default=(), description="What a person runs to take back what is left.")
    steps: tuple[StepTold, ...] = Field(default=(), description="What was done, in order.")
    record: tuple[str, ...] = Field(default=(), description="What people told it, in order.")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    person: Line = Field(description="Who says so, for the record: nothing is decided by it.")
    reason: Line = Field(description="Why, for the record.")


class Pause(_Told):
    """The update `pause`: begin no other step until somebody sends `resume`."""


class Retry(_Told):
    """The update `retry`: try the step again at which the goal is parked."""

    step: Line = Field(description="The step, as `status` names it.")


class Skip(_Told):
    """The update `skip`: leave out a step that keeps nobody safe, `merge` or `comment`."""

    step: Line = Field(description="The step, as `status` names it.")


class Abort(_Told):
    """The update `abort`: stop at the next step, and take back what was done as the manifest says."""


SKIPPABLE: Final = ("merge", "comment")
"""Tests, plans, looks and approvals keep people safe, and an environment that is left out is asked for as that."""

DEPLOY_NEW_FEATURE: Final = GoalType(
    name="DeployNewFeature",
    input=DeployNewFeatureInput,
    result=DeployNewFeatureResult,
    effect=Effect.DESTRUCTIVE,
    example=DeployNewFeatureInput(repository="acme/storefront", branch="feature/basket", environments=("local",)),
    needs="stacks",
    rehearses=frozenset({"github", "pulumi", "neon", "rediscloud", "upstash", "qdrant", "estuary"}),
)
