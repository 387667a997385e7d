"""Comments on GitHub, from the webhook to what is begun: GitHub's answers are played, all that decides is real."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.github.changed_contracts import MATCH_CHANGED_FILES, ChangedFilesMatched, MatchChangedFilesRequest
from activities.github.contracts import READ_FILE, FileRead, ReadFileRequest
from activities.github.name_contracts import FIND_REPOSITORIES, FindRepositoriesRequest, RepositoriesFound
from activities.github.people_contracts import FIND_PERMISSION, FindPermissionRequest, PermissionSeen
from activities.github.showing_contracts import ADD_REACTION, AddReactionRequest, ReactionAdded
from activities.queues import TaskQueue
from activities.step import implements
from hitl.policy.path_patterns import touches
from tests.hitl.gateway.delivering import Hook, new_guid, port_of
from tests.hitl.gateway.running import Place, eventually
from tests.hitl.github.payloads import comment_payload
from tests.workflows.approval.approving import POLICY
from tests.workflows.github.at_github import GitHub
from workers.gateway import Gateway
from workflows.github.contracts import DeliveryResult
from workflows.github.deciding_contracts import CONFIG
from workflows.implementations import WORKFLOWS

READ: Final = '/banksman run ReadFile {"repository":"acme/shop","path":"README.md"}'
GITHUB_POLICY: Final = (  # All tests are in one hour of one person: only those of the rates keep to any.
    POLICY
    + """\
github:
  accounts: {alice: 5}
  approvals: true
  rates: {person: 1000, installation: 1000}
  triggers:
    - events: [comment, button]
      commands: [run, ask, approve, reject, cancel, retry, status]
      repositories: [acme/shop]
      permission: write
      goals: [ReadFile]
    - events: [pull_request]
      repositories: [acme/shop]
      permission: write
      goals: [ReadFile]
"""
)

INSTALLATION: Final = 3
"""By which every payload comes, and every file is read."""
WRITER: Final = PermissionSeen(repository="acme/shop", login="alice", id=5, permission="write", role="write")


@dataclass
class Answers(GitHub):
    """What GitHub says of people, and what it is told.

    Attributes:
        seen: The permission of whoever is asked for.
        config: The repository's file; None where it has none.
        changes: The files of every pull request.
        installed: The repositories that the App is installed on.
    """

    seen: PermissionSeen = WRITER
    config: str | None = None
    asked: list[FindPermissionRequest] = field(default_factory=list[FindPermissionRequest])
    reactions: list[str] = field(default_factory=list[str])
    changes: tuple[str, ...] = ()
    installed: tuple[str, ...] = ()
    matched: list[MatchChangedFilesRequest] = field(default_factory=list[MatchChangedFilesRequest])

    @implements(FIND_PERMISSION)
    async def find_permission(self, request: FindPermissionRequest) -> PermissionSeen:
        self.asked.append(request)
        return self.seen

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        if request.path != CONFIG:
            return await super().read_file(request)
        if self.config is None:
            raise ApplicationError("no such file", type="NotFound", non_retryable=True)
        content = self.config
        found = FileRead(commit="c" * 40, blob="b" * 40, size=len(content), encoding="utf-8", content=content)
        return found.model_copy(update={"installation": INSTALLATION})

    @implements(MATCH_CHANGED_FILES)
    async def match_changed_files(self, request: MatchChangedFilesRequest) -> ChangedFilesMatched:
        self.matched.append(request)
        fitting = tuple(touches(self.changes, one) for one in request.filters)
        return ChangedFilesMatched(fitting=fitting, files=len(self.changes))

    @implements(FIND_REPOSITORIES)
    async def find_repositories(self, request: FindRepositoriesRequest) -> RepositoriesFound:
        return RepositoriesFound(repositories=self.installed[: request.most])

    @implements(ADD_REACTION)
    async def react(self, request: AddReactionRequest) -> ReactionAdded:
        self.reactions.append(request.reaction)
        return ReactionAdded(id=1)


@dataclass(frozen=True)
class Commanding:
    """A gateway that takes webhooks, all workers, and GitHub."""

    gateway: Gateway
    hook: Hook
    github: Answers

    async def say(self, body: str = READ, *, sender: dict[str, Any] | None = None, **changes: Any) -> DeliveryResult:
        """A comment, worked off."""
        payload = comment_payload(body=body)
        if sender is not None:
            payload["sender"] = payload["comment"]["user"] = sender
        payload |= changes
        return await self.deliver("issue_comment", payload)

    async def deliver(self, event: str, payload: dict[str, Any], *, guid: str | None = None) -> DeliveryResult:
        """Anything that GitHub sends, worked off."""
        guid = guid or new_guid()
        answer = await self.hook.send(event, payload, guid=guid)
        assert answer.status_code == 202, answer.text
        return await self.hook.workflow(guid).result()


@contextlib.asynccontextmanager
async def commanding(
    here: Place, *, policy: str = GITHUB_POLICY, goals: bool = True, **said: Any
) -> AsyncGenerator[Commanding]:
    """All of it, under this policy; without a worker for goals where a test has its own."""
    here.house.path.write_text(policy)
    github = Answers(client=here.client, **said)
    github.reads_on.set()
    ours = [github.put_check, github.put_comment, github.put_label, github.look, github.read_file]
    ours += [github.find_permission, github.react, github.match_changed_files, github.find_repositories]
    async with (
        Worker(here.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS) if goals else contextlib.nullcontext(),
        Worker(here.client, task_queue=TaskQueue.CONNECTORS, activities=ours),
        here.gateway(github_listen="127.0.0.1:0") as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_of(gateway)}", timeout=20) as hands,
    ):
        await eventually(lambda: _answers(hands))
        try:
            yield Commanding(gateway, Hook(hands, here.client), github)
        finally:
            github.reads_on.set()  # a step that still reads would keep its worker from ending
        for kind in ("GitHubJob", "GitHubDelivery"):
            async for one in here.client.list_workflows(f"WorkflowType = '{kind}' AND ExecutionStatus = 'Running'"):
                await here.client.get_workflow_handle(one.id, run_id=one.run_id).terminate()


async def _answers(hands: httpx.AsyncClient) -> bool:
    try:
        return (await hands.get("/github/webhooks")).status_code == 405
    except httpx.TransportError:
        return False
