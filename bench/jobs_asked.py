"""The jobs that the bench has people ask for in comments, and what GitHub and Temporal say of each afterwards."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from bench.jobs_account import Account, Traced
from bench.jobs_place import REPOSITORY, Place
from connectors.github.comments import mark_of
from connectors.github.git import git
from connectors.github.twin.writes import Kept
from workflows.github.job_contracts import GITHUB_JOB_PREFIX, GitHubJobResult

_PULL: Final = 1
"""The example's own pull request, on whose commit check runs are made."""
_APPLIED: Final = "banksman:applied"
_LOOKS_SECONDS: Final = 3.0
_SWEEPS_SECONDS: Final = 30.0
_STUCK_SECONDS: Final = 660.0
"""For so long no job may end, before the others are given up: a delivery that failed twice is sent again after eight
minutes."""


class Kind(StrEnum):
    """What is asked for."""

    READ = "ReadFile on an issue"
    CHECK = "ReadFile on a pull request"
    ASK = "AskFor"
    OPEN = "OpenPullRequest"
    CODE = "CodingJob"


_KINDS: Final = (
    *(Kind.READ, Kind.ASK, Kind.CHECK, Kind.READ, Kind.OPEN),
    *(Kind.READ, Kind.CHECK, Kind.ASK, Kind.READ, Kind.READ),
)


@dataclass(frozen=True)
class Asked:
    """One job.

    Attributes:
        on: The issue, or the pull request.
        comment: In which it was asked for.
        at: When, in seconds since 1970.
    """

    number: int
    kind: Kind
    on: int
    comment: int
    at: float

    @property
    def title(self) -> str:
        """Of a pull request that it opens."""
        return _title(self.number)


@dataclass
class People:
    """Ask for jobs, each on an issue of its own where it is not about the pull request.

    Attributes:
        coding: How many of them a scripted model does in a sandbox.
    """

    here: Place
    coding: int = 0
    issues: list[int] = field(default_factory=list[int])
    asked: list[Asked] = field(default_factory=list[Asked])

    async def open_issues(self, count: int) -> None:
        """Before it begins: nobody is told of these."""
        self.here.line.closed = True
        for number in range(count):
            self.issues.append(int((await self.here.act("issue", title=f"Wanted {number}"))["number"]))
        await asyncio.sleep(1.0)
        self.here.line.closed = False

    async def ask(self, count: int, *, within: float) -> Sequence[Asked]:
        """So many, evenly over these seconds."""
        began, asked = time.monotonic(), list[Asked]()
        for index in range(count):
            await asyncio.sleep(max(0.0, began + index * within / count - time.monotonic()))
            number = len(self.asked)
            kind = self._kind(index, count)
            on = _PULL if kind is Kind.CHECK else self.issues[number]
            at = time.time()
            comment = int((await self.here.act("comment", number=on, body=_words(kind, number)))["id"])
            asked.append(Asked(number, kind, on, comment, at))
            self.asked.append(asked[-1])
        return asked

    def _kind(self, index: int, count: int) -> Kind:
        """Those in a sandbox are evenly among the others, where there are enough of these."""
        every = count // self.coding if self.coding else 0
        if every and index % every == every // 2 and index // every < self.coding:
            return Kind.CODE
        return _KINDS[index % len(_KINDS)]


def _title(number: int) -> str:
    return f"Wanted {number}"


def _greeting(number: int) -> str:
    return f"docs/greeting-{number}.md"


def _words(kind: Kind, number: int) -> str:
    match kind:
        case Kind.READ | Kind.CHECK:
            return f"/banksman run ReadFile repository={REPOSITORY} path=README.md"
        case Kind.ASK:
            return f"/banksman ask Read README.md of {REPOSITORY}."
        case Kind.OPEN:
            files = [{"path": f"notes/{number}.md", "content": f"{number}\n"}]
            given = {"repository": REPOSITORY, "title": _title(number), "files": files}
            return f"/banksman run OpenPullRequest {json.dumps(given)}"
        case Kind.CODE:
            return (
                f'/banksman run CodingJob kind=docs text="Say in {_greeting(number)} how to greet: with the word Moin."'
            )


async def until_ended(here: Place, asked: Sequence[Asked]) -> Account:
    """What became of each, once all have ended, or nothing has happened for long."""
    jobs, news, swept = dict[int, list[WorkflowExecutionDescription]](), time.monotonic(), 0.0
    while True:
        if time.monotonic() - swept > _SWEEPS_SECONDS:
            await here.sweep()
            swept = time.monotonic()
        for one in asked:
            if one.comment not in jobs and (found := await _ended_jobs(here, one)):
                jobs[one.comment], news = found, time.monotonic()
        if len(jobs) == len(asked) or time.monotonic() - news > _STUCK_SECONDS:
            break
        await asyncio.sleep(_LOOKS_SECONDS)
    books = here.books
    return Account(jobs=tuple([await _traced(here, one, books) for one in asked]))


async def _ended_jobs(here: Place, asked: Asked) -> list[WorkflowExecutionDescription]:
    """The jobs of a comment, once there are some and all have ended."""
    found = await _jobs(here, asked)
    return found if all(one.status is not WorkflowExecutionStatus.RUNNING for one in found) else []


async def _jobs(here: Place, asked: Asked) -> list[WorkflowExecutionDescription]:
    """Whoever began them, also those whose delivery the line has never seen."""
    guids = here.line.comments.get(asked.comment, set())
    found = [await _described(here, f"{GITHUB_JOB_PREFIX}{guid}") for guid in sorted(guids)]
    return [one for one in found if one is not None]


async def _described(here: Place, workflow: str) -> WorkflowExecutionDescription | None:
    try:
        return await here.client.get_workflow_handle(workflow).describe()
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}:
            return None
        raise


async def _traced(here: Place, asked: Asked, books: Kept) -> Traced:
    jobs = await _jobs(here, asked)
    if not jobs:
        return Traced(asked=asked.kind, jobs=0)
    first, result = jobs[0], None
    if first.status is WorkflowExecutionStatus.COMPLETED:
        handle = here.client.get_workflow_handle(first.id, result_type=GitHubJobResult)
        result = await handle.result()
    return Traced(
        asked=asked.kind,
        jobs=len(jobs),
        outcome=_outcome(first, result),
        effects={**effects(asked, first.id, books), **await _written(here, asked, books)},
        seconds=first.close_time.timestamp() - asked.at if first.close_time is not None else None,
        not_shown=result.not_shown if result is not None else (),
    )


async def _written(here: Place, asked: Asked, books: Kept) -> Mapping[str, int]:
    """How many pull requests have the file that a coding job was to write: git knows, and no title."""
    if asked.kind is not Kind.CODE:
        return {}
    at, path = here.site.folder.repositories / f"{REPOSITORY}.git", _greeting(asked.number)
    listed = [await git("ls-tree", "--name-only", f"refs/heads/{one.head}", path, at=at) for one in books.pulls]
    return {"pull request": sum(bool(found.strip()) for found in listed)}


def _outcome(job: WorkflowExecutionDescription, result: GitHubJobResult | None) -> str:
    if result is not None:
        return str(result.outcome)
    running = job.status in {None, WorkflowExecutionStatus.RUNNING}
    return "" if running or job.status is None else job.status.name.lower()


def effects(asked: Asked, job: str, books: Kept) -> Mapping[str, int]:
    """How often GitHub has what there has to be of a completed job."""
    ours = [one for one in books.comments if not one.person and not one.gone and mark_of(job) in one.body]
    found = {"result comment": len(ours)}
    match asked.kind:
        case Kind.CHECK:
            checks = [one for one in books.checks if one.external_id == job]
            found["check run"] = len(checks)
            found["check run that ended"] = sum(one.conclusion == "success" for one in checks)
        case Kind.OPEN:
            found["pull request"] = sum(one.title == asked.title for one in books.pulls)
        case Kind.READ | Kind.ASK | Kind.CODE:
            labels = next((one.labels for one in books.issues if one.number == asked.on), list[str]())
            found["label"] = labels.count(_APPLIED)
    return found
