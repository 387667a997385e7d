"""Who asked for the goal that a step belongs to, and from where, in roles whose limits and rules depend on it.

The goal's own word is no evidence. The guard asks Temporal how the goal was started, and who is vouched for there; then
that stands in the policy's context, in the audit log, and here for the step. How a run was started never changes, so
that each is asked about once.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final

from temporalio import activity
from temporalio.service import RPCError, RPCStatusCode

from connectors.errors import Unavailable
from hitl.approval.approvers import People
from hitl.approval.decision import UNVERIFIED
from hitl.policy.rules import Policy

_MOST: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Origin:
    """On whose account a goal runs, as far as anybody vouches for it.

    Attributes:
        requester: The identity that asked, as in `slack:U0ALICE`; `unverified` where nobody vouches for it.
        installation: The number of the GitHub App's installation whose delivery began it; `unverified` where it is
            said to be of one and nobody vouches for that; None of what no delivery began.
    """

    requester: str
    installation: str | None = None


NOBODYS: Final = Origin(requester=UNVERIFIED, installation=UNVERIFIED)
_ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)

Find = Callable[[str, str, People], Awaitable[Origin]]
"""Of a workflow's id and its run's."""


class Requesters:
    """Tells it of each run, and remembers.

    Args:
        find: Asks the server. Raises `RPCError` or `Unavailable`.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._known: OrderedDict[tuple[str, str], Origin] = OrderedDict()

    async def of(self, info: activity.Info, policy: Policy) -> Origin:
        """On whose account the goal of a step runs.

        Raises:
            Unavailable: It cannot be told now.
        """
        if not info.workflow_id or not info.workflow_run_id:
            return NOBODYS
        key = (info.workflow_run_id, policy.digest)
        if key not in self._known:
            self._known[key] = await self._ask(info.workflow_id, info.workflow_run_id, policy.people)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return self._known[key]

    async def _ask(self, workflow_id: str, run_id: str, people: People) -> Origin:
        try:
            return await self._find(workflow_id, run_id, people)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return NOBODYS
            text = "Temporal does not say now who asked for this goal: the step goes on by itself"
            raise Unavailable(text) from error


def begin(origin: Origin, people: People) -> None:
    """From here on, this is who asked: one person, whichever way they came."""
    person = people.requester(origin.requester)
    _ORIGIN.set(origin if person == UNVERIFIED else replace(origin, requester=person))


def asked_by() -> str | None:
    """Who asked for the goal of the step that runs here: a person of the policy, or an identity that it does not know.

    None in a role whose guard does not find out.
    """
    origin = _ORIGIN.get()
    return origin.requester if origin is not None else None


def installation() -> str | None:
    """Of which installation of the GitHub App the goal is whose step runs here, as `Origin` has it.

    None also in a role whose guard does not find out.
    """
    origin = _ORIGIN.get()
    return origin.installation if origin is not None else None
