"""The steps that read what people asked for on GitHub, and the one that says something of a pull request.

Titles, words and diffs are a stranger's. Whatever is made of them is made by whoever asks.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.github.contracts import ThingMade, WriteRequest
from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext

MOST_WORDS: Final = 16_000
"""Characters of an issue's or a pull request's own words."""
MOST_DIFF: Final = 256 * 1024
"""Bytes of a diff that are kept."""
MOST_COMMENTS: Final = 30
"""Lines that one review speaks of."""


class LookAtRepositoryRequest(BaseModel):
    """Which repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class RepositorySeen(BaseModel):
    """What decides on who may be told of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    default_branch: str
    private: bool = Field(description="Whether its text is for those alone who may read it.")
    archived: bool = Field(default=False, description="Whether nobody can write to it.")
    fork: bool = False


class ReadNumberedRequest(LookAtRepositoryRequest):
    """Which issue or pull request."""

    number: int


class IssueRead(BaseModel):
    """An issue. Title and words are a stranger's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    url: str
    state: str = Field(description="As GitHub says it: `open` or `closed`.")
    title: str
    words: str = Field(default="", description="The beginning of it.")
    cut: bool = False
    author: str = ""
    pull: bool = Field(default=False, description="Whether it is a pull request.")


class PullRead(BaseModel):
    """A pull request with its words, and what it changes. All of it is a stranger's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    title: str
    words: str = Field(default="", description="The beginning of it.")
    cut: bool = False
    author: str = ""
    head: str = Field(description="The commit that it stands at.")
    head_branch: str
    base: str = Field(description="The branch that it goes into.")
    fork: bool = Field(default=False, description="Whether it comes from another repository, or from one that is gone.")
    files: int = Field(default=0, description="How many it changes, of the first 300.")
    diff: str = Field(description="The artifact: what it changes, as JSON, file by file.")
    left_out: int = Field(default=0, description="Files whose lines are not in it: no texts, or too much.")


class DiffOfFile(BaseModel):
    """One file in the artifact of a diff."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    status: str
    patch: str | None = None


class Diff(BaseModel):
    """The artifact of a diff."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    head: str
    files: tuple[DiffOfFile, ...] = ()


class ReviewLine(BaseModel):
    """What is said of lines of a file, as it is at the commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    line: int = Field(ge=1, description="The last of them; it is in the diff.")
    first: int | None = Field(default=None, ge=1, description="The first of them, where there are several.")
    body: str = Field(max_length=10_000, description="Markdown.")


class ReviewPullRequestRequest(WriteRequest):
    """What to say of a pull request. It is a comment: there is no word here that approves or refuses one."""

    number: int
    commit: str = Field(description="What was looked at.")
    body: str = Field(max_length=60_000, description="Markdown.")
    comments: tuple[ReviewLine, ...] = Field(default=(), max_length=MOST_COMMENTS)

    def recognised_by(self) -> tuple[str, ...]:
        """Of what at which commit: what it says is a model's."""
        return (f"review of #{self.number}", f"commit {self.commit}")


LOOK_AT_REPOSITORY: Final = Step(
    name="github.look_at_repository",
    request=LookAtRepositoryRequest,
    response=RepositorySeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
READ_ISSUE: Final = Step(
    name="github.read_issue",
    request=ReadNumberedRequest,
    response=IssueRead,
    effect=Effect.READ,
    credential=manifest.READ,
)
READ_PULL: Final = Step(
    name="github.read_pull",
    request=ReadNumberedRequest,
    response=PullRead,
    effect=Effect.READ,
    credential=manifest.READ,
)
REVIEW_PULL_REQUEST: Final = Step(
    name="github.review_pull_request",
    request=ReviewPullRequestRequest,
    response=ThingMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
