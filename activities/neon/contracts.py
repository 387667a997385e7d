"""Steps on Neon, as goals ask for them. A password is in none of them: what opens a branch goes to Vault."""

import shlex
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from activities.copies.contracts import CopyProjectRequest, copy_step
from activities.guard.granted import GrantedRequest
from activities.leases.contracts import LeasedPage, LeaseStanding, ListLeased
from activities.leases.kinds import LeaseKind
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.neon import manifest
from hitl.approval.plan import PlanParameters
from hitl.protocol import Effect, PolicyContext

LONGEST_BRANCH: Final = timedelta(days=30)


class NeonRequest(BaseModel):
    """What every one of these steps is told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    project: str = Field(description="Its id.")
    branch: str = Field(description="Its name, or its id.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(account=self.project, resource=self.branch or None)


class LookAtNeonBranch(NeonRequest):
    """Which branch to look at."""

    branch: str = Field(default="", description="Its name, or its id; the default branch when left out.")


class NeonBranchSeen(BaseModel):
    """A branch, and what depends on it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = Field(description="None where there is no such branch.")
    name: str = ""
    project_name: str = ""
    parent: str | None = Field(default=None, description="The name of its parent; None for a root.")
    children: tuple[str, ...] = Field(default=(), description="The names of its children.")
    default: bool = False
    protected: bool = False
    size: int | None = Field(default=None, description="Bytes of its data.")
    created_at: datetime | None = None
    expires_at: datetime | None = Field(default=None, description="When Neon deletes it by itself.")
    mark: str = Field(default="", description="Of the goal that made it; empty where none of ours did.")


class CreateNeonBranchRequest(NeonRequest):
    """Which branch is to be; `branch` is its name."""

    parent: str | None = Field(default=None, description="Name or id of its parent; None for the default branch.")
    expires_at: datetime = Field(description="When Neon deletes it by itself.")
    max_cu: float | None = Field(default=None, description="The most of its compute; None as the project says.")
    part: str = Field(
        default="", pattern=r"^[a-z0-9-]{0,20}$", description="Which one, where a goal makes several branches."
    )
    known_as: str = Field(default="", description="Its name without what the run drew for it.")

    def made_by_the_run(self) -> frozenset[str]:
        """Its name, where a part of it is drawn."""
        return frozenset({"resource"}) if self.known_as else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """What people know it as."""
        return (f"branch {self.known_as}",) if self.known_as else ()


class NeonBranchCreated(BaseModel):
    """A branch that can be used."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    parent_id: str | None = None
    endpoint: str = Field(description="The id of its compute.")
    expires_at: datetime | None = None
    adopted: bool = Field(default=False, description="Whether it was there already, made by this goal.")


class KeepConnectionRequest(NeonRequest):
    """Whose connection to keep; `branch` is its id."""

    database: str | None = Field(default=None, description="None for its first one.")
    name: str = Field(default="", description="The branch's name, where this goal has made it.")

    def made_by_the_run(self) -> frozenset[str]:
        """Its branch's id, where its name is told."""
        return frozenset({"resource"}) if self.name else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """Whose it is."""
        return (f"branch {self.name}",) if self.name else ()


class ConnectionKept(BaseModel):
    """How one connects, without the password."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    port: int
    database: str
    role: str
    secret: str = Field(description="Where in Vault the whole is: its field `uri`.")


class ForgetConnectionRequest(NeonRequest):
    """Whose connection to remove; `branch` is its id."""

    branch: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="Its id.")
    mark: str = Field(default="", pattern=r"^[a-z0-9-]{0,60}$", description="Of the goal that made it.")


class ConnectionForgotten(BaseModel):
    """What was removed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    secret: str = Field(description="Where in Vault nothing is any more.")


class LeasedBranch(BaseModel):
    """What names a branch that a goal made: its project, and the mark that it carries there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    project: str = Field(pattern=r"^[a-z0-9-]{1,60}$", description="Its id.")
    mark: str = Field(pattern=r"^banksman-[0-9a-f]{16}$")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(account=self.project, resource=self.mark)


class ProlongBranch(LeasedBranch):
    """How long it is to live."""

    until: AwareDatetime


class BranchProlonged(BaseModel):
    """How long it lives."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    until: AwareDatetime


class BranchEnded(BaseModel):
    """What was deleted."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ids: tuple[str, ...] = Field(default=(), description="By these ids it can be had back for a week.")


class DeleteNeonBranchParameters(PlanParameters):
    """What people approve."""

    account: str = Field(description="The project's id.")
    branch: str = Field(description="The branch's id.")
    name: str = Field(description="What it was called then.")


class NeonBranchDeleted(ApprovedAnswer):
    """What was done."""

    id: str


LOOK_AT_BRANCH: Final = Step(
    name="neon.look_at_branch",
    request=LookAtNeonBranch,
    response=NeonBranchSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
COPY_STATE: Final = copy_step(manifest.NEON.name, manifest.READ, CopyProjectRequest)
CREATE_BRANCH: Final = Step(
    name="neon.create_branch",
    request=CreateNeonBranchRequest,
    response=NeonBranchCreated,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
KEEP_CONNECTION: Final = Step(
    name="neon.keep_connection",
    request=KeepConnectionRequest,
    response=ConnectionKept,
    effect=Effect.WRITE,
    credential=manifest.KEEP,
)
FORGET_CONNECTION: Final = Step(
    name="neon.forget_connection",
    request=ForgetConnectionRequest,
    response=ConnectionForgotten,
    effect=Effect.WRITE,
    credential=manifest.KEEP,
)
DELETE_BRANCH: Final = Step(
    name="neon.delete_branch",
    request=GrantedRequest,
    response=NeonBranchDeleted,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.DELETE_BRANCH,
)
FIND_BRANCHES: Final = Step(
    name="neon.find_branches", request=ListLeased, response=LeasedPage, effect=Effect.READ, credential=manifest.READ
)
CHECK_BRANCH: Final = Step(
    name="neon.check_branch", request=LeasedBranch, response=LeaseStanding, effect=Effect.READ, credential=manifest.READ
)
PROLONG_BRANCH: Final = Step(
    name="neon.prolong_branch",
    request=ProlongBranch,
    response=BranchProlonged,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
END_BRANCH: Final = Step(
    name="neon.end_branch", request=LeasedBranch, response=BranchEnded, effect=Effect.WRITE, credential=manifest.END
)

NEON_BRANCH: Final = LeaseKind(
    name="neon-branch",
    title="database branch",
    place=LeasedBranch,
    find=FIND_BRANCHES,
    check=CHECK_BRANCH,
    end=END_BRANCH,
    extend=PROLONG_BRANCH,
    by_hand=lambda place: (
        f"neonctl branches list --project-id {shlex.quote(place.project)}  # and delete the one marked {place.mark}"
    ),
    longest=LONGEST_BRANCH,
)
