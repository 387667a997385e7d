"""The steps on GitHub as goals call them: what each is asked, what it answers, what it may do."""

import hashlib
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
    inline: int = Field(default=256 * 1024, ge=0, le=256 * 1024, description="Bytes here; more is an artifact.")

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


class CopyRepositoryRequest(BaseModel):
    """Which repository to copy, whole, for a rehearsal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class RepositoryCopied(BaseModel):
    """A repository in the artifact store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    described: str = Field(description="The artifact: branches, tags and open pull requests, as JSON.")
    pack: str = Field(description="The artifact: a pack of git's with all objects.")
    size: int = Field(description="Bytes of the pack.")
    branches: int
    pull_requests: int
    default_branch: str
    head: str = Field(description="Where the default branch stands.")


class FileRead(BaseModel):
    """A file, inline up to 256 kB, else by reference."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    blob: str
    size: int = Field(description="Bytes.")
    encoding: Literal["utf-8", "base64"] | None = None
    content: str | None = None
    artifact: str | None = None
    installation: int | None = Field(default=None, description="Of the App, by which it was read.")


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


class LookAtPullRequestRequest(BaseModel):
    """Which pull request to look at: by its number, or the open one of a branch. One of both, and no more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    number: int | None = None
    branch: str | None = Field(default=None, description="The branch that it comes from, of the same repository.")
    base: str | None = Field(
        default=None, description="With a branch: the one that it goes into, where there are many."
    )

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class ReviewSeen(BaseModel):
    """The last word of one person. GitHub counts those of people who may write."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    person: str
    verdict: Literal["approved", "changes_requested", "dismissed"]
    commit: str | None = Field(default=None, description="What they looked at.")


class CheckSeen(BaseModel):
    """A check run on the head."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    conclusion: str | None = Field(description="As GitHub says it, as in `success`; None while it runs.")


class PullRequestSeen(BaseModel):
    """A pull request. Title and names are a stranger's words."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    title: str
    author: str
    draft: bool
    head: str = Field(description="The commit that it stands at.")
    head_branch: str
    base: str = Field(description="The branch that it goes into.")
    base_commit: str = Field(description="Where that branch stands.")
    changed_files: int | None = Field(default=None, description="How many files it changes.")
    fork: bool = Field(default=False, description="Whether it comes from another repository, or from one that is gone.")
    mergeable: bool | None = Field(
        default=None, description="Whether git can merge it; None until GitHub has worked it out: look again."
    )
    mergeable_state: str = Field(
        default="unknown",
        description="As GitHub says it: `clean`, `unstable` (a check fails, none that is required), `blocked` (a "
        "review or a required check is missing), `behind`, `dirty` (conflicts), `draft`, `unknown`.",
    )
    reviews: tuple[ReviewSeen, ...] = Field(default=(), description="Of each person the last; 100 at most.")
    checks: tuple[CheckSeen, ...] = Field(default=(), description="Of each name the last; 100 at most.")
    merge_commit: str | None = Field(default=None, description="What it was merged as; None where it was not.")
    merged_by: str | None = None


class PullRequestLook(BaseModel):
    """What a look found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    found: PullRequestSeen | None = Field(description="None where no such pull request is there, or none is open.")


class MergePullRequestParameters(PlanParameters):
    """What people approve."""

    repository: str
    number: int
    expected_head: str = Field(description="The commit that it stands at: no other is merged.")
    branch: str = Field(description="The branch that it is merged into: this is what changes.")
    method: Literal["merge", "squash", "rebase"]


class PullRequestMerged(ApprovedAnswer):
    """What was done."""

    commit: str = Field(description="Where the branch came to stand by it.")
    merged_by: str | None = Field(default=None, description="As GitHub says.")
    before: bool = Field(
        default=False, description="Somebody else had merged it at the approved head before this step could."
    )


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
    content_base64: str | None = Field(description="All of it; None to delete the file, or to take `content`.")
    executable: bool = False
    content: str | None = Field(
        default=None, description="Where the artifact store has all of it, where `content_base64` is None."
    )

    def recognised_as(self) -> str:
        """Its path, and a digest of its content."""
        if self.content_base64 is None and self.content is not None:
            return f"{'executable' if self.executable else 'file'} {self.path} {self.content[7:19]}"
        if self.content_base64 is None:
            return f"delete {self.path}"
        mode = "executable" if self.executable else "file"
        return f"{mode} {self.path} {hashlib.sha256(self.content_base64.encode()).hexdigest()[:12]}"


class CommitFilesRequest(WriteRequest):
    """One commit on a new branch."""

    branch: str
    files: tuple[FileToCommit, ...]
    base: str | None = Field(default=None, description="What it is made on top of; the default branch when None.")
    message: str
    onto: str | None = Field(default=None, description="The commit that the files were changed at; else its branch's.")

    def recognised_by(self) -> tuple[str, ...]:
        """The branch, and each file with what it becomes: where it is made on top of is the branch's own past."""
        return (f"branch {self.branch}", *(one.recognised_as() for one in self.files))


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

    def recognised_by(self) -> tuple[str, ...]:
        """From where to where: its number is made by the run."""
        return (f"pull request {self.head} into {self.base}", f"title {self.title}")


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

    def recognised_by(self) -> tuple[str, ...]:
        """Where it is said: what it says may hold times."""
        return (f"comment on #{self.number}",)


class LabelRequest(WriteRequest):
    """Which labels to put on a pull request."""

    number: int
    labels: tuple[str, ...]

    def recognised_by(self) -> tuple[str, ...]:
        """Which labels, on what."""
        return (f"labels on #{self.number}", *sorted(self.labels))


class CheckRunRequest(WriteRequest):
    """What to report on a commit."""

    commit: str
    name: str
    conclusion: (
        Literal["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"] | None
    ) = Field(description="None while it is in progress; the next one of the same name takes its place.")
    title: str
    summary: str

    def recognised_by(self) -> tuple[str, ...]:
        """Which check of which commit: it is reported many times, and each takes the place of the one before."""
        return (f"check {self.name}", f"commit {self.commit}")


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
COPY_REPOSITORY: Final = Step(
    name="github.copy_repository",
    request=CopyRepositoryRequest,
    response=RepositoryCopied,
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
LOOK_AT_PULL_REQUEST: Final = Step(
    name="github.look_at_pull_request",
    request=LookAtPullRequestRequest,
    response=PullRequestLook,
    effect=Effect.READ,
    credential=manifest.READ,
)
MERGE_PULL_REQUEST: Final = Step(
    name="github.merge_pull_request",
    request=GrantedRequest,
    response=PullRequestMerged,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.MERGE_PULL_REQUEST,
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
