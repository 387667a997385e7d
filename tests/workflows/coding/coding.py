"""Coding jobs on the real server: the goal, its steps and git are real; the model, people's GitHub and programs are
played. What a container does is in `tests/sandbox/tools`.
"""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.agent.investigating import Investigating
from activities.coding.updates import UpdateGate
from activities.coding.working import CodingActivities
from activities.github.asked_contracts import (
    LOOK_AT_REPOSITORY,
    READ_ISSUE,
    READ_PULL,
    REVIEW_PULL_REQUEST,
    Diff,
    DiffOfFile,
    IssueRead,
    LookAtRepositoryRequest,
    PullRead,
    ReadNumberedRequest,
    RepositorySeen,
    ReviewPullRequestRequest,
)
from activities.github.contracts import (
    COMMENT,
    COMMIT_FILES,
    FETCH_REPOSITORY,
    OPEN_PULL_REQUEST,
    CommentRequest,
    CommitFilesRequest,
    FetchRepositoryRequest,
    FilesCommitted,
    OpenPullRequestRequest,
    PullRequestOpened,
    RepositoryFetched,
    ThingMade,
)
from activities.github.review_contracts import (
    ADD_COMMIT,
    ANSWER_REVIEW_COMMENT,
    READ_REVIEW_COMMENTS,
    AddCommitRequest,
    AnswerReviewCommentRequest,
    CommitAdded,
    ReadReviewCommentsRequest,
    ReviewCommentsRead,
)
from activities.guard.error_types import ErrorType, application_error
from activities.models.contracts import FIND_MODELS, FindModelsRequest, ModelsFound
from activities.queues import TaskQueue
from activities.step import implemented, implements, step_of
from connectors.artifacts import ArtifactStore
from hitl.plan_language.catalogue import Catalogue
from tests.workflows.agent.looking import Investigator, Say
from tests.workflows.coding.trees import REPOSITORY, Sandbox
from workflows.coding.job.coding_job import CodingJobWorkflow
from workflows.coding.job.goals import CodingJobInput, CodingJobResult


class Coder(Investigator):
    """The models worker's steps, over a model that says what a test wrote."""

    labels: tuple[str, ...] = ()
    use: str = ""

    @implements(FIND_MODELS)
    async def find_models(self, request: FindModelsRequest) -> ModelsFound:
        self.labels, self.use = request.labels, request.use.value
        return self.found


@dataclass
class GitHub:
    """What there is on GitHub, and what was written there."""

    artifacts: ArtifactStore
    sandbox: Sandbox
    private: bool = False
    archived: bool = False
    issue: str = "Please say how to greet."
    pull: dict[str, Any] = field(default_factory=dict[str, Any])
    denied: bool = False
    commits: list[CommitFilesRequest] = field(default_factory=list[CommitFilesRequest])
    pulls: list[OpenPullRequestRequest] = field(default_factory=list[OpenPullRequestRequest])
    reviews: list[ReviewPullRequestRequest] = field(default_factory=list[ReviewPullRequestRequest])
    said: ReviewCommentsRead = field(default_factory=ReviewCommentsRead)
    moved: bool = False
    added: list[AddCommitRequest] = field(default_factory=list[AddCommitRequest])
    answers: list[AnswerReviewCommentRequest] = field(default_factory=list[AnswerReviewCommentRequest])
    comments: list[CommentRequest] = field(default_factory=list[CommentRequest])
    gone: frozenset[int] = frozenset()

    @implements(LOOK_AT_REPOSITORY)
    async def look_at_repository(self, request: LookAtRepositoryRequest) -> RepositorySeen:
        return RepositorySeen(default_branch="main", private=self.private, archived=self.archived)

    @implements(READ_ISSUE)
    async def read_issue(self, request: ReadNumberedRequest) -> IssueRead:
        return IssueRead(number=request.number, url="", state="open", title="Greeting", words=self.issue)

    @implements(READ_PULL)
    async def read_pull(self, request: ReadNumberedRequest) -> PullRead:
        patch = "@@ -1,2 +1,2 @@\n def total(prices):\n-    return sum(prices)\n+    return sum(p for p in prices)"
        diff = Diff(head="d" * 40, files=(DiffOfFile(path="src/basket.py", status="modified", patch=patch),))
        told = {"state": "open", "title": "A cart", "head": "d" * 40, "head_branch": "cart", "base": "main"}
        kept = await self.artifacts.put(diff.model_dump_json().encode())
        return PullRead.model_validate({"number": request.number, "url": "", **told, "diff": kept, **self.pull})

    @implements(FETCH_REPOSITORY)
    async def fetch_repository(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        return RepositoryFetched(commit=self.sandbox.commit, pack=f"sha256:{'2' * 64}", size=500)

    @implements(COMMIT_FILES)
    async def commit_files(self, request: CommitFilesRequest) -> FilesCommitted:
        if self.denied:
            raise application_error(ErrorType.POLICY_DENIED, "nothing is to be written to acme/shop")
        self.commits.append(request)
        return FilesCommitted(commit="e" * 40, base=request.base or "main")

    @implements(OPEN_PULL_REQUEST)
    async def open_pull_request(self, request: OpenPullRequestRequest) -> PullRequestOpened:
        self.pulls.append(request)
        return PullRequestOpened(number=17, url="https://github.example/acme/shop/pull/17", state="open")

    @implements(REVIEW_PULL_REQUEST)
    async def review_pull_request(self, request: ReviewPullRequestRequest) -> ThingMade:
        self.reviews.append(request)
        return ThingMade(id=1, url="https://github.example/acme/shop/pull/3#pullrequestreview-1")

    @implements(READ_REVIEW_COMMENTS)
    async def read_review_comments(self, request: ReadReviewCommentsRequest) -> ReviewCommentsRead:
        return self.said

    @implements(ADD_COMMIT)
    async def add_commit(self, request: AddCommitRequest) -> CommitAdded:
        if self.moved:
            raise application_error(ErrorType.CONFLICT, "the branch moved, and nothing was put on it")
        self.added.append(request)
        return CommitAdded(commit="f" * 40)

    @implements(ANSWER_REVIEW_COMMENT)
    async def answer_review_comment(self, request: AnswerReviewCommentRequest) -> ThingMade:
        if request.comment in self.gone:
            raise application_error(ErrorType.NOT_FOUND, f"there is no comment {request.comment}")
        self.answers.append(request)
        return ThingMade(id=2, url=None)

    @implements(COMMENT)
    async def comment(self, request: CommentRequest) -> ThingMade:
        self.comments.append(request)
        return ThingMade(id=3, url=None)


class CodingHouse:
    """The workers of a job."""

    def __init__(self, client: Client, folder: Path, say: Say) -> None:
        self.client = client
        self.artifacts = ArtifactStore(str(folder / "artifacts"))
        (folder / "sandbox").mkdir()
        self.model = Coder(self.artifacts, say)
        self.sandbox = Sandbox(folder / "sandbox", self.artifacts)
        self.github = GitHub(self.artifacts, self.sandbox)
        self.fails_first = False
        """Whether every step fails once, as one whose worker was killed; and whether the goals worker keeps nothing in
        memory, so that each of its tasks is as after a kill."""

    @contextlib.asynccontextmanager
    async def workers(self) -> AsyncGenerator[None]:
        looking = Investigating(_none, self.artifacts, logs=False, metrics=False, sandbox=_there)
        by_queue: dict[TaskQueue, list[Callable[..., Any]]] = {
            TaskQueue.CONNECTORS: [
                looking.keep_results, *implemented(CodingActivities(self.artifacts)),
                *implemented(UpdateGate(self.artifacts)), *implemented(self.github),
            ],
            TaskQueue.SANDBOX: [*implemented(self.sandbox)],
            TaskQueue.MODELS: [self.model.find_models, self.model.request],
        }  # fmt: skip
        async with contextlib.AsyncExitStack() as running:
            goals = Worker(
                self.client,
                task_queue=TaskQueue.GOALS,
                workflows=[CodingJobWorkflow],
                max_cached_workflows=0 if self.fails_first else 10,
            )
            await running.enter_async_context(goals)
            for queue, steps in by_queue.items():
                made = [self._failing_first(one) for one in steps] if self.fails_first else steps
                await running.enter_async_context(Worker(self.client, task_queue=queue, activities=made))
            yield

    def _failing_first(self, method: Callable[..., Any]) -> Callable[..., Any]:
        step = step_of(method)
        assert step is not None

        killed: list[str] = []

        async def tried(request: Any) -> Any:
            if not killed:
                killed.append(step.name)
                raise application_error(ErrorType.UNAVAILABLE, "its worker was killed")
            return await method(request)

        tried.__annotations__ = {"request": step.request, "return": step.response}
        return activity.defn(name=step.name)(tried)

    async def start(self, *, name: str = "", **asked: Any) -> WorkflowHandle[Any, CodingJobResult]:
        given = {"repository": REPOSITORY, "kind": "docs", **asked}
        given |= (
            {}
            if given.keys() & {"text", "issue", "pull"} or given["kind"] == "deps"
            else {"text": "Say in docs/greeting.md how to greet."}
        )
        return await self.client.start_workflow(
            "CodingJob",
            CodingJobInput.model_validate(given),
            id=name or f"coding-job-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=CodingJobResult,
            execution_timeout=timedelta(minutes=2),
        )

    @property
    def untouched(self) -> bool:
        """Whether nothing was written, and no session is left."""
        there = self.github
        said = there.pulls or there.reviews or there.answers or there.comments
        return not (there.commits or there.added or said or self.sandbox.sessions)


async def _there() -> bool:
    return True


def _none() -> Catalogue:
    raise AssertionError("a coding job needs no goal")


async def done(house: CodingHouse, **asked: Any) -> CodingJobResult:
    """Start a job, and wait for what comes of it."""
    async with house.workers():
        return await (await house.start(**asked)).result()


def change(title: str = "Say how to greet", **more: Any) -> dict[str, Any]:
    """A model's answer."""
    said = {"title": title, "explanation": "It says hello.", "fails_without": False, "nothing": ""}
    return {**said, **more}
