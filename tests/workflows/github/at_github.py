"""A job on the real dev server: GitHub is played and notes what it is told, and the gateway's step is the real one."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import Worker

from activities.github.contracts import (
    LOOK_AT_PULL_REQUEST,
    READ_FILE,
    FileRead,
    LookAtPullRequestRequest,
    PullRequestLook,
    PullRequestSeen,
    ReadFileRequest,
)
from activities.github.showing_contracts import (
    PUT_CHECK,
    PUT_COMMENT,
    PUT_LABEL,
    CheckPut,
    CommentPut,
    LabelPut,
    PutCheckRequest,
    PutCommentRequest,
    PutLabelRequest,
)
from activities.queues import TaskQueue
from activities.step import implements
from hitl.gateway.following import FollowingSteps
from hitl.gateway.server import Server
from workflows.contracts import REQUESTER_ATTRIBUTE
from workflows.github.following_contracts import FOLLOW_GOAL, FollowGoalRequest, GoalFollowed
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput, GitHubJobResult
from workflows.implementations import WORKFLOWS

HEAD: Final = "a" * 40
CONTENT: Final = FileRead(commit="c" * 40, blob="b" * 40, size=4, encoding="utf-8", content="one\n")
PULL: Final = PullRequestSeen(
    number=7,
    url="https://github.com/acme/shop/pull/7",
    state="open",
    title="T",
    author="alice",
    draft=False,
    head=HEAD,
    head_branch="feature",
    base="main",
    base_commit="c" * 40,
)


@dataclass
class GitHub:
    """What is told to GitHub, and what it says. The read of the goal waits where a test says so."""

    client: Client
    pull: PullRequestSeen | None = PULL
    read: FileRead | Exception = CONTENT
    fails: dict[str, list[Exception]] = field(default_factory=dict[str, list[Exception]])
    checks: list[PutCheckRequest] = field(default_factory=list[PutCheckRequest])
    comments: list[str] = field(default_factory=list[str])
    labels: list[str | None] = field(default_factory=list[str | None])
    reads_on: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    follows: list[GoalFollowed] = field(default_factory=list[GoalFollowed])
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    @implements(PUT_CHECK)
    async def put_check(self, request: PutCheckRequest) -> CheckPut:
        self._fail(PUT_CHECK.name)
        self.checks.append(request)
        async with self.told:
            self.told.notify_all()
        return CheckPut(check=11)

    @implements(PUT_COMMENT)
    async def put_comment(self, request: PutCommentRequest) -> CommentPut:
        self._fail(PUT_COMMENT.name)
        self.comments.append(request.text)
        return CommentPut(comment=22)

    @implements(PUT_LABEL)
    async def put_label(self, request: PutLabelRequest) -> LabelPut:
        self._fail(PUT_LABEL.name)
        self.labels.append(request.label)
        return LabelPut(number=request.number)

    @implements(LOOK_AT_PULL_REQUEST)
    async def look(self, request: LookAtPullRequestRequest) -> PullRequestLook:
        del request
        return PullRequestLook(found=self.pull)

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        del request
        self.reading.set()
        await self.reads_on.wait()
        if isinstance(self.read, Exception):
            raise self.read
        return self.read

    @implements(FOLLOW_GOAL)
    async def follow_goal(self, request: FollowGoalRequest) -> GoalFollowed:
        if self.follows:
            return self.follows.pop(0)
        return await FollowingSteps(Server(self.client, cluster="c"), first=0.02).follow_goal(request)

    def _fail(self, name: str) -> None:
        if some := self.fails.get(name):
            raise some.pop(0) if len(some) > 1 else some[0]

    async def until_checked(self, status: str, conclusion: str | None = None) -> PutCheckRequest:
        """The check run as it was told first with this status and conclusion."""
        async with self.told:
            await self.told.wait_for(lambda: any(_is(one, status, conclusion) for one in self.checks))
        return next(one for one in self.checks if _is(one, status, conclusion))

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """All workers of a job."""
        ours = [self.put_check, self.put_comment, self.put_label, self.look, self.read_file]
        async with (
            Worker(self.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
            Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=ours),
            Worker(self.client, task_queue=TaskQueue.FOLLOWS, activities=[self.follow_goal]),
        ):
            yield

    async def start(self, **changes: Any) -> WorkflowHandle[Any, GitHubJobResult]:
        """A job."""
        asked = GitHubJobInput.model_validate(
            {
                "repository": "acme/shop",
                "goal": "ReadFile",
                "inputs": {"repository": "acme/shop", "path": "README.md"},
                "delivery": secrets.token_hex(8),
                "number": 7,
                "commit": HEAD,
                "console": "https://console.example.com",
                **changes,
            }
        )
        return await self.client.start_workflow(
            GITHUB_JOB.name,
            asked,
            id=asked.business_key(),
            task_queue=TaskQueue.GOALS,
            result_type=GitHubJobResult,
            search_attributes=TypedSearchAttributes([SearchAttributePair(REQUESTER_ATTRIBUTE, "github:alice")]),
        )


def _is(one: PutCheckRequest, status: str, conclusion: str | None) -> bool:
    return (one.status, one.conclusion) == (status, conclusion)
