"""What GitHub was asked for a delivery, as the Temporal server has it in the history of the delivery's own run.

No input of a step counts, and no result that the workflow tells. What counts is the answer to exactly this question
(this repository and login, this file at this branch), asked on the connectors' queue and not long ago.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent

from activities.github.changed_contracts import MATCH_CHANGED_FILES, ChangedFilesMatched
from activities.github.contracts import LOOK_AT_PULL_REQUEST, READ_FILE, FileRead, PullRequestLook
from activities.github.people_contracts import FIND_PERMISSION, PermissionSeen
from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from hitl.gateway.server import Server
from hitl.github.deciding import Facts, filters_of
from hitl.github.events import IssueCommentEvent, OfRepository, PullRequestEvent
from hitl.github.repository_config import BrokenConfig, RepositoryConfig, read_config
from hitl.policy.triggers import Permission
from workflows.github.deciding_contracts import changed_question, config_question, permission_question, pull_question
from workflows.manifest.text import Mistake

_FRESH: Final = timedelta(minutes=10)
_ROLES: Final[Mapping[str, tuple[Permission, Permission]]] = {
    "maintain": (Permission.WRITE, Permission.MAINTAIN),
    "triage": (Permission.READ, Permission.TRIAGE),
}
"""Roles of GitHub's own that say more than the permission, and the one that each goes with."""
_Model = TypeVar("_Model", bound=BaseModel)


class _Ends:
    """How steps ended, by the event that scheduled them."""

    def __init__(self) -> None:
        self.answers: dict[int, list[Payload]] = {}
        self.missing: set[int] = set()
        self.at: dict[int, datetime] = {}

    def note(self, event: HistoryEvent) -> None:
        """Note one, if the event is one."""
        scheduled: int | None = None
        if event.HasField("activity_task_completed_event_attributes"):
            done = event.activity_task_completed_event_attributes
            scheduled = done.scheduled_event_id
            self.answers[scheduled] = list(done.result.payloads)
        elif event.HasField("activity_task_failed_event_attributes"):
            failed = event.activity_task_failed_event_attributes
            if failed.failure.application_failure_info.type == ErrorType.NOT_FOUND:
                scheduled = failed.scheduled_event_id
                self.missing.add(scheduled)
        if scheduled is not None:
            self.at[scheduled] = event.event_time.ToDatetime(tzinfo=UTC)


async def facts_of(server: Server, event: OfRepository, *, workflow_id: str, run_id: str) -> Facts | None:
    """What GitHub said for this delivery; None where it was not asked for all of it, or too long ago.

    Raises:
        RPCError: The server cannot be reached.
    """
    ends, seen, file, pull = _Ends(), None, None, None
    matched: list[_Answers] = []
    who = permission_question(event.repository.full_name, event.sender.login)
    what = config_question(event.repository.full_name)
    async for one in server.newest_first(workflow_id, run_id):
        ends.note(one)
        if not _asks(one):
            continue
        answers = _Answers(server, one, ends)
        seen = seen or await answers.to(FIND_PERMISSION.name, who, PermissionSeen)
        if pull is None and isinstance(event, IssueCommentEvent):
            question = pull_question(event.repository.full_name, event.issue.number)
            pull = await answers.to(LOOK_AT_PULL_REQUEST.name, question, PullRequestLook)
        if file is None and await answers.asks(READ_FILE.name, what):
            file = await answers.file()
        if one.activity_task_scheduled_event_attributes.activity_type.name == MATCH_CHANGED_FILES.name:
            matched.append(answers)
    if seen is None or file is None or (seen.id is None and seen.permission != "none"):
        return None
    found = pull.found if pull is not None else None
    facts = Facts(
        account=seen.id or event.sender.id,
        permission=permission_of(seen),
        config=file.config,
        head=found.head if found is not None else None,
        branch=found.head_branch if found is not None and not found.fork else None,
    )
    return await _with_changed(facts, event, matched)


async def _with_changed(facts: Facts, event: OfRepository, matched: Iterable["_Answers"]) -> Facts:
    """With what was told of the files of a pull request, if it was asked with the `paths` that the file has now."""
    if not isinstance(event, PullRequestEvent) or not isinstance(facts.config, RepositoryConfig):
        return facts
    if not (filters := filters_of(event, facts.config)):
        return facts
    question = changed_question(event.repository.full_name, event.number, filters)
    for one in matched:
        told = await one.to(MATCH_CHANGED_FILES.name, question, ChangedFilesMatched)
        if told is not None and len(told.fitting) == len(filters):
            return replace(facts, changed=dict(zip(filters, told.fitting, strict=True)), whole=told.whole)
    return facts


@dataclass(frozen=True)
class ConfigSeen:
    """That there is a file, or that there is none.

    Attributes:
        config: What it says.
        commit: The head at which it was read.
        installation: Of the App, by which it was read, as the worker that has the App's key says.
    """

    config: RepositoryConfig | BrokenConfig | None
    commit: str = ""
    installation: int | None = None


async def config_of(server: Server, repository: str, *, workflow_id: str, run_id: str) -> ConfigSeen | None:
    """The file of a repository as it was read in this run; None where nobody has, or too long ago.

    Raises:
        RPCError: The server cannot be reached.
    """
    ends, question = _Ends(), config_question(repository)
    async for one in server.newest_first(workflow_id, run_id):
        ends.note(one)
        if _asks(one) and await (answers := _Answers(server, one, ends)).asks(READ_FILE.name, question):
            return await answers.file()
    return None


class _Answers:
    """What came of one scheduled step."""

    def __init__(self, server: Server, event: HistoryEvent, ends: _Ends) -> None:
        self._server, self._ends = server, ends
        self._id, self._asked = event.event_id, event.activity_task_scheduled_event_attributes

    async def asks(self, step: str, question: BaseModel) -> bool:
        """Whether it is this question, with an answer that is not old."""
        at = self._ends.at.get(self._id)
        if self._asked.activity_type.name != step or at is None or datetime.now(UTC) - at > _FRESH:
            return False
        return await self._decoded(list(self._asked.input.payloads), type(question)) == question

    async def to(self, step: str, question: BaseModel, answer: type[_Model]) -> _Model | None:
        """The answer to this question."""
        if self._id not in self._ends.answers or not await self.asks(step, question):
            return None
        return await self._decoded(self._ends.answers[self._id], answer)

    async def file(self) -> ConfigSeen | None:
        """The repository's file, as it was read; without content there is none that could be used."""
        if self._id in self._ends.missing:
            return ConfigSeen(config=None)
        read = await self._decoded(self._ends.answers[self._id], FileRead)
        if read is None:
            return None
        if read.content is None or read.encoding != "utf-8":
            broken = BrokenConfig(mistakes=(Mistake(1, 1, "file", "is no text of 64 kB at most"),))
            return ConfigSeen(config=broken, commit=read.commit)
        config = read_config(read.content.encode())
        return ConfigSeen(config=config, commit=read.commit, installation=read.installation)

    async def _decoded(self, payloads: list[Payload], model: type[_Model]) -> _Model | None:
        try:
            [plain] = await self._server.plain(payloads)
            return model.model_validate_json(plain.data)
        except (ValueError, RuntimeError):
            return None


def _asks(event: HistoryEvent) -> bool:
    """Whether a step was scheduled where the connectors' workers answer; elsewhere anybody polls."""
    asked = event.activity_task_scheduled_event_attributes
    return event.HasField("activity_task_scheduled_event_attributes") and asked.task_queue.name == TaskQueue.CONNECTORS


def permission_of(seen: PermissionSeen) -> Permission:
    """What that is. A role that an organisation made says no more than the permission that it counts as."""
    base = Permission(seen.permission)
    counts_as, role = _ROLES.get(seen.role, (None, None))
    return role if role is not None and base is counts_as else base
