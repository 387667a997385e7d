"""Workflows on the real dev server, with steps of the same names that the tests script."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from activities.approvals.contracts import ResolvedRule, ResolveRule
from activities.approvals.surprise_contracts import ReportSurprise, SurpriseReported
from activities.github.contracts import (
    BranchSeen,
    CommitFilesRequest,
    FetchRepositoryRequest,
    FileRead,
    FilesCommitted,
    LookAtBranchRequest,
    LostCommit,
    OpenPullRequestRequest,
    PullRequestOpened,
    ReadFileRequest,
    RepositoryFetched,
)
from activities.queues import TaskQueue
from activities.sandbox.contracts import CommandRun, RunCommandRequest
from workflows.implementations import WORKFLOWS

T = TypeVar("T")
FETCHED = RepositoryFetched(commit="c" * 40, pack=f"sha256:{'a' * 64}", size=1000)
SEEN = BranchSeen(head="d" * 40, lost=1, commits=(LostCommit(sha="e" * 40, subject="An idea"),))
COMMITTED = FilesCommitted(commit="f" * 40, base="main")
OPENED = PullRequestOpened(number=7, url="https://github.example/acme/shop/pull/7", state="open")
RAN = CommandRun(exit_code=0, ended="exit", oom_seen=False, stdout="ok\n", stderr="", truncated=False, seconds=0.5)
CONTENT = FileRead(commit="c" * 40, blob="b" * 40, size=5, encoding="utf-8", content="hello")


@dataclass
class Steps:
    """The scripted steps; each call takes the next answer, and the last one stays.

    Attributes:
        answers: Of `github.read_file`.
        fetched: Of `github.fetch_repository`.
        ran: Of `sandbox.run_command`.
        seen: Of `github.look_at_branch`.
        rules: Of `approval.resolve_rule`.
        committed: Of `github.commit_files`.
        opened: Of `github.open_pull_request`.
    """

    answers: list[FileRead | Exception] = field(default_factory=lambda: [CONTENT])
    calls: list[ReadFileRequest] = field(default_factory=list[ReadFileRequest])
    fetched: list[RepositoryFetched | Exception] = field(default_factory=lambda: [FETCHED])
    ran: list[CommandRun | Exception] = field(default_factory=lambda: [RAN])
    seen: list[BranchSeen | Exception] = field(default_factory=lambda: [SEEN])
    rules: list[ResolvedRule | Exception] = field(default_factory=list[ResolvedRule | Exception])
    committed: list[FilesCommitted | Exception] = field(default_factory=lambda: [COMMITTED])
    commits: list[CommitFilesRequest] = field(default_factory=list[CommitFilesRequest])
    opened: list[PullRequestOpened | Exception] = field(default_factory=lambda: [OPENED])
    pulls: list[OpenPullRequestRequest] = field(default_factory=list[OpenPullRequestRequest])
    surprises: list[ReportSurprise] = field(default_factory=list[ReportSurprise])
    commands: list[RunCommandRequest] = field(default_factory=list[RunCommandRequest])

    @activity.defn(name="github.read_file")
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        self.calls.append(request)
        return next_answer(self.answers)

    @activity.defn(name="github.fetch_repository")
    async def fetch_repository(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        return next_answer(self.fetched)

    @activity.defn(name="sandbox.run_command")
    async def run_command(self, request: RunCommandRequest) -> CommandRun:
        self.commands.append(request)
        return next_answer(self.ran)

    @activity.defn(name="github.look_at_branch")
    async def look_at_branch(self, request: LookAtBranchRequest) -> BranchSeen:
        return next_answer(self.seen)

    @activity.defn(name="github.commit_files")
    async def commit_files(self, request: CommitFilesRequest) -> FilesCommitted:
        self.commits.append(request)
        return next_answer(self.committed)

    @activity.defn(name="github.open_pull_request")
    async def open_pull_request(self, request: OpenPullRequestRequest) -> PullRequestOpened:
        self.pulls.append(request)
        return next_answer(self.opened)

    @activity.defn(name="approval.resolve_rule")
    async def resolve_rule(self, request: ResolveRule) -> ResolvedRule:
        return next_answer(self.rules)

    @activity.defn(name="approval.report_surprise")
    async def report_surprise(self, request: ReportSurprise) -> SurpriseReported:
        self.surprises.append(request)
        return SurpriseReported()


def next_answer(answers: list[T | Exception]) -> T:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer.with_traceback(None)  # or the traces of all calls grow with their number
    return answer


@contextlib.asynccontextmanager
async def workers(
    client: Client, steps: Steps, *, also: Sequence[type] = (), interceptors: Sequence[Interceptor] = ()
) -> AsyncGenerator[None]:
    """A worker on each of the real queues, with the workflow sandbox of production.

    Args:
        client: Of the dev server.
        steps: What the steps answer.
        also: Workflows that are no release's.
        interceptors: Of the goals worker.
    """
    goals = Worker(
        client,
        task_queue=TaskQueue.GOALS,
        workflows=[*WORKFLOWS, *also],
        interceptors=interceptors,
    )
    read = [steps.read_file, steps.fetch_repository, steps.look_at_branch, steps.resolve_rule, steps.report_surprise]
    written = [steps.commit_files, steps.open_pull_request]
    connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=[*read, *written])
    sandbox = Worker(client, task_queue=TaskQueue.SANDBOX, activities=[steps.run_command])
    async with goals, connectors, sandbox:
        yield
