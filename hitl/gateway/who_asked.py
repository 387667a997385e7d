"""Who asked for a goal: as the server authenticated them, or as the gateway signed when it started the goal for them.

The statement lies in the start's memo. It is good for one workflow id, one goal and one input, and only for a start
within a minute of its signing: a copy of it starts nothing else in that person's name. No input field counts.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from temporalio.api.common.v1 import Memo, Payload
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.service import RPCError, RPCStatusCode

from activities.guard.who_asked import Origin
from activities.queues import TaskQueue
from hitl.approval.approvers import People
from hitl.approval.decision import UNVERIFIED, Moment, SignedDecision
from hitl.approval.signing import PublicKeys, refuse_signature
from hitl.canonical import canonical_json
from hitl.gateway.server import Server
from workflows.agent.goals import ASK_FOR, RUN_PLAN
from workflows.fleet.goals import RUN_FLEET
from workflows.github.job_contracts import GITHUB_JOB

MEMO: Final = "BanksmanRequester"
_TAG: Final = "banksman-start/v1"
_FRESH: Final = timedelta(minutes=1)
_PLANS: Final = frozenset({ASK_FOR.name, RUN_PLAN.name, RUN_FLEET.name, GITHUB_JOB.name})
"""What asks for goals as who asked for it: a plan, what has one made, a fleet, what shows on GitHub how a goal goes."""
_DEEPEST: Final = 20
"""A child of a child, and so on: more than any goal of ours has above it."""


class Start(BaseModel):
    """All that is signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str
    namespace: str
    workflow_id: str
    goal: str
    input_digest: str
    requester: str
    request: str
    """By which the surface knows this one request; empty where it knows none."""
    signed_at: Moment
    installation: int | None = Field(default=None, ge=1)
    """Of the GitHub App, where its delivery asked. Left out without one: former releases know no such field."""

    def text(self) -> str:
        """As it is signed."""
        left_out = {"installation"} if self.installation is None else None
        return f"{_TAG}\n{canonical_json(self.model_dump(mode='json', exclude=left_out))}"


class WhoAsked:
    """Tells in whose name a goal was started. It can sign nothing.

    Args:
        server: Of the goals.
        keys: What statements are verified with; raises `Unavailable` where they are too old to tell.
    """

    def __init__(self, server: Server, keys: Callable[[], PublicKeys]) -> None:
        self._server = server
        self._keys = keys

    async def requester(self, workflow_id: str, first: HistoryEvent, people: People) -> str:
        """The identity that asked for the run that began with this event; `unverified` where nobody vouches for it.

        A goal that is a step of a plan was asked for by who asked for the plan; so was one that was asked for in words.

        Raises:
            Unavailable: The keys are too old to tell.
        """
        principal = f"temporal:{first.principal.name}"
        if first.principal.name and people.person(principal) is not None:
            return principal
        started = first.workflow_execution_started_event_attributes
        said = await self.statement_of(started.memo)
        if said is None and (plan := await self._plan_of(started)) is not None:
            return await self.requester(started.parent_workflow_execution.workflow_id, plan, people)
        if said is None or not await self._vouched(workflow_id, first, said):
            return UNVERIFIED
        return said.requester

    async def _vouched(self, workflow_id: str, first: HistoryEvent, said: Start) -> bool:
        """Whether a statement of the gateway's is of just this start."""
        started = first.workflow_execution_started_event_attributes
        if started.task_queue.name != TaskQueue.GOALS:  # elsewhere, whoever polls would speak for them
            return False
        really = said.model_copy(
            update={
                "cluster": self._server.cluster,
                "namespace": self._server.client.namespace,
                "workflow_id": workflow_id,
                "goal": started.workflow_type.name,
                "input_digest": digest_of(await self._server.plain(list(started.input.payloads))),
            }
        )
        fresh = abs(first.event_time.ToDatetime(tzinfo=UTC) - said.signed_at) <= _FRESH
        return fresh and really == said

    async def _plan_of(self, started: WorkflowExecutionStartedEventAttributes) -> HistoryEvent | None:
        """How the plan began that a goal is a step of, or what it was asked for by; None where it is none.

        It is the server's word, and not the goal's.
        """
        parent = started.parent_workflow_execution
        if not parent.workflow_id or started.task_queue.name != TaskQueue.GOALS:
            return None
        try:
            first = await self._server.first_event(parent.workflow_id, parent.run_id)
            if not _is_plan(first):
                return None
            first = await self._first_of_all(parent.workflow_id, parent.run_id, first)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return first if _is_plan(first) else None

    async def _first_of_all(self, workflow_id: str, run_id: str, first: HistoryEvent) -> HistoryEvent:
        """How the first of the runs began that this one goes on from: that one somebody asked for.

        Which it is, is the server's word. A run that goes on has an input that nobody signed.
        """
        begun = first.workflow_execution_started_event_attributes
        if not begun.continued_execution_run_id or begun.first_execution_run_id in {"", run_id}:
            return first
        return await self._server.first_event(workflow_id, begun.first_execution_run_id)

    async def requester_of(self, workflow_id: str, run_id: str, people: People) -> str:
        """The same, of a run that nobody has looked at yet.

        Raises:
            RPCError: There is no such run, or the server cannot be reached.
            Unavailable: The keys are too old to tell.
        """
        return await self.requester(workflow_id, await self._server.first_event(workflow_id, run_id), people)

    async def origin_of(self, workflow_id: str, run_id: str, people: People) -> Origin:
        """On whose account a run goes that nobody has looked at yet.

        Raises:
            RPCError: There is no such run, or the server cannot be reached.
            Unavailable: The keys are too old to tell.
        """
        first = await self._server.first_event(workflow_id, run_id)
        return Origin(
            requester=await self.requester(workflow_id, first, people),
            installation=await self._installation(workflow_id, first),
        )

    async def _installation(self, workflow_id: str, first: HistoryEvent) -> str | None:
        """Whose delivery began it, or what is above it: whatever a job begins is on its installation's account.

        Which run is above another is the server's word. `unverified` where that is gone, or is a job of GitHub's that
        nobody vouches for; None where it is of no installation.
        """
        for _ in range(_DEEPEST):
            started = first.workflow_execution_started_event_attributes
            above = started.parent_workflow_execution
            if not above.workflow_id:
                return await self._installation_said(workflow_id, first)
            try:
                workflow_id, first = above.workflow_id, await self._server.first_event(above.workflow_id, above.run_id)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                break
        return UNVERIFIED

    async def _installation_said(self, workflow_id: str, first: HistoryEvent) -> str | None:
        """By the gateway's statement of what is below nothing."""
        started = first.workflow_execution_started_event_attributes
        said = await self.statement_of(started.memo)
        if said is not None and await self._vouched(workflow_id, first, said):
            return str(said.installation) if said.installation is not None else None
        return UNVERIFIED if started.workflow_type.name == GITHUB_JOB.name else None

    async def statement_of(self, memo: Memo) -> Start | None:
        """What the gateway signed into a start; None where it signed nothing."""
        signed = await self.signed_of(memo)
        if signed is None or refuse_signature(signed, self._keys()) is not None:
            return None
        tag, _, body = signed.text.partition("\n")
        try:
            return Start.model_validate_json(body) if tag == _TAG else None
        except ValidationError:  # of another release
            return None

    async def signed_of(self, memo: Memo) -> SignedDecision | None:
        """What stands in a start as signed; nobody has looked at the signature."""
        return await signed_in(self._server, memo, MEMO)


def _is_plan(first: HistoryEvent) -> bool:
    begun = first.workflow_execution_started_event_attributes
    return begun.task_queue.name == TaskQueue.GOALS and begun.workflow_type.name in _PLANS


async def signed_in(server: Server, memo: Memo, name: str) -> SignedDecision | None:
    """What stands in a start's memo under a name as signed; nobody has looked at the signature."""
    if name not in memo.fields:
        return None
    found = (await server.plain([memo.fields[name]]))[0]
    try:
        text: object = server.client.data_converter.payload_converter.from_payloads([found], [str])[0]
        return SignedDecision.model_validate_json(str(text))
    except (ValueError, RuntimeError):
        return None


def digest_of(payloads: list[Payload]) -> str:
    """Of an input, as a statement has it."""
    return "sha256:" + hashlib.sha256(b"\0".join(one.data for one in payloads)).hexdigest()
