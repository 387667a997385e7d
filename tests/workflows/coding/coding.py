"""Coding jobs on the real server: the goal, its steps and git are real; the model, people's GitHub and programs are
played. What a container does is in `tests/sandbox/tools`.
"""

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

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
from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    ChangedFile,
    ChangesKept,
    CloseSessionRequest,
    Entry,
    FilesListed,
    FilesSearched,
    FileWritten,
    Hit,
    KeepChangesRequest,
    ListFilesRequest,
    OpenSessionRequest,
    ProgramRun,
    ReadTextRequest,
    RunProgramRequest,
    SearchFilesRequest,
    SessionClosed,
    SessionOpened,
    SessionRequest,
    TextRead,
    WriteFileRequest,
)
from activities.sandbox.update_contracts import (
    AUDIT_DEPENDENCIES,
    UPDATE_DEPENDENCIES,
    AuditDependenciesRequest,
    DependenciesAudited,
    DependenciesUpdated,
    UpdateDependenciesRequest,
)
from activities.step import implemented, implements, step_of
from connectors.artifacts import ArtifactStore
from hitl.plan_language.catalogue import Catalogue
from sandbox.tools.rules import SessionRules, ToolRules
from tests.sandbox.updates.registries import HOSTS
from tests.sandbox.updates.working import AFTER, BEFORE, lock
from tests.workflows.agent.looking import Investigator, Say
from workflows.coding.job.coding_job import CodingJobWorkflow
from workflows.coding.job.goals import CodingJobInput, CodingJobResult

REPOSITORY: Final = "acme/shop"
TESTS: Final = ("python3", "-m", "unittest")
TESTED: Final = (
    "from basket import total\n\n\ndef test_it():\n    assert total([1, 2]) == 3\n\n\n"
    "def test_nothing():\n    assert total([]) == 0\n"
)
FILES: Final[Mapping[str, str]] = {
    "README.md": "# Shop\n",
    "src/basket.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_basket.py": TESTED,
    ".github/workflows/ci.yml": "on: push\n",
    "uv.lock": lock(*BEFORE),
}
LOST: Final = "the session is lost: its container ended; open another and begin again"
Runs = Callable[[Path], tuple[int, str]]
"""What a program does in a tree: its exit status, and what it writes."""


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
    return subprocess.run(argv, capture_output=True, check=True).stdout.decode()


def passes(tree: Path) -> tuple[int, str]:
    """Tests that pass."""
    del tree
    return 0, "2 passed\n"


class Coder(Investigator):
    """The models worker's steps, over a model that says what a test wrote."""

    labels: tuple[str, ...] = ()
    use: str = ""

    @implements(FIND_MODELS)
    async def find_models(self, request: FindModelsRequest) -> ModelsFound:
        self.labels, self.use = request.labels, request.use.value
        return self.found


@dataclass
class Session:
    """A tree of git's, and what it may do."""

    tree: Path
    rules: SessionRules


@dataclass
class Sandbox:
    """The sandbox worker's steps over trees of git's on this machine. No program runs: a test says what one does.

    Attributes:
        runs: What every program does.
        loses: How many calls are made before a session is lost; None for never.
        writes: What a program leaves behind in the tree, by path.
        locked: The lock file as its tool writes it.
        updated: What else an update answers.
        audited: What an audit answers.
    """

    folder: Path
    artifacts: ArtifactStore
    runs: Runs = passes
    loses: list[int] = field(default_factory=list[int])
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    opened: list[OpenSessionRequest] = field(default_factory=list[OpenSessionRequest])
    ran: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    locked: str = lock(*AFTER)
    updated: dict[str, Any] = field(default_factory=dict[str, Any])
    audited: DependenciesAudited = field(default_factory=lambda: DependenciesAudited(tool="uv audit"))
    asked: list[UpdateDependenciesRequest] = field(default_factory=list[UpdateDependenciesRequest])

    def __post_init__(self) -> None:
        self.origin = self.folder / "origin"
        for path, text in FILES.items():
            (self.origin / path).parent.mkdir(parents=True, exist_ok=True)
            (self.origin / path).write_text(text)
        git(self.origin, "init", "--quiet", "--initial-branch=main")
        git(self.origin, "add", "--all")
        git(self.origin, "commit", "--quiet", "--message", "The shop")

    @property
    def commit(self) -> str:
        return git(self.origin, "rev-parse", "HEAD").strip()

    @implements(OPEN_SESSION)
    async def open_session(self, request: OpenSessionRequest) -> SessionOpened:
        name = f"s-{len(self.opened) + 1}"
        self.opened.append(request)
        tree = self.folder / name
        git(self.folder, "clone", "--quiet", str(self.origin), str(tree))
        if request.patch is not None:
            patch = self.folder / f"{name}.patch"
            patch.write_bytes(await self.artifacts.get(request.patch))
            git(tree, "apply", str(patch))
        self.sessions[name] = Session(tree, request.rules)
        return SessionOpened(session=name)

    @implements(CLOSE_SESSION)
    async def close_session(self, request: CloseSessionRequest) -> SessionClosed:
        self.sessions.pop(request.session, None)
        return SessionClosed()

    @implements(LIST_FILES)
    async def list_files(self, request: ListFilesRequest) -> FilesListed:
        if (session := self._of(request)) is None:
            return FilesListed(refused=LOST, lost=True)
        found = sorted(one for one in (session.tree / request.path).iterdir() if one.name != ".git")
        kinds = [(one, "folder" if one.is_dir() else "file") for one in found]
        entries = [{"path": str(one.relative_to(session.tree)), "kind": kind} for one, kind in kinds]
        return FilesListed(entries=tuple(Entry.model_validate(one) for one in entries))

    @implements(READ_TEXT)
    async def read_text(self, request: ReadTextRequest) -> TextRead:
        if (session := self._of(request)) is None:
            return TextRead(refused=LOST, lost=True)
        file = session.tree / request.path
        if not file.is_file():
            return TextRead(refused=f"there is no file {request.path!r}")
        return TextRead(text=file.read_text(), lines=1)

    @implements(SEARCH_FILES)
    async def search_files(self, request: SearchFilesRequest) -> FilesSearched:
        if (session := self._of(request)) is None:
            return FilesSearched(refused=LOST, lost=True)
        hits = [
            Hit(path=str(file.relative_to(session.tree)), line=number, text=line)
            for file in sorted(session.tree.rglob("*.*"))
            if file.is_file() and ".git/" not in str(file)
            for number, line in enumerate(file.read_text().splitlines(), 1)
            if request.pattern in line
        ]
        return FilesSearched(hits=tuple(hits))

    @implements(WRITE_FILE)
    async def write_file(self, request: WriteFileRequest) -> FileWritten:
        if (session := self._of(request)) is None:
            return FileWritten(refused=LOST, lost=True)
        if refusal := ToolRules().refusal_to_write(request.path, session.rules):
            return FileWritten(refused=refusal)
        file = session.tree / request.path
        file.parent.mkdir(parents=True, exist_ok=True)
        if request.delete:
            file.unlink()
            return FileWritten(made="deleted")
        text = request.content if request.content is not None else file.read_text()
        for one in request.replace:
            text = text.replace(one.old, one.new)
        file.write_text(text)
        return FileWritten(made="changed", size=len(text))

    @implements(RUN_PROGRAM)
    async def run_program(self, request: RunProgramRequest) -> ProgramRun:
        if (session := self._of(request)) is None:
            return ProgramRun(refused=LOST, lost=True)
        if refusal := ToolRules().refusal_to_run(request.command, session.rules):
            return ProgramRun(refused=refusal)
        self.ran.append(request.command)
        code, wrote = self.runs(session.tree)
        return ProgramRun(exit_code=code, ended="exit", stdout=wrote)

    @implements(UPDATE_DEPENDENCIES)
    async def update_dependencies(self, request: UpdateDependenciesRequest) -> DependenciesUpdated:
        self.asked.append(request)
        if self.updated.get("refused"):
            return DependenciesUpdated.model_validate(self.updated)
        tree, text = self.folder / "update", self.locked.encode()
        git(self.folder, "clone", "--quiet", str(self.origin), str(tree))
        before = (tree / "uv.lock").read_bytes()
        (tree / "uv.lock").write_bytes(text)
        patch = git(tree, "diff", "--binary", "--full-index", "--no-renames", "HEAD").encode()
        shutil.rmtree(tree)
        kept = [await self.artifacts.put(one) for one in (before, text, text, patch, b"packages")]
        file = ChangedFile(path="uv.lock", change="changed", size=len(text), content=kept[1])
        said = {"lock": "uv.lock", "ecosystem": "python", "before": kept[0], "every": kept[2], "hosts": HOSTS}
        said |= {"file": file, "patch": kept[3], "patch_size": len(patch), "libraries": kept[4]} if patch else {}
        return DependenciesUpdated.model_validate({**said, **self.updated})

    @implements(AUDIT_DEPENDENCIES)
    async def audit_dependencies(self, request: AuditDependenciesRequest) -> DependenciesAudited:
        assert (request.lock, request.source.commit) == ("uv.lock", self.commit)
        return self.audited

    @implements(KEEP_CHANGES)
    async def keep_changes(self, request: KeepChangesRequest) -> ChangesKept:
        session = self._of(request)
        if session is None:
            return ChangesKept(refused=LOST, lost=True)
        tree = session.tree
        git(tree, "add", "--all", "--force")
        named = git(tree, "diff", "--cached", "--no-renames", "--name-status", "-z", "HEAD").split("\0")
        wanted, left_out = list[tuple[str, str]](), list[str]()
        for status, path in zip(named[::2], named[1::2], strict=False):
            refusal = ToolRules().refusal_to_write(path, session.rules)
            if refusal is None and (tree / path).is_symlink():
                refusal = f"{path!r} is a link"
            wanted += [] if refusal else [(status, path)]
            left_out += [refusal] if refusal else []
        if not wanted:
            return ChangesKept(left_out=tuple(left_out))
        paths = [path for _, path in wanted]
        patch = git(tree, "diff", "--cached", "--binary", "--full-index", "--no-renames", "HEAD", "--", *paths)
        return ChangesKept(
            files=tuple([await self._changed(tree, status, path) for status, path in wanted]),
            patch=await self.artifacts.put(patch.encode()),
            patch_size=len(patch),
            left_out=tuple(left_out),
        )

    async def _changed(self, tree: Path, status: str, path: str) -> ChangedFile:
        content = None if status == "D" else (tree / path).read_bytes()
        change = {"A": "added", "D": "deleted"}.get(status, "changed")
        kept = None if content is None else await self.artifacts.put(content)
        return ChangedFile.model_validate(
            {"path": path, "change": change, "added": 1, "removed": 0, "size": len(content or b""), "content": kept}
        )

    def _of(self, request: SessionRequest) -> Session | None:
        if self.loses and (self.loses[0] or self.loses.pop(0)) == 0:
            self.sessions.pop(request.session, None)
        elif self.loses:
            self.loses[0] -= 1
        return self.sessions.get(request.session)


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
