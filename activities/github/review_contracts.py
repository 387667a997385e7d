"""The steps by which a review is taken up: what people said, a commit on the pull request's own branch, an answer.

What people said on lines is a stranger's, whoever wrote it.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.github.asked_contracts import ReadNumberedRequest
from activities.github.contracts import FileToCommit, ThingMade, WriteRequest
from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect

OWN_BRANCHES: Final = "banksman/"
"""What the branches begin with that steps make, and the only ones that a commit is added to."""
MOST_THREADS: Final = 30
MOST_SAID: Final = 16_000
"""Characters of all that people said."""


class ReadReviewCommentsRequest(ReadNumberedRequest):
    """Of which pull request, as it stands at which commit."""

    head: str


class WordsRead(BaseModel):
    """What somebody said."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    author: str
    words: str


class ThreadRead(BaseModel):
    """What was said on a line, and in reply to that."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int = Field(description="Of the first comment: where it is answered.")
    path: str
    line: int | None = Field(default=None, description="None where the line is gone.")
    said: tuple[WordsRead, ...]


class ReviewCommentsRead(BaseModel):
    """What waits for an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    threads: tuple[ThreadRead, ...] = Field(default=(), description="Those whose last word is not ours.")
    reviews: tuple[WordsRead, ...] = Field(default=(), description="What was said of that commit as a whole.")
    left_out: int = Field(default=0, description="Threads beyond those that are told.")


class AnswerReviewCommentRequest(WriteRequest):
    """Which comment to answer."""

    number: int
    comment: int = Field(description="The first of its thread.")
    text: str = Field(max_length=10_000, description="Markdown.")

    def recognised_by(self) -> tuple[str, ...]:
        """Where it is said: what it says is a model's."""
        return (f"answer to comment {self.comment} on #{self.number}",)


class AddCommitRequest(WriteRequest):
    """One commit more on the branch of an open pull request, which has to be one that a step made."""

    number: int
    branch: str
    onto: str = Field(description="The commit that the branch has to stand at.")
    files: tuple[FileToCommit, ...]
    message: str

    def recognised_by(self) -> tuple[str, ...]:
        """The branch, and each file with what it becomes."""
        return (f"branch {self.branch}", *(one.recognised_as() for one in self.files))


class CommitAdded(BaseModel):
    """The commit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str


READ_REVIEW_COMMENTS: Final = Step(
    name="github.read_review_comments",
    request=ReadReviewCommentsRequest,
    response=ReviewCommentsRead,
    effect=Effect.READ,
    credential=manifest.READ,
)
ANSWER_REVIEW_COMMENT: Final = Step(
    name="github.answer_review_comment",
    request=AnswerReviewCommentRequest,
    response=ThingMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
ADD_COMMIT: Final = Step(
    name="github.add_commit",
    request=AddCommitRequest,
    response=CommitAdded,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
