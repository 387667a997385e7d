"""What a person thinks of a goal, from their click to a line in the audit log that is theirs and nobody else's.

The gateway signs who says what of which run, and starts a workflow with it; the workflow's one step, again in a
gateway, reads that start from the server and verifies it. Whoever reaches Temporal can start such a workflow too: it
counts for whom Temporal itself authenticated, and for nobody otherwise.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import Counter
from pydantic import ValidationError
from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.guard.opinion_facts import OpinionVerdict, words_digest
from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import ConnectorError, InvalidRequest, Unavailable
from hitl.approval.decision import DecisionError, SignedDecision
from hitl.approval.signing import PublicKeys, refuse_signature
from hitl.canonical import canonical_json
from hitl.gateway.decisions import Kind, Outcome, PolicyInForce
from hitl.gateway.goal_starter import Sign
from hitl.gateway.server import NotAnApproval, Server, quoted
from hitl.hidden import visible
from hitl.policy.file import PolicyError
from observability import names
from observability.exemplars import exemplar
from workflows.catalogue import find_goal
from workflows.opinions.contracts import (
    KEEP_OPINION,
    MAX_WORDS,
    OPINION_WORKFLOW,
    GivenOpinion,
    KeepOpinion,
    KeptOpinion,
    OpinionStatement,
    opinions_on,
)

CLI: Final = "cli"
_TAG: Final = "banksman-opinion/v1"
_IN_TIME: Final = 2.6
_MOST: Final = 100
_OPINIONS: Final = Counter(names.METRIC_OPINIONS, "Opinions on goals that were kept.", ("verdict", "surface"))
_NOT_YET: Final = "Not confirmed yet: Temporal, Vault or a worker does not answer now. Say it again; it counts once."
_NOBODY: Final = (
    "nobody vouches for who says this: Temporal did not authenticate anybody whom the policy knows; say it in Slack or "
    "on the goal's page in the console"
)
_log = structlog.get_logger("banksman.gateway")


class Opinions:
    """Takes opinions, and tells those that hold.

    Args:
        server: Temporal.
        policy: Who people are.
        sign: With the approval key.
        keys: Its published halves.
    """

    def __init__(self, server: Server, policy: PolicyInForce, *, sign: Sign, keys: Callable[[], PublicKeys]) -> None:
        self._server, self._policy = server, policy
        self._sign, self._keys = sign, keys

    async def give(  # noqa: PLR0913 - all that an opinion is
        self, *, identity: str, surface: str, goal: str, goal_run: str, verdict: OpinionVerdict, words: str = ""
    ) -> Outcome:
        """Have one kept, or say why not. Within three seconds, and never by an exception.

        Args:
            identity: Who says it, as the surface authenticated them.
            surface: Where.
            goal: The goal's workflow id.
            goal_run: And its run.
            verdict: In a word.
            words: In theirs.
        """
        return await _told(self._give(identity, surface, goal, goal_run, verdict, one_line(words)))

    async def give_on_approval(
        self, approval: str, *, identity: str, surface: str, verdict: OpinionVerdict, words: str = ""
    ) -> Outcome:
        """The same on the goal that asked for an approval, as the server says."""

        async def giving() -> Outcome:
            try:
                found = await self._server.approval(approval)
            except NotAnApproval as error:
                raise InvalidRequest(str(error)) from error
            return await self._give(identity, surface, found.goal, found.goal_run_id, verdict, one_line(words))

        return await _told(giving())

    async def _give(  # noqa: PLR0913, PLR0917 - likewise
        self, identity: str, surface: str, goal: str, goal_run: str, verdict: OpinionVerdict, words: str
    ) -> Outcome:
        policy = self._policy.current()
        person = policy.people.person(identity)
        if person is None:
            raise InvalidRequest(f"{policy.source} does not know {identity!r}; an operator can add it under `people`")
        await self._require_goal(goal, goal_run)
        given = GivenOpinion(goal=goal, goal_run=goal_run, verdict=verdict, words=words)
        statement = self._statement(given, identity=identity, surface=surface, at=datetime.now(UTC))
        text = _text(statement)
        signed = SignedDecision.from_vault(text, await self._sign(text))
        handle = await self._server.client.start_workflow(
            OPINION_WORKFLOW,
            given.model_copy(update={"signed": signed}),
            id=f"{opinions_on(goal_run)}{person}",
            task_queue=TaskQueue.GOALS,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            static_summary=f"Opinion of {person}: {verdict}",
            result_type=KeptOpinion,
        )
        try:
            kept = await handle.result()
        except WorkflowFailureError as error:
            raise InvalidRequest(_cause(error)) from error
        return Outcome(kind=Kind.COUNTED, words=f"Noted: you find it {kept.verdict}. You may say otherwise any time.")

    def _statement(self, given: GivenOpinion, *, identity: str, surface: str, at: datetime) -> OpinionStatement:
        return OpinionStatement(
            cluster=self._server.cluster,
            namespace=self._server.client.namespace,
            goal=given.goal,
            goal_run=given.goal_run,
            verdict=given.verdict,
            words=words_digest(given.words),
            identity=identity,
            surface=surface,
            signed_at=at,
        )

    async def verified(self, workflow_id: str, run_id: str) -> KeptOpinion:
        """The opinion that a run of the workflow was started with.

        Raises:
            InvalidRequest: It is none, of no goal, or nobody vouches for who says it.
            RPCError: The server cannot be reached.
            Unavailable: The keys are too old to tell.
            PolicyError: The policy cannot be read now.
        """
        first = await self._server.first_event(workflow_id, run_id)
        started = first.workflow_execution_started_event_attributes
        # On another queue than the goals', whoever polls it would speak as one of them.
        if (started.workflow_type.name, started.task_queue.name) != (OPINION_WORKFLOW, TaskQueue.GOALS):
            raise InvalidRequest(f"an opinion is kept by its {OPINION_WORKFLOW} alone")
        given = await self._given(first)
        if not workflow_id.startswith(opinions_on(given.goal_run)):
            raise InvalidRequest(f"{workflow_id!r} is not where an opinion on this run is kept")
        await self._require_goal(given.goal, given.goal_run)
        said = self._said(given, first)
        person = self._policy.current().people.person(said.identity)
        if person is None:
            raise InvalidRequest(_NOBODY)
        return KeptOpinion(
            goal=given.goal,
            goal_run=given.goal_run,
            person=person,
            verdict=given.verdict,
            words=given.words,
            surface=said.surface,
            said_at=said.signed_at,
        )

    def _said(self, given: GivenOpinion, first: HistoryEvent) -> OpinionStatement:
        """Who says it, where and when: as the gateway signed it, or as Temporal authenticated who started it."""
        at = first.event_time.ToDatetime(tzinfo=UTC)
        if given.signed is None:
            if not first.principal.name:
                raise InvalidRequest(_NOBODY)
            return self._statement(given, identity=f"temporal:{first.principal.name}", surface=CLI, at=at)
        if refuse_signature(given.signed, self._keys()) is not None:
            raise InvalidRequest("this opinion is not signed by the gateway")
        said = _read(given.signed)
        if said != self._statement(given, identity=said.identity, surface=said.surface, at=said.signed_at):
            raise InvalidRequest("the gateway signed another opinion than this one")
        return said

    async def _given(self, first: HistoryEvent) -> GivenOpinion:
        payloads = list(first.workflow_execution_started_event_attributes.input.payloads)
        try:
            [plain] = await self._server.plain(payloads)
            return GivenOpinion.model_validate_json(plain.data)
        except (ValueError, RuntimeError) as error:
            raise InvalidRequest("it was not started with one opinion") from error

    async def _require_goal(self, goal: str, goal_run: str) -> None:
        found = await self._server.describe(goal, goal_run)
        if found is None or find_goal(found.workflow_type) is None or found.task_queue != TaskQueue.GOALS:
            raise InvalidRequest(f"there is no goal {visible(goal)!r}, or it is too old to be kept")

    async def on(self, goal_run: str) -> Sequence[KeptOpinion]:
        """Those on a run that hold, the last of each person; as many as a page shows are looked at.

        Raises:
            RPCError: The server cannot be reached.
            Unavailable: The keys are too old to tell.
        """
        last: dict[str, KeptOpinion] = {}
        async for one in self._all_on(goal_run):
            if one.person not in last or last[one.person].said_at < one.said_at:
                last[one.person] = one
        return sorted(last.values(), key=lambda one: one.said_at, reverse=True)

    async def _all_on(self, goal_run: str) -> AsyncIterator[KeptOpinion]:
        query = f"WorkflowType = '{OPINION_WORKFLOW}' AND WorkflowId STARTS_WITH {quoted(opinions_on(goal_run))}"
        async for one in self._server.client.list_workflows(query, limit=_MOST):
            if one.status is not WorkflowExecutionStatus.COMPLETED:
                continue
            try:
                yield await self.verified(one.id, one.run_id)
            except InvalidRequest:
                continue


class OpinionSteps:
    """The step that keeps one."""

    def __init__(self, opinions: Opinions) -> None:
        self._opinions = opinions

    @implements(KEEP_OPINION)
    async def keep_opinion(self, request: KeepOpinion) -> KeptOpinion:
        """Verify the opinion of the workflow whose step this is; that it did, the guard writes down.

        Raises:
            InvalidRequest: As `Opinions.verified`.
            Unavailable: Temporal or the policy cannot be read now.
        """
        del request
        info = activity.info()
        if not info.in_workflow or info.workflow_id is None or info.workflow_run_id is None:
            raise InvalidRequest(f"an opinion is kept by its {OPINION_WORKFLOW} alone")
        try:
            kept = await self._opinions.verified(info.workflow_id, info.workflow_run_id)
        except (RPCError, PolicyError) as error:
            raise Unavailable("Temporal or the policy cannot be read now; it is tried again") from error
        _OPINIONS.labels(verdict=kept.verdict, surface=kept.surface).inc(exemplar=exemplar())
        return kept


async def _told(giving: Coroutine[object, object, Outcome]) -> Outcome:
    try:
        async with asyncio.timeout(_IN_TIME):
            return await giving
    except (InvalidRequest, ValidationError) as error:
        why = "it is not one that can be kept" if isinstance(error, ValidationError) else str(error).rstrip(".")
        return Outcome(kind=Kind.REFUSED, words=f"Not counted: {why}.")
    except Exception as error:  # noqa: BLE001 - whatever it is, the person hears that nothing is confirmed
        known = isinstance(error, TimeoutError | RPCError | ConnectorError | PolicyError)
        _log.warning("an opinion is not confirmed", why=type(error).__name__, exc_info=None if known else error)
        return Outcome(kind=Kind.UNCONFIRMED, words=_NOT_YET)


def one_line(words: str) -> str:
    """What a person typed, as it is kept."""
    return visible(" ".join(words.split()))[:MAX_WORDS]


def _text(statement: OpinionStatement) -> str:
    return f"{_TAG}\n{canonical_json(statement.model_dump(mode='json'))}"


def _read(signed: SignedDecision) -> OpinionStatement:
    tag, _, body = signed.text.partition("\n")
    try:
        if tag == _TAG:
            return OpinionStatement.model_validate_json(body)
    except (ValidationError, DecisionError):
        pass
    raise InvalidRequest("what the gateway signed here is no opinion")


def _cause(error: WorkflowFailureError) -> str:
    """What the step said."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ApplicationError):
        found = found.__cause__
    return found.message.rstrip(".") if isinstance(found, ApplicationError) else "it was ended from outside"
