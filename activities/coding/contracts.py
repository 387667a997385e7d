"""The steps around a model that changes code, as the goal `CodingJob` calls them.

What was asked in an issue, the files, the tools' answers and every word of the model are a stranger's. They lie in the
artifact store; a history has references, and what people are shown in the end.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.agent.planning_contracts import Reference
from activities.github.asked_contracts import MOST_COMMENTS, ReviewLine
from activities.github.contracts import FileToCommit
from activities.github.review_contracts import ThreadRead, WordsRead
from activities.sandbox.session_contracts import ChangedFile
from activities.sandbox.update_contracts import SumsUpdated
from activities.step import Step
from hitl.protocol import Effect, PolicyContext
from sandbox.gate.judged import MOST_TOLD
from sandbox.gate.kinds import Kind

MOST_EXPLANATION: Final = 4_000
"""Characters of a model's own words that people are shown."""
MOST_TITLE: Final = 100
MOST_MOVED: Final = 300
"""Packages that one pull request tells of."""
MOST_SAID: Final = 2_000
"""Characters of one comment on lines."""


class OfJob(BaseModel):
    """What every one of these steps is told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    kind: Kind

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository).model_copy(update={"purpose": self.kind.value})


class BriefCoderRequest(OfJob):
    """What is to be done."""

    asked: str = Field(description="In the words of whoever started the job.")
    place: str = Field(default="", description="The issue or pull request that holds more, as in `issue #12`.")
    title: str = Field(default="", description="Of that: a stranger's words.")
    words: str = Field(default="", description="Of that: a stranger's words.")
    diff: Reference | None = Field(default=None, description="What is to be reviewed.")
    write: tuple[str, ...] = Field(default=(), description="The paths that may change; the kind's own when empty.")
    test: tuple[str, ...] = Field(default=(), description="How the tests are run.")
    most_comments: int = Field(default=MOST_COMMENTS, ge=0, le=MOST_COMMENTS)
    revises: bool = Field(default=False, description="Whether it takes up a review of a change made before.")
    threads: tuple[ThreadRead, ...] = Field(default=(), description="What was said on lines: a stranger's words.")
    reviews: tuple[WordsRead, ...] = Field(default=(), description="Of the whole: a stranger's words.")


class CoderBriefed(BaseModel):
    """What a model is told first, as artifacts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instructions: Reference = Field(description="Rules. The reference is their digest.")
    told: Reference = Field(description="What is to be done.")
    size: int = Field(description="Bytes of both.")


class ReadChangeRequest(OfJob):
    """What a model answered that changed files."""

    answer: Reference
    threads: tuple[int, ...] = Field(default=(), description="What it was to answer besides, by number.")


class ThreadAnswer(BaseModel):
    """What a model answers to what was said on a line."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    comment: int
    says: str


class ChangeRead(BaseModel):
    """What its answer says. Every word is the model's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = ""
    explanation: str = ""
    fails_without: bool = Field(default=False, description="Whether it says that the tests fail without the change.")
    nothing: str = Field(default="", description="Why nothing is to be changed.")
    answers: tuple[ThreadAnswer, ...] = Field(default=(), description="To what was said on lines, one to each at most.")
    mistakes: tuple[str, ...] = Field(default=(), description="What a model is told to mend.")


class ReadReviewRequest(OfJob):
    """What a model answered that reviewed."""

    answer: Reference
    diff: Reference
    most: int = Field(default=MOST_COMMENTS, ge=0, le=MOST_COMMENTS)


class ReviewRead(BaseModel):
    """What its answer says, as it may be shown. Every word is the model's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    summary: str = ""
    comments: tuple[ReviewLine, ...] = Field(default=(), description="Of lines that are in the diff.")
    mistakes: tuple[str, ...] = Field(default=(), description="What a model is told to mend, or what is left out.")


class JudgeChangeRequest(OfJob):
    """A change as a session kept it."""

    write: tuple[str, ...] = ()
    files: tuple[ChangedFile, ...]
    patch: Reference
    patch_size: int


class GateRefusal(BaseModel):
    """Why a change does not pass. It quotes nothing of the change but names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: str = Field(description="Which: `paths`, `size`, `files`, `secrets`, `code`, `tests`.")
    at: str = Field(default="", description="The file, with its line where there is one.")
    says: str = Field(description="What is wrong, and what may be done.")

    def line(self) -> str:
        """For people and models."""
        return f"{self.at}: {self.says}" if self.at else self.says


class ChangeJudged(BaseModel):
    """What the gate says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refusals: tuple[GateRefusal, ...] = Field(default=(), max_length=MOST_TOLD)


class LoadChangeRequest(OfJob):
    """A change that passed."""

    files: tuple[ChangedFile, ...]


class ChangeLoaded(BaseModel):
    """What each file shall be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    files: tuple[FileToCommit, ...]


class JudgeUpdateRequest(OfJob):
    """A lock file as a tool wrote it anew."""

    lock: str = Field(description="Its path.")
    write: tuple[str, ...] = ()
    before: Reference
    every: Reference = Field(description="What it would be with all that can move.")
    file: ChangedFile
    sums: SumsUpdated | None = Field(default=None, description="The file of digests beside it.")
    patch: Reference
    patch_size: int
    hosts: tuple[str, ...] = Field(description="Of the registries that are configured.")
    links: dict[str, str] = Field(default_factory=dict[str, str], description="By package. Strangers' words.")


class PackageMoved(BaseModel):
    """What becomes of one package. Names and versions are strangers' words, as they may be shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    before: str = Field(default="", description="Its version; empty where it is new.")
    after: str = Field(default="", description="Its version; empty where it is gone.")
    like: str = Field(default="", description="A name that was there before, and that a new one could be taken for.")
    link: str = Field(default="", description="Where the package says that its changes are told.")


class UpdateJudged(ChangeJudged):
    """What the gate says of a lock file, and what it changes."""

    moved: tuple[PackageMoved, ...] = Field(default=(), description="What the lock file changes.")
    beside: tuple[PackageMoved, ...] = Field(default=(), description="What could move as well, and was not asked for.")
    hashed: bool = Field(default=True, description="Whether it has digests of what it names, before and after.")


BRIEF_CODER: Final = Step(
    name="coding.brief_coder", request=BriefCoderRequest, response=CoderBriefed, effect=Effect.READ
)
READ_CHANGE: Final = Step(name="coding.read_change", request=ReadChangeRequest, response=ChangeRead, effect=Effect.READ)
READ_REVIEW: Final = Step(name="coding.read_review", request=ReadReviewRequest, response=ReviewRead, effect=Effect.READ)
JUDGE_CHANGE: Final = Step(
    name="coding.judge_change", request=JudgeChangeRequest, response=ChangeJudged, effect=Effect.READ
)
LOAD_CHANGE: Final = Step(
    name="coding.load_change", request=LoadChangeRequest, response=ChangeLoaded, effect=Effect.READ
)
JUDGE_UPDATE: Final = Step(
    name="coding.judge_update", request=JudgeUpdateRequest, response=UpdateJudged, effect=Effect.READ
)
