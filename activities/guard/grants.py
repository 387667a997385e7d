"""Verifies grants for the guard, and decisions for approvals, by the rules of `hitl.approval.grant`."""

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import Counter
from temporalio import activity

from activities.guard.granted import GiveUpRequest, GrantedRequest
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from connectors.errors import Unavailable
from hitl.approval.approvers import Path
from hitl.approval.decision import DecisionError, SignedDecision, read_decision
from hitl.approval.grant import Checked, Standing, check_click, check_giving_up, check_grant
from hitl.approval.scope import DecisionScope, Heard
from hitl.approval.sequence import SEQUENCE
from hitl.policy.file import PolicyError
from hitl.policy.rules import Policy
from hitl.protocol import Refusal, RefusalReason
from observability import names
from observability.exemplars import exemplar

_BREAK_GLASS: Final = Counter(
    names.METRIC_BREAK_GLASS, "Destructive steps that ran on an approval of the emergency path.", ("action",)
)
_log = structlog.get_logger("banksman.approvals")

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class SignedGrants:
    """The guard's `GrantVerifier`. Looks nothing up: what it needs was fetched before.

    Args:
        keys: Kept fresh by the process.
        cluster: The id of the Temporal cluster that this worker polls, as the server says it.
        clock: The time now.
    """

    def __init__(self, keys: KeyRing, *, cluster: str, clock: Clock = _now) -> None:
        if not cluster:
            raise ValueError("the Temporal cluster's id is empty; ask the server for it")
        self._keys = keys
        self._cluster = cluster
        self._clock = clock

    def verify(self, info: activity.Info, request: object, *, environment: str, policy: Policy) -> Refusal | None:
        """Say why the decisions do not cover exactly this execution, or None when they do.

        Raises:
            Unavailable: The keys are too old to tell.
        """
        if isinstance(request, GiveUpRequest):
            return self._verify_giving_up(info, request, environment=environment)
        if not isinstance(request, GrantedRequest):
            text = f"{info.activity_type!r} is destructive and takes a plan with its decisions; ask for an approval."
            return Refusal(reason=RefusalReason.NO_GRANT, explanation=text)
        scope = DecisionScope(
            environment=environment,
            cluster=self._cluster,
            namespace=info.namespace,
            workflow_id=info.workflow_id or "",
            run_id=info.workflow_run_id or "",
            step_id=info.activity_id,
            action=info.activity_type,
            plan_text=request.plan,
            position=request.position,
        )
        standing = Standing(policy=policy, keys=self._keys.current(), now=self._clock())
        found = check_grant(request.decisions, scope, standing=standing)
        if isinstance(found, Refusal):
            return found
        if found.rule.path is Path.BREAK_GLASS:
            _shout(found, info)
        return None

    def _verify_giving_up(self, info: activity.Info, request: GiveUpRequest, *, environment: str) -> Refusal | None:
        """A grant is given up by the run that it was signed for, and by no other."""
        try:
            step_id = read_decision(request.decisions[0].text).step_id if request.decisions else ""
        except DecisionError as error:
            return Refusal(reason=RefusalReason.MALFORMED_GRANT, explanation=f"{error}.")
        scope = DecisionScope(
            environment=environment,
            cluster=self._cluster,
            namespace=info.namespace,
            workflow_id=info.workflow_id or "",
            run_id=info.workflow_run_id or "",
            step_id=step_id,
            action=SEQUENCE,
            plan_text=request.plan,
        )
        found = check_giving_up(request.decisions, scope, keys=self._keys.current())
        return found if isinstance(found, Refusal) else None


class ClickCheck:
    """Checks one decision for an `Approval`, with the goals worker's own keys and policy. Callable from every thread.

    Early refusal only, so that a person hears of it at once; what counts is the guard's check.
    """

    def __init__(self, keys: KeyRing, policy: PolicySource, *, cluster: str, clock: Clock = _now) -> None:
        self._keys = keys
        self._policy = policy
        self._cluster = cluster
        self._clock = clock
        self._lock = threading.Lock()  # workflows run in threads, and the policy's source in one at a time

    def __call__(self, signed: SignedDecision, scope: DecisionScope) -> Heard | Refusal:
        """Whether it counts. Environment and cluster are this worker's, whatever the scope says."""
        here = dataclasses.replace(scope, environment=self._policy.environment, cluster=self._cluster)
        try:
            with self._lock:
                policy = self._policy.current()
            standing = Standing(policy=policy, keys=self._keys.current(), now=self._clock())
        except (PolicyError, Unavailable) as error:
            return Refusal(
                reason=RefusalReason.CANNOT_TELL,
                explanation=f"This cannot be counted now; try again when it is mended: {error}",
            )
        return check_click(signed, here, standing=standing)


def _shout(found: Checked, info: activity.Info) -> None:
    """An emergency is heard of: in the log, in the metrics, and by the alert on them."""
    _BREAK_GLASS.labels(action=info.activity_type).inc(exemplar=exemplar())
    _log.warning(
        "BREAK GLASS: a destructive step runs on an emergency approval",
        action=info.activity_type,
        workflow_id=info.workflow_id,
        run_id=info.workflow_run_id,
        approval=found.decision.approval_id,
        requester=found.requester,
        rule=str(found.rule),
    )
