"""Which goals somebody looks for, and the query for it.

What people type never enters a query: states, goals, people and times are of closed lists, and a text is looked for in
what the server answered. Identities are of the policy file, and are quoted all the same.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final, get_args
from urllib.parse import urlencode

from hitl.approval.approvers import People
from hitl.console.access.visitors import Refused
from hitl.gateway.server import quoted
from workflows.catalogue import GOALS
from workflows.contracts import REQUESTER_ATTRIBUTE, STATE_ATTRIBUTE, GoalState, State
from workflows.github.job_contracts import GITHUB_JOB

_TEXT: Final = 200
_SERVERS: Final[Mapping[str, str]] = {
    "failed": "Failed",
    "cancelled": "Canceled",
    "terminated": "Terminated",
    "timed_out": "TimedOut",
}
"""Ends of which the server's own word counts: a run that was terminated never said that it ended."""
_UNDER_WAY: Final = frozenset({State.RUNNING, State.WAITING, State.PARKED})
KINDS: Final = (*(goal.name for goal in GOALS), GITHUB_JOB.name)
"""Jobs are looked for by their name alone: without it the goal of each is in the list, and not the job as well."""
STATES: Final = (*get_args(GoalState), "terminated", "timed_out")
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
        identities: Those by which surfaces know `requester`.
        within: A name of `TIMES`: started no longer ago than that.
    """

    text: str = ""
    state: str = ""
    action: str = ""
    requester: str = ""
    identities: tuple[str, ...] = ()
    within: str = ""

    @classmethod
    def read(cls, said: Mapping[str, str], people: People) -> "GoalFilter":
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
            state=_one_of(STATES, said.get("state", ""), "state"),
            action=_one_of(KINDS, said.get("action", ""), "goal"),
            requester=_one_of(set(people.identities.values()), requester, "person"),
            identities=tuple(sorted(one for one, person in people.identities.items() if person == requester)),
            within=_one_of(TIMES, said.get("within", ""), "time"),
        )

    def __bool__(self) -> bool:
        """Whether anything is looked for at all."""
        return bool(self.address())

    def address(self) -> str:
        """The same, as a page's address has it."""
        names = ("text", "state", "action", "requester", "within")
        return urlencode({name: value for name in names if (value := str(getattr(self, name)))})

    def query_address(self) -> str:
        """All but the text: what a query tells apart."""
        return replace(self, text="").address()

    def query(self) -> str:
        """For Temporal's visibility: all but the text."""
        kinds = [self.action] if self.action else [goal.name for goal in GOALS]
        parts = [f"WorkflowType IN ({', '.join(map(quoted, kinds))})"]
        if self.state:
            parts.append(_in_state(self.state))
        if self.requester:
            parts.append(f"{REQUESTER_ATTRIBUTE.name} IN ({', '.join(map(quoted, self.identities))})")
        if self.within:
            parts.append(f"StartTime > {quoted((datetime.now(UTC) - TIMES[self.within]).isoformat())}")
        return " AND ".join(parts)

    def matches(self, *texts: str | None) -> bool:
        """Whether one of these has the text, in whatever case."""
        return any(self.text.casefold() in one.casefold() for one in texts if one)


def _in_state(state: str) -> str:
    if state in _SERVERS:
        return f"ExecutionStatus = {quoted(_SERVERS[state])}"
    status = "Running" if state in _UNDER_WAY else "Completed"
    said = f"{STATE_ATTRIBUTE.name} = {quoted(state)}"
    if state == State.RUNNING:  # before its first task it says nothing
        said = f"({said} OR {STATE_ATTRIBUTE.name} IS NULL)"
    return f"ExecutionStatus = {quoted(status)} AND {said}"


def _one_of(known: Container[str], text: str, what: str) -> str:
    if text and text not in known:
        raise Refused(HTTPStatus.BAD_REQUEST, f"No such {what}", f"There is no {what} {text!r} to look for.")
    return text
