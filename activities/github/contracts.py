"""The steps on GitHub as goals call them: what each is asked, what it answers, what it may do."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.github import manifest
from hitl.approval.plan import PlanParameters
from hitl.protocol import Effect, PolicyContext


class ReadFileRequest(BaseModel):
    """Which file to read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    path: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class FetchRepositoryRequest(BaseModel):
    """Which commit to fetch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class RepositoryFetched(BaseModel):
    """A commit in the artifact store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    pack: str = Field(description="The artifact: a pack of git's.")
    size: int = Field(description="Bytes of the pack.")


class FileRead(BaseModel):
    """A file, inline up to 256 kB, else by reference."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    blob: str
    size: int = Field(description="Bytes.")
    encoding: Literal["utf-8", "base64"] | None = None
    content: str | None = None
    artifact: str | None = None


class LookAtBranchRequest(BaseModel):
    """Which branch to look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    branch: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository).model_copy(update={"resource": self.branch})


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


class WriteRequest(BaseModel):
    """What every one of these steps is told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class FileToCommit(BaseModel):
    """What one path shall be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    content_base64: str | None = Field(description="All of it; None to delete the file.")
    executable: bool = False


class CommitFilesRequest(WriteRequest):
    """One commit on a new branch."""

    branch: str
    files: tuple[FileToCommit, ...]
    base: str | None = Field(default=None, description="What it is made on top of; the default branch when None.")
    message: str


class FilesCommitted(BaseModel):
    """The commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    base: str = Field(description="The branch that it is made on top of.")


class OpenPullRequestRequest(WriteRequest):
    """Which pull request to open. There is one at most from one branch to another."""

    head: str
    base: str
    title: str
    body: str = ""


class PullRequestOpened(BaseModel):
    """The pull request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    url: str
    state: str


class CommentRequest(WriteRequest):
    """What to say on a pull request."""

    number: int
    text: str


class LabelRequest(WriteRequest):
    """Which labels to put on a pull request."""

    number: int
    labels: tuple[str, ...]


class CheckRunRequest(WriteRequest):
    """What to report on a commit."""

    commit: str
    name: str
    conclusion: Literal["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"]
    title: str
    summary: str


class ThingMade(BaseModel):
    """A comment or a check run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    url: str | None = None


class Labelled(BaseModel):
    """That the labels are there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int


READ_FILE: Final = Step(
    name="github.read_file",
    request=ReadFileRequest,
    response=FileRead,
    effect=Effect.READ,
    credential=manifest.READ,
)
FETCH_REPOSITORY: Final = Step(
    name="github.fetch_repository",
    request=FetchRepositoryRequest,
    response=RepositoryFetched,
    effect=Effect.READ,
    credential=manifest.READ,
)
LOOK_AT_BRANCH: Final = Step(
    name="github.look_at_branch",
    request=LookAtBranchRequest,
    response=BranchSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
DELETE_BRANCH: Final = Step(
    name="github.delete_branch",
    request=GrantedRequest,
    response=BranchDeleted,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.DELETE_BRANCH,
)
COMMIT_FILES: Final = Step(
    name="github.commit_files",
    request=CommitFilesRequest,
    response=FilesCommitted,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
OPEN_PULL_REQUEST: Final = Step(
    name="github.open_pull_request",
    request=OpenPullRequestRequest,
    response=PullRequestOpened,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
COMMENT: Final = Step(
    name="github.comment",
    request=CommentRequest,
    response=ThingMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
LABEL: Final = Step(
    name="github.label",
    request=LabelRequest,
    response=Labelled,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
CHECK_RUN: Final = Step(
    name="github.check_run",
    request=CheckRunRequest,
    response=ThingMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
