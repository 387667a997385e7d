"""What GitHub and the gateway say of deliveries whose histories are recorded."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.github.changed_contracts import MATCH_CHANGED_FILES, ChangedFilesMatched, MatchChangedFilesRequest
from activities.github.contracts import (
    LOOK_AT_PULL_REQUEST,
    READ_FILE,
    FileRead,
    LookAtPullRequestRequest,
    PullRequestLook,
    ReadFileRequest,
)
from activities.github.people_contracts import FIND_PERMISSION, FindPermissionRequest, PermissionSeen
from activities.github.showing_contracts import (
    ADD_REACTION,
    PUT_CHECK,
    PUT_COMMENT,
    AddReactionRequest,
    CheckPut,
    CommentPut,
    PutCheckRequest,
    PutCommentRequest,
    ReactionAdded,
)
from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from activities.step import implements
from workflows.github.deciding_contracts import DECIDE_DELIVERY, DecideDelivery, DeliveryDecided
from workflows.implementations import WORKFLOWS


@dataclass
class Decided:
    """The steps of a delivery; each decision is the next one, and the last one stays."""

    decisions: list[DeliveryDecided] = field(default_factory=list[DeliveryDecided])

    @implements(DECIDE_DELIVERY)
    async def decide(self, request: DecideDelivery) -> DeliveryDecided:
        del request
        return self.decisions.pop(0) if len(self.decisions) > 1 else self.decisions[0]

    @implements(FIND_PERMISSION)
    async def find_permission(self, request: FindPermissionRequest) -> PermissionSeen:
        return PermissionSeen(repository=request.repository, login=request.login, id=5, permission="write")

    @implements(LOOK_AT_PULL_REQUEST)
    async def look(self, request: LookAtPullRequestRequest) -> PullRequestLook:
        del request
        return PullRequestLook(found=None)

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        raise ApplicationError(f"no {request.path}", type=ErrorType.NOT_FOUND.value, non_retryable=True)

    @implements(MATCH_CHANGED_FILES)
    async def match(self, request: MatchChangedFilesRequest) -> ChangedFilesMatched:
        return ChangedFilesMatched(fitting=(False,) * len(request.filters), files=1)

    @implements(ADD_REACTION)
    async def react(self, request: AddReactionRequest) -> ReactionAdded:
        del request
        return ReactionAdded(id=1)

    @implements(PUT_CHECK)
    async def put_check(self, request: PutCheckRequest) -> CheckPut:
        on_lines = [(one.start_line, one.title) for one in request.annotations]
        assert on_lines == ([(2, "commands[0]")] if request.name == "banksman: configuration" else [])
        return CheckPut(check=1)

    @implements(PUT_COMMENT)
    async def put_comment(self, request: PutCommentRequest) -> CommentPut:
        if "archived" in request.text:
            raise ApplicationError("it is archived", type=ErrorType.INVALID_REQUEST.value, non_retryable=True)
        return CommentPut(comment=1)


@contextlib.asynccontextmanager
async def at_work(client: Client, decided: Decided) -> AsyncGenerator[None]:
    """Its workers."""
    asked = [decided.find_permission, decided.look, decided.read_file, decided.match]
    told = [decided.react, decided.put_check, decided.put_comment]
    async with (
        Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
        Worker(client, task_queue=TaskQueue.CONNECTORS, activities=[*asked, *told]),
        Worker(client, task_queue=TaskQueue.HITL, activities=[decided.decide]),
    ):
        yield
