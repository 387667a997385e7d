"""Steps on branches: looking at one, on the connectors worker; and its deletion, on the destructive one, by a grant."""

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from activities.current_attempt import Use, current_attempt
from activities.effects import step
from activities.github import GitHub, session_for_step
from activities.granted import GrantedRequest
from activities.secrets import StepTokens
from activities.step_end import ApprovedAnswer
from activities.withheld import DestructiveSecrets, Withheld
from connectors.errors import NotFound
from hitl.plan import PlanParameters, read_plan
from hitl.protocol import Effect, PolicyContext

_MOST_LISTED: Final = 100
_READ, _READS_WITH = "github-read", "github/app"
_DELETE, _DELETES_WITH = "github-delete-branch", "github/destructive-app"


class LookAtBranchRequest(BaseModel):
    """Which branch to look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    branch: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class LostCommit(BaseModel):
    """A commit that goes with the branch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha: str
    subject: str = Field(description="Of its message: a stranger's words.")


class BranchSeen(BaseModel):
    """A branch, and what only it holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    head: str | None = Field(description="The commit that it stands at; None where there is no such branch.")
    lost: int = Field(default=0, description="How many commits no other branch and no tag holds.")
    commits: tuple[LostCommit, ...] = Field(default=(), description="The newest of them, 100 at most.")
    default: bool = Field(default=False, description="Whether it is the default branch, which GitHub keeps.")


class DeleteBranchParameters(PlanParameters):
    """What people approve."""

    repository: str
    branch: str
    expected_head: str


class BranchDeleted(ApprovedAnswer):
    """What was done."""

    head: str = Field(description="Where it stood.")


class BranchActivities:
    """Reading; for the connectors worker."""

    def __init__(self, github: GitHub, vault: StepTokens) -> None:
        self._github = github
        self._vault = vault

    @step(name="github.look_at_branch", effect=Effect.READ)
    async def look_at_branch(self, request: LookAtBranchRequest) -> BranchSeen:
        """Where a branch stands and what would be lost with it.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        session = session_for_step(
            self._github,
            self._vault,
            action=_READ,
            secret=_READS_WITH,
            repository=request.repository,
            permissions={"contents": "read"},
        )
        async with session as repository:
            try:
                found = await repository.branch_loss(request.branch)
            except NotFound:
                return BranchSeen(head=None)
        listed = tuple(LostCommit(sha=one.sha, subject=one.subject[:200]) for one in found.commits[:_MOST_LISTED])
        return BranchSeen(head=found.head, lost=len(found.commits), commits=listed, default=found.default)


class BranchRemoval(Protocol):
    """One repository, with a token that may delete and lives as long as the session."""

    async def delete_branch(self, branch: str, *, expected_head: str) -> bool:
        """Delete a branch that stands at this commit; whether it was there."""
        ...


class GitHubToDestroy(Protocol):
    """Opens sessions in which each effect comes after a last look; the token is revoked when the session ends."""

    def session(self, app: Withheld, *, repository: str) -> AbstractAsyncContextManager[BranchRemoval]:
        """A session on one repository."""
        ...


class BranchDestruction:
    """Deleting; for the destructive worker. Its App's key is out of every other process's reach."""

    def __init__(self, github: GitHubToDestroy, secrets: DestructiveSecrets) -> None:
        self._github = github
        self._secrets = secrets

    @step(name="github.delete_branch", effect=Effect.DESTRUCTIVE)
    async def delete_branch(self, request: GrantedRequest) -> BranchDeleted:
        """Delete the branch at the commit that was approved, and at no other.

        Idempotent by compare-and-swap: an attempt after a lost answer finds it gone, and is done.

        Raises:
            ConnectorError: As the tree says; `Conflict` when somebody pushed, and the branch is kept.
        """
        wanted = read_plan(request.plan).parameters_as(DeleteBranchParameters)
        app = await self._secrets.read(_DELETE, _DELETES_WITH)
        async with self._github.session(app, repository=wanted.repository) as repository:
            there = await repository.delete_branch(wanted.branch, expected_head=wanted.expected_head)
            if not there and current_attempt().use is Use.FIRST:
                raise NotFound(f"{wanted.repository!r} has no branch {wanted.branch!r} any more: somebody deleted it")
        return BranchDeleted(head=wanted.expected_head)
