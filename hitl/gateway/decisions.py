"""From a click to a counted decision, the same for every surface: look at the server, sign, send, say what came of it.

It holds no state. The update's id is made of approval, person and time of the click, so that an envelope that comes
twice, or a click that is sent again after a restart, counts once.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlencode

import structlog
from prometheus_client import Counter
from temporalio.client import (
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.approvals.contracts import ResolvedRule
from activities.guard.error_types import denial_of
from connectors.errors import ConnectorError
from hitl.approval.decision import CoveredStep, Decision, DecisionError, SignedDecision, StepUp, Surface, Verdict
from hitl.approval.grant import execution_expiry
from hitl.approval.plan import plan_digest
from hitl.approval.sequence import SequencePlan
from hitl.approval.together import AskingRule, RulesTogether, also_of, covered, wants_key
from hitl.gateway.goal_starter import GoalStarter, Sign
from hitl.gateway.server import FoundApproval, NotAnApproval, Server
from hitl.policy.file import PolicyError
from hitl.policy.rules import Policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from observability import names
from observability.exemplars import exemplar
from workflows.approval.contracts import DecisionReceipt

_CLICKS: Final = Counter(names.METRIC_CLICKS, "What people clicked, and what became of it.", ("surface", "outcome"))
_IN_TIME: Final = 2.6
"""Seconds for all of it: a surface has three to answer."""
_ACCEPTED: Final = timedelta(seconds=2)
_AGAIN: Final = 0.05
_NOT_YET: Final = (
    "Not confirmed yet: {why}. The buttons stay; look at the message in a minute, and click again if it still waits."
)
_WHY: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no worker or server answered in time"),
    (RPCError, "Temporal does not answer now"),
    (WorkflowUpdateRPCTimeoutOrCancelledError, "no worker answered in time"),
    (ConnectorError, "Vault does not sign now"),
    (PolicyError, "the policy cannot be read now"),
)
_BROKEN: Final = "something went wrong, and an operator finds it in the gateway's log"
_log = structlog.get_logger("banksman.gateway")


class PolicyInForce(Protocol):
    """The policy, as `activities.guard.policy_source.PolicySource` reads it."""

    environment: str
    since: datetime
    """When this process first saw it as it is now."""

    def current(self) -> Policy:
        """The policy now. Raises `PolicyError`."""
        ...


class Kind(StrEnum):
    """What became of a click."""

    COUNTED = "counted"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    """Nobody can say yet. The same click may come again."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the person is told."""

    kind: Kind
    words: str
    link: str | None = None
    """Where it can be decided instead."""


@dataclass(frozen=True, kw_only=True)
class Click:
    """What one person decided, once. The same click sent again has the same `clicked_at`.

    Attributes:
        digest: Of the plan that was shown.
        identity: As in `slack:U0ALICE`, authenticated by the surface.
        reason: One line of at most 500 characters, nothing hidden in it.
        step_up: The person's confirmation with a key of their own, where they gave one.
    """

    approval_id: str
    digest: str
    identity: str
    verdict: Verdict
    reason: str
    surface: Surface
    clicked_at: datetime
    step_up: StepUp | None = None

    def update_id(self, person: str) -> str:
        """One per approval, person and time of the click."""
        parts = (self.approval_id, person, self.clicked_at.astimezone(UTC).isoformat())
        return "click-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


class _Refused(Exception):
    """For a reason that the person is told; `link` is where it can be decided instead."""

    def __init__(self, words: str, *, link: str | None = None) -> None:
        super().__init__(words)
        self.link = link


class DecisionService:
    """Decides nothing: it says who clicked on what, with its signature under it."""

    def __init__(
        self, server: Server, policy: PolicyInForce, *, sign: Sign, starts: GoalStarter, console: str | None = None
    ) -> None:
        self._console = console
        self._server = server
        self._policy = policy
        self._sign = sign
        self._starts = starts

    async def decide(self, click: Click) -> Outcome:
        """Have a click counted, or say why not. Within three seconds, and never by an exception."""
        outcome = await self._outcome(click)
        _CLICKS.labels(surface=click.surface.value, outcome=outcome.kind.value).inc(exemplar=exemplar())
        # A refusal leaves nothing in the approval's history: who was refused what is told here alone.
        _log.info(
            "a person clicked",
            approval=click.approval_id,
            identity=click.identity,
            verdict=click.verdict.value,
            surface=click.surface.value,
            outcome=outcome.kind.value,
            words=outcome.words,
        )
        return outcome

    async def _outcome(self, click: Click) -> Outcome:
        try:
            async with asyncio.timeout(_IN_TIME):
                return await self._decide(click)
        except (_Refused, NotAnApproval, DecisionError) as error:
            link = error.link if isinstance(error, _Refused) else None
            return Outcome(kind=Kind.REFUSED, words=f"Not counted. {error}", link=link)
        except Exception as error:  # noqa: BLE001 - whatever it is, the person hears that nothing is confirmed
            return self._unconfirmed(click, error)

    def _unconfirmed(self, click: Click, error: Exception) -> Outcome:
        why = next((words for kind, words in _WHY if isinstance(error, kind)), None)
        _log.warning(
            "a click is not confirmed",
            approval=click.approval_id,
            why=why or type(error).__name__,
            exc_info=error if why is None else None,
        )
        why = why or _BROKEN
        return Outcome(kind=Kind.UNCONFIRMED, words=_NOT_YET.format(why=why))

    async def _decide(self, click: Click) -> Outcome:
        policy = self._policy.current()
        person = policy.people.person(click.identity)
        if person is None:
            raise _Refused(f"{policy.source} does not know {click.identity!r}; an operator can add it under `people`.")
        if click.surface is Surface.GITHUB and not policy.github.approvals:
            raise _Refused(
                f"{policy.source} lets nobody decide on GitHub (`github.approvals`); decide in Slack or the console."
            )
        found = await self._server.approval(click.approval_id)
        if plan_digest(found.request.plan) != click.digest:
            raise _Refused("What you were shown is not the plan of this approval; look at the message again.")
        if not found.running:
            return await self._earlier(click, found, person)
        if not found.goal_running:
            raise _Refused("The goal that asked for this is gone, so there is nothing to decide any more.")
        text = (await self._decision(click, found, policy=policy, person=person)).text()
        signed = SignedDecision.from_vault(text, await self._sign(text))
        return await self._send(signed, found, update_id=click.update_id(person))

    async def _decision(self, click: Click, found: FoundApproval, *, policy: Policy, person: str) -> Decision:
        """What is signed: every id as the server says it, the digest from the plan's own bytes."""
        environment, action = self._policy.environment, found.plan.action
        rule, asked = (
            rule_for(policy, environment, plan=found.plan, path=found.request.rule.path),
            found.request.rule,
        )
        requester = await self._starts.requester(found.goal, found.goal_start, policy.people)
        # Who asked does not decide; a no of theirs takes it back.
        mine = click.verdict is Verdict.REJECT and policy.people.requester(requester) == person
        if not mine and click.verdict is not Verdict.WITHDRAW:
            _require_member(person, rule, policy, asked=asked if click.verdict is not Verdict.APPROVE else None)
        no = click.verdict is not Verdict.APPROVE
        bare = not no and click.step_up is None
        if bare and not isinstance(rule, Refusal) and wants_key(rule, person, policy.people):
            raise self._confirm_first(click, rule)
        limits = asked if isinstance(rule, Refusal) else rule
        return Decision(
            environment=environment,
            cluster=self._server.cluster,
            namespace=self._server.client.namespace,
            workflow_id=found.goal,
            run_id=found.goal_run_id,
            action=action,
            step_id=found.request.step_id,
            plan_digest=plan_digest(found.request.plan),
            rule_digest=asked.digest if isinstance(rule, Refusal) else rule.digest(environment, action),
            requester=requester,
            person=person,
            identity=click.identity,
            surface=click.surface,
            verdict=Verdict.WITHDRAW if mine else click.verdict,
            reason=click.reason,
            approval_id=found.id,
            approval_run_id=found.run_id,
            decided_at=datetime.now(UTC),
            expires_at=execution_expiry(found.opened_at, limits),
            nonce=secrets.token_hex(16),
            step_up=click.step_up,
            steps=_steps_of(found, rule, person, policy),
            also=None if isinstance(rule, Refusal) or no else also_of(rule, person, policy.people),
        )

    def _confirm_first(self, click: Click, rule: AskingRule) -> _Refused:
        """Nothing is signed that the guard would not take. A no needs no key."""
        words = f"Approving this takes your security key ({rule}): "
        if self._console is None:
            return _Refused(f"{words}no console is served where it could be used; an operator must set one up.")
        link = (
            f"{self._console.rstrip('/')}/approval/decide?{urlencode({'id': click.approval_id, 'verdict': 'approve'})}"
        )
        return _Refused(
            f"{words}confirm it in the console. To reject it, or to ask for changes, takes none.", link=link
        )

    async def _send(self, signed: SignedDecision, found: FoundApproval, *, update_id: str) -> Outcome:
        handle = self._server.client.get_workflow_handle(found.id, run_id=found.run_id)
        while True:
            try:
                sent = await handle.start_update(
                    "decide",
                    signed,
                    id=update_id,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    result_type=DecisionReceipt,
                    rpc_timeout=_ACCEPTED,
                )
                return _told(await sent.result())
            except WorkflowUpdateFailedError as error:
                raise _Refused(_why(error)) from error
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    raise _Refused("This is over: it ended while you clicked.") from error
                # The approval's worker went away with the update in its hands; the same id may be sent again.
                if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                    raise
                await asyncio.sleep(_AGAIN)

    async def _earlier(self, click: Click, found: FoundApproval, person: str) -> Outcome:
        """What became of this very click, on an approval that has ended."""
        handle = self._server.client.get_workflow_handle(found.id, run_id=found.run_id)
        sent = handle.get_update_handle(click.update_id(person), result_type=DecisionReceipt)
        try:
            return _told(await sent.result(rpc_timeout=timedelta(seconds=1)))
        except (RPCError, WorkflowUpdateFailedError) as error:
            raise _Refused("This is over: nothing can be decided on it any more.") from error


def _steps_of(
    found: FoundApproval, rule: AskingRule | Refusal, person: str, policy: Policy
) -> tuple[CoveredStep, ...] | None:
    """What the decision counts for, in a plan of many steps: what this person decides on by the policy, now."""
    if not isinstance(found.plan, SequencePlan):
        return None
    if not isinstance(rule, RulesTogether):
        return ()
    escalation = rule.escalation
    later = escalation is not None and datetime.now(UTC) >= found.opened_at + escalation.after
    return covered(rule, person, policy.people, later=later)


def _require_member(person: str, rule: AskingRule | Refusal, policy: Policy, *, asked: ResolvedRule | None) -> None:
    """Nothing is signed for somebody whom no rule names. Who decides when, the approval says.

    Args:
        person: Who clicked.
        rule: The one in force.
        policy: The policy.
        asked: The rule that was asked by, where it is a no: that counts whatever the rule is by now.
    """
    if isinstance(rule, Refusal) and asked is None:
        raise _Refused(rule.explanation)
    groups = () if isinstance(rule, Refusal) else rule.all_groups
    if asked is not None:
        groups = tuple(dict.fromkeys((*groups, *asked.groups, *asked.later_groups)))
    if person not in policy.people.members(groups):
        by = "" if isinstance(rule, Refusal) else f" by {rule}"
        raise _Refused(f"{person!r} is not in {' or '.join(map(repr, groups))}, who approve this{by}.")


def _told(receipt: DecisionReceipt) -> Outcome:
    if not receipt.counted:
        raise _Refused("Who approves this has changed since it was asked: the goal asks again, in a new message.")
    words = f"Counted: {receipt.approvals} of {receipt.needs} approved; it is {receipt.state.value.replace('_', ' ')}."
    return Outcome(kind=Kind.COUNTED, words=words)


def _why(error: WorkflowUpdateFailedError) -> str:
    denial = denial_of(error.cause)
    if denial is not None:
        return denial.explanation
    return error.cause.message if isinstance(error.cause, ApplicationError) else "The approval refused it."
