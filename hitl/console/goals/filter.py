"""Which goals somebody looks for, and the query for it.

What people type never enters a query: states, goals, people, triggers and times are of closed lists, and a text is
looked for in what the server answered. A repository is one that GitHub could have, and it and the identities of the
policy file are quoted all the same.

Jobs are goals, too: those that something on GitHub began. Their list is this one with a preset.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, get_args
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError

from hitl.approval.approvers import People
from hitl.console.access.visitors import Refused
from hitl.gateway.server import quoted
from workflows.catalogue import GOALS
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    REQUESTER_ATTRIBUTE,
    STATE_ATTRIBUTE,
    TRIGGER_ATTRIBUTE,
    GoalState,
    RepositoryName,
    State,
)
from workflows.github.job_contracts import GITHUB_JOB, JobTrigger

_TEXT: Final = 200
_NAME: Final = TypeAdapter[str](RepositoryName)
_SERVERS: Final[Mapping[str, str]] = {
    "failed": "Failed",
    "cancelled": "Canceled",
    "terminated": "Terminated",
    "timed_out": "TimedOut",
}
"""Ends of which the server's own word counts: a run that was terminated never said that it ended."""
_UNDER_WAY: Final = frozenset({State.RUNNING, State.WAITING, State.PARKED})
_NAMES: Final = tuple(goal.name for goal in GOALS)
KINDS: Final = (*_NAMES, GITHUB_JOB.name)
"""Jobs are looked for by their name alone: without it the goal of each is in the list, and not the job as well."""
STATES: Final = (*get_args(GoalState), "terminated", "timed_out")
QUEUED: Final = "queued"
"""Of jobs alone: asked for, and no worker has begun its goal."""
JOB_STATES: Final = (QUEUED, *STATES)
TRIGGERS: Final = tuple(one.value for one in JobTrigger)
TIMES: Final[Mapping[str, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True, kw_only=True)
class GoalFilter:
    """What is looked for; empty for whatever it is.

    Attributes:
        text: In the id, the repository, or the name or identity of who asked.
        repository: `OWNER/NAME`, as the goal or its job was asked for.
        identities: Those by which surfaces know `requester`.
        trigger: Of jobs: what began it.
        jobs: Whether jobs alone are looked for.
        within: A name of `TIMES`: started no longer ago than that.
    """

    text: str = ""
    repository: str = ""
    state: str = ""
    action: str = ""
    requester: str = ""
    identities: tuple[str, ...] = ()
    trigger: str = ""
    within: str = ""
    jobs: bool = False

    @classmethod
    def read(cls, said: Mapping[str, str], people: People, *, jobs: bool = False) -> "GoalFilter":
        """From a page's address.

        Raises:
            Refused: It names what there is not.
        """
        text = " ".join(said.get("text", "").split())
        if len(text) > _TEXT:
            raise Refused(HTTPStatus.BAD_REQUEST, "Too long", f"Look for at most {_TEXT} characters.")
        requester = said.get("requester", "")
        return cls(
            text=text,
            repository=_repository(said.get("repository", "").strip()),
            state=_one_of(JOB_STATES if jobs else STATES, said.get("state", ""), "state"),
            action=_one_of(_NAMES if jobs else KINDS, said.get("action", ""), "goal"),
            requester=_one_of(set(people.identities.values()), requester, "person"),
            identities=tuple(sorted(one for one, person in people.identities.items() if person == requester)),
            trigger=_one_of(TRIGGERS, said.get("trigger", ""), "trigger") if jobs else "",
            within=_one_of(TIMES, said.get("within", ""), "time"),
            jobs=jobs,
        )

    def __bool__(self) -> bool:
        """Whether anything is looked for at all, besides jobs."""
        return bool(self.address())

    def address(self) -> str:
        """The same, as a page's address has it."""
        names = ("text", "repository", "state", "action", "requester", "trigger", "within")
        return urlencode({name: value for name in names if (value := str(getattr(self, name)))})

    def query_address(self) -> str:
        """All but the text: what a query tells apart."""
        return replace(self, text="").address()

    def query(self) -> str:
        """For Temporal's visibility: all but the text."""
        kinds = [self.action] if self.action else [goal.name for goal in GOALS]
        parts = [f"WorkflowType IN ({', '.join(map(quoted, kinds))})"]
        if self.state:
            parts.append(_in_state(self.state, jobs=self.jobs))
        return " AND ".join([*parts, *self._of_jobs_and_goals()])

    def not_begun_query(self) -> str | None:
        """For the jobs whose goal may not have begun; None where none of them is looked for."""
        if not self.jobs or self.action or self.state not in {"", QUEUED}:
            return None
        under_way = [f"WorkflowType = {quoted(GITHUB_JOB.name)}", "ExecutionStatus = 'Running'"]
        return " AND ".join([*under_way, *self._of_jobs_and_goals()])

    def _of_jobs_and_goals(self) -> Iterator[str]:
        """What is said of a job as it is of its goal."""
        if self.repository:
            yield f"{REPOSITORY_ATTRIBUTE.name} = {quoted(self.repository)}"
        if self.trigger:
            yield f"{TRIGGER_ATTRIBUTE.name} = {quoted(self.trigger)}"
        elif self.jobs:
            yield f"{TRIGGER_ATTRIBUTE.name} IN ({', '.join(map(quoted, TRIGGERS))})"
        if self.requester:
            yield f"{REQUESTER_ATTRIBUTE.name} IN ({', '.join(map(quoted, self.identities))})"
        if self.within:
            yield f"StartTime > {quoted((datetime.now(UTC) - TIMES[self.within]).isoformat())}"

    def matches(self, *texts: str | None) -> bool:
        """Whether one of these has the text, in whatever case."""
        return any(self.text.casefold() in one.casefold() for one in texts if one)


def _in_state(state: str, *, jobs: bool) -> str:
    if state in _SERVERS:
        return f"ExecutionStatus = {quoted(_SERVERS[state])}"
    if state == QUEUED:
        return f"ExecutionStatus = 'Running' AND {STATE_ATTRIBUTE.name} IS NULL"
    status = "Running" if state in _UNDER_WAY else "Completed"
    said = f"{STATE_ATTRIBUTE.name} = {quoted(state)}"
    if state == State.RUNNING and not jobs:  # before its first task it says nothing
        said = f"({said} OR {STATE_ATTRIBUTE.name} IS NULL)"
    return f"ExecutionStatus = {quoted(status)} AND {said}"


def _repository(text: str) -> str:
    try:
        return _NAME.validate_python(text) if text else ""
    except ValidationError:
        told = f"{text[:_TEXT]!r} is not OWNER/NAME; write for example acme/shop."
        raise Refused(HTTPStatus.BAD_REQUEST, "No such repository", told) from None


def _one_of(known: Container[str], text: str, what: str) -> str:
    if text and text not in known:
        raise Refused(HTTPStatus.BAD_REQUEST, f"No such {what}", f"There is no {what} {text[:_TEXT]!r} to look for.")
    return text
