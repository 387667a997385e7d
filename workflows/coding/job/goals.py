"""What people ask a model to do with code, and what came of it."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from temporalio.common import SearchAttributeKey

from activities.coding.contracts import GateRefusal, PackageMoved
from activities.github.asked_contracts import MOST_COMMENTS
from activities.sandbox.session_contracts import LONGEST_RUN
from activities.sandbox.update_contracts import DependenciesAudited
from hitl.hidden import visible
from hitl.plan_language.labels import POSITION, TRUST
from hitl.protocol import Effect
from sandbox.gate.kinds import Kind
from sandbox.tools.rules import Glob
from workflows.coding.goals import FileChanged, Word
from workflows.contracts import REPOSITORY_ATTRIBUTE, GitRef, GoalInput, GoalResult, RepositoryName
from workflows.goal_type import GoalType
from workflows.kept import KeptPatch

_SHORT: Final = 60
Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
PackageName = Annotated[
    str, StringConstraints(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9][A-Za-z0-9._~-]*)*$", max_length=200)
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=8_000, strip_whitespace=True)]


class CodingJobInput(GoalInput):
    """Have a model change or review code: rules and tests judge its change, and people get a pull request."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    kind: Literal["refactor", "tests", "docs", "quality", "deps", "review"] = Field(
        description="What for; it decides which files may change. `review` changes none, and comments. `deps` asks no "
        "model: the ecosystem's own tool writes the lock file anew."
    )
    text: Words | None = Field(
        default=None,
        description="What is to be done, in a few sentences. Needed where no issue and no pull request is named, "
        "but for `deps`.",
        json_schema_extra={POSITION: "text"},
    )
    issue: int | None = Field(default=None, ge=1, description="The number of the issue that says what is to be done.")
    pull: int | None = Field(
        default=None,
        ge=1,
        description="The number of the pull request: of a review the one that is reviewed; else the change goes into "
        "its branch.",
    )
    revise: bool = Field(
        default=False,
        description="With `pull`, which a job like this opened: take up what people said of it in review, push onto "
        "its own branch, and answer them.",
    )
    head: Sha | None = Field(
        default=None,
        description="The commit that the pull request stood at when it was asked for: where it stands elsewhere by "
        "then, nothing is done.",
    )
    base: GitRef | None = Field(
        default=None, description="The branch to change; the default branch, or the pull request's, when left out."
    )
    write: tuple[Glob, ...] = Field(
        default=(),
        max_length=20,
        description="Which paths may change, as in docs/** or **/*.md; those of the kind when left out. It narrows "
        "them, and opens none.",
    )
    test: tuple[Word, ...] = Field(
        default=(),
        max_length=100,
        description="How its tests are run: program and arguments, as the deployment lists them. Needed for all kinds "
        "but `docs` and `review`.",
    )
    ecosystem: Literal["python", "npm", "pip", "go"] | None = Field(
        default=None,
        description="Of `deps`: whose lock file, where several are there: `uv.lock` (python), `package-lock.json` "
        "(npm), `requirements.txt` with its `.in` (pip), `go.mod` (go).",
    )
    packages: tuple[PackageName, ...] = Field(
        default=(),
        max_length=50,
        description="Of `deps`: the packages that shall move, and what they need; all when left out.",
    )
    test_seconds: int = Field(default=600, ge=1, le=LONGEST_RUN, description="Then the tests are stopped.")
    turns: int = Field(default=40, ge=1, le=100, description="How often the model is asked at most.")
    minutes: int = Field(default=45, ge=1, le=240, description="After this long it has to end with what it has.")
    corrections: int = Field(
        default=2, ge=0, le=5, description="How often what rules or tests refuse is given back to the model."
    )
    comments: int = Field(
        default=10, ge=0, le=MOST_COMMENTS, description="Of a review: how many lines are commented on at most."
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.kind == "deps":
            if self.issue is not None or self.pull is not None:
                raise ValueError("a job of the kind 'deps' takes no 'issue' and no 'pull': name 'packages'")
        elif self.packages or self.ecosystem is not None:
            raise ValueError("'packages' and 'ecosystem' are of the kind 'deps': leave them out")
        elif self.text is None and self.issue is None and self.pull is None:
            raise ValueError("none of 'text', 'issue' and 'pull' is given: say what is to be done")
        if self.issue is not None and self.pull is not None:
            raise ValueError("'issue' and 'pull' are both given: name one, and say the rest in 'text'")
        if self.pull is not None and self.base is not None:
            raise ValueError("'base' is the pull request's own branch: leave it out")
        return self

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "review" and self.pull is None:
            raise ValueError("a review needs 'pull', the number of the pull request that is reviewed")
        if self.kind == "review" and (self.write or self.test):
            raise ValueError("a review writes nothing and runs nothing: leave 'write' and 'test' out")
        if self.kind not in {"docs", "review", "deps"} and not self.test:
            raise ValueError(f"a job of the kind {self.kind!r} needs 'test': how its tests are run")
        if (self.revise or self.head is not None) and (self.pull is None or self.kind == "review"):
            raise ValueError("'revise' and 'head' are of a pull request that is changed: name it in 'pull'")
        return self

    @property
    def of_kind(self) -> Kind:
        """The kind, as the gate knows it."""
        return Kind(self.kind)

    @property
    def place(self) -> str:
        """Where more is said; empty where nowhere."""
        if self.issue is not None:
            return f"issue #{self.issue}"
        return f"pull request #{self.pull}" if self.pull is not None else ""

    def business_key(self) -> str:
        """`coding-job/OWNER/NAME/KIND/` and a digest of the rest, so that the same is asked for once."""
        later = set[str]() if self.revise or self.head is not None else {"revise", "head"}
        updates = set[str]() if self.kind == "deps" else {"ecosystem", "packages"}
        asked = self.model_dump_json(exclude={"repository", "rehearsal"} | later | updates).encode()
        return f"coding-job/{self.repository}/{self.kind}/{hashlib.sha256(asked).hexdigest()[:12]}"

    def branch(self, workflow_id: str) -> str:
        """The branch of the goal of that id, and no other goal's."""
        return f"banksman/{self.kind}-{self.branch_digest(workflow_id)}"

    @staticmethod
    def branch_digest(workflow_id: str) -> str:
        """What the branch of the goal of that id ends with."""
        return hashlib.sha256(workflow_id.encode()).hexdigest()[:12]

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        if self.kind == "deps" and self.text is None:
            return f"Update {', '.join(self.packages)[:_SHORT] or 'all dependencies'} of {self.repository}"
        about = self.place or visible(" ".join((self.text or "").split())[:_SHORT])
        return f"Coding job ({self.kind}) on {self.repository}: {about}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class TestsRun(BaseModel):
    """How the tests went in a container of their own, on the commit with the change or without it."""

    __test__ = False
    model_config = ConfigDict(frozen=True, extra="ignore")

    command: tuple[str, ...]
    changed: bool = Field(description="Whether the change was there.")
    exit_code: int | None = None
    ended: str | None = Field(default=None, description="exit, timeout, out_of_memory or killed.")
    tail: str = Field(default="", description="The end of what they wrote, 4 kB. A stranger's words.")


class CodingJobResult(GoalResult):
    """What the model made, and how it was judged. Nothing is merged: people decide on the pull request."""

    repository: str = Field(description="As it was asked for.")
    kind: str = Field(description="As it was asked for.")
    commit: str | None = Field(
        default=None, description="What was worked on, or reviewed.", json_schema_extra={TRUST: "digest"}
    )
    number: int | None = Field(default=None, description="The pull request that was opened, or reviewed.")
    url: str | None = Field(default=None, description="Its page, or the review's.")
    branch: str | None = Field(default=None, description="The branch that was made for it, or pushed onto.")
    pushed: str | None = Field(
        default=None,
        description="The commit that was put on the pull request's own branch.",
        json_schema_extra={TRUST: "digest"},
    )
    answered: int = Field(default=0, description="Of a review that was taken up: comments that were answered.")
    not_answered: tuple[str, ...] = Field(default=(), description="Why one could not be, each reason once.")
    title: str = Field(default="", description="The model's words.")
    explanation: str = Field(default="", description="The model's words.")
    files: tuple[FileChanged, ...] = Field(default=(), description="What differs from the commit.")
    patch: KeptPatch = Field(default=None, description="Where the artifact store has the change, as git's patch.")
    refusals: tuple[GateRefusal, ...] = Field(default=(), description="What the last change was refused for.")
    tests: tuple[TestsRun, ...] = Field(default=(), description="The last runs of the tests, each in a container.")
    updates: tuple[PackageMoved, ...] = Field(default=(), description="Of `deps`: what moves.")
    beside: tuple[PackageMoved, ...] = Field(
        default=(), description="Of `deps`: what could move as well, and was not asked for."
    )
    hashed: bool = Field(default=True, description="Of `deps`: whether the lock file has digests of what it names.")
    audit: DependenciesAudited | None = Field(default=None, description="Of `deps`: what is known of vulnerabilities.")
    comments: int = Field(default=0, description="Of a review: lines that are commented on.")
    mistakes: tuple[str, ...] = Field(default=(), description="In the model's last answer, where they were not mended.")
    turns: int = Field(default=0, description="How often a model answered.")
    calls: int = Field(default=0, description="Tools that it called.")
    rounds: int = Field(default=0, description="Changes of it that were judged.")
    backend: str | None = Field(default=None, description="Who answered last.")
    model: str | None = None
    prompt: str | None = Field(default=None, description="The digest of what stood above the job.")
    requests: int = Field(default=0, description="How often models were asked.")
    input_tokens: int = Field(default=0, description="As the backends counted.")
    output_tokens: int = Field(default=0, description="As the backends counted.")
    cost_micros: int = Field(default=0, description="Millionths of a US dollar that it has cost at most.")


CODING_JOB: Final = GoalType(
    name="CodingJob",
    input=CodingJobInput,
    result=CodingJobResult,
    effect=Effect.WRITE,
    example=CodingJobInput(
        repository="acme/shop", kind="docs", text="Say in docs/greeting.md how to greet: with the word hello."
    ),
    needs="sandbox",
)
