"""The guard: one interceptor around every activity execution of every worker. No activity repeats any of it.

Before a step it checks, in this order: the step declares its effect and this worker's role runs such steps; it was
given the one request it declares; a destructive step, or one on a goal's account, belongs to a workflow, is no local
activity and has its ids; the environment's phase, the policy, and what the role's own file forbids; for one that costs
something, the budget (`activities.guard.budgets`), from which it reserves; for a destructive step, what
`activities.guard.safeguards` says. A refusal is `PolicyDenied` with a `Denial` in its details, an audit event and a
metric. After it, errors are mapped by `activities.guard.errors`.

What is broken is not denied: an unreadable policy file or an audit log that cannot be written is `Unavailable`, so
that the step waits until it is mended. No step runs without its `allowed` event written. An event that cannot be
written after the step is logged and counted instead: failing a step that had its effect would have it done twice.

It all runs on the event loop: one `stat` and two short appends to a local file without `fsync` take a fifth of a
millisecond, and handing them to a thread took four times that. Nothing is awaited between a check and an ordinary step.
A destructive one costs a question to Temporal and a record in Vault, and looks once more right before its effect: see
`activities.guard.withheld`.
"""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Final

from opentelemetry import trace
from prometheus_client import Counter, Histogram
from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.guard import renamed, who_asked
from activities.guard.audit import AuditEvent, AuditLog, AuditRecord, Outcome
from activities.guard.budgets import Budgets, Reservation, refused_for_sure, spend_of
from activities.guard.current_attempt import CurrentAttempt, NotCurrent, begin
from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.guard.errors import mapped_errors
from activities.guard.policy_source import PolicySource
from activities.guard.receipts import answer_digest, model_of, opinion_of, request_digest, way_of
from activities.guard.rules import Authorizer, Decision, Execution, OwnRules
from activities.guard.safeguards import Safeguards
from activities.guard.step_metrics import count_answer, count_attempt
from activities.guard.who_asked import Requesters
from activities.step import ORDINARY_EFFECTS
from connectors.errors import ConnectorError
from hitl.policy.file import PolicyError
from hitl.policy.rules import Budget, Policy
from hitl.protocol import Effect, HasEnded, Refusal, RefusalReason
from observability import names
from observability.exemplars import exemplar

_DECISIONS: Final = Counter(
    names.METRIC_GUARD_DECISIONS,
    "Steps that the guard looked at, by what it decided; `broken` is a fault, not a denial.",
    ("action", "effect", "decision", "reason"),
)
_SECONDS: Final = Histogram(
    names.METRIC_GUARD_SECONDS,
    "What the guard itself cost a step, policy and audit included.",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0),
)
_AUDIT_EVENTS: Final = Counter(
    names.METRIC_AUDIT_EVENTS, "Events for the audit log, by whether they could be written.", ("event", "written")
)
_UNSETTLED: Final = Counter(
    names.METRIC_BUDGET_UNSETTLED, "Steps whose cost could not be written down after them; what they reserved counts."
)

_LOG: Final = logging.getLogger(__name__)


class GuardInterceptor(Interceptor):
    """Guards every activity of one worker. List it right after tracing, so that its verdict is on the step's span.

    Args:
        policy: The policy of this worker's environment.
        audit: The audit log of this role.
        role: The worker's role, as the audit log names it.
        effects: What this role may run; `DESTRUCTIVE_EFFECTS` for the destructive worker.
        safeguards: Of destructive steps; without them every one is refused.
        budgets: The book of what steps cost; without it every one is refused that costs something under a budget.
        own: What the role's own file forbids beside the policy.
        requesters: Tells who asked for a goal, of steps on a goal's account; without it the goal's word stands.
    """

    def __init__(  # noqa: PLR0913 - all that a role's guard may have
        self,
        policy: PolicySource,
        audit: AuditLog,
        *,
        role: str,
        effects: frozenset[Effect] = ORDINARY_EFFECTS,
        safeguards: Safeguards | None = None,
        budgets: Budgets | None = None,
        own: OwnRules | None = None,
        requesters: Requesters | None = None,
    ) -> None:
        self.environment = policy.environment
        self._requesters = requesters
        self._policy = policy
        self._audit = audit
        self._role = role
        self._safeguards = safeguards
        self._budgets = budgets
        grants = safeguards.grants if safeguards is not None else None
        self._authorizer = Authorizer(policy.environment, role, effects=effects, grants=grants, own=own)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        """Called by the worker for every execution."""
        return _GuardedActivity(next, self)

    def attempt(self, execution: Execution) -> CurrentAttempt | None:
        """What a destructive step has to be, from here to its end; None for every other."""
        if execution.effect is not Effect.DESTRUCTIVE or self._safeguards is None:
            return None
        attempt = CurrentAttempt(execution.info, self._safeguards.attempts)
        begin(attempt)
        return attempt

    async def before(self, execution: Execution, attempt: CurrentAttempt | None) -> tuple[Decision, Reservation | None]:
        """Decide, reserve what it may cost, and record the decision.

        Raises:
            ApplicationError: `Unavailable` when the policy, the grant's keys, Temporal, the record of used grants or
                the audit log cannot be used now.
        """
        with mapped_errors():
            try:
                policy = self._policy.current()
                execution = await self._known(execution, policy)
                decision = replace(self._authorizer.decide(execution, policy), policy=policy.digest or None)
                decision, reservation = await self._reserve(execution, decision)
                if self._safeguards is not None and attempt is not None and decision.reason is None:
                    refusal = await self._safeguards.admit(execution, attempt)
                    decision = decision if refusal is None else decision.refused(refusal)
                    if refusal is not None:
                        await self._give_back(reservation, ErrorType.POLICY_DENIED)
                record = self._record_decision(execution, decision)
            except (PolicyError, OSError) as error:
                what = "the policy file cannot be used" if isinstance(error, PolicyError) else "the audit log failed"
                _count(execution, "broken", None)
                _LOG.error("%s, so no step runs until it is mended: %s", what, error)
                text = f"{execution.action!r} waits: {what}. An operator must mend it: {error}"
                raise application_error(ErrorType.UNAVAILABLE, text) from None
        # Costs more than all of the above; it waits until the step waits for its provider.
        asyncio.get_running_loop().call_soon(self._audit.announce, record)
        return decision, reservation

    async def _known(self, execution: Execution, policy: Policy) -> Execution:
        """The same with who asked for its goal, where this role finds out."""
        if self._requesters is None or execution.step is None or not execution.step.owned:
            return execution
        origin = await self._requesters.of(execution.info, policy)
        who_asked.begin(origin, policy.people)
        return replace(execution, requester=origin.requester)

    def also(self, execution: Execution, repository: str) -> None:
        """Decide about the same step on the name that its repository has now, and record that.

        Raises:
            ApplicationError: It may not; or the policy or the audit log cannot be used now.
        """
        with mapped_errors():
            try:
                policy = self._policy.current()
                decision = self._authorizer.decide_renamed(execution, policy, repository)
                record = self._record_decision(execution, replace(decision, policy=policy.digest or None))
            except (PolicyError, OSError) as error:
                text = f"{execution.action!r} waits: the policy file or the audit log cannot be used: {error}"
                raise application_error(ErrorType.UNAVAILABLE, text) from None
        asyncio.get_running_loop().call_soon(self._audit.announce, record)
        self.show(execution, decision)
        if (denial := decision.denial(execution, environment=self.environment)) is not None:
            raise policy_denied(denial)

    async def ended(self, execution: Execution, attempt: CurrentAttempt | None, answer: object) -> None:
        """Write down that a step of a plan of many has ended, before anybody hears of it.

        Raises:
            ConnectorError: It cannot be written now: the step is tried again, as after any lost answer.
        """
        if attempt is not None and self._safeguards is not None:
            await self._safeguards.ended(execution, answer)

    async def settle(self, reservation: Reservation | None, answer: object) -> None:
        """Write down what an execution has cost. Never raises for a book that cannot be written: the effect is had."""
        if reservation is None or self._budgets is None:
            return
        try:
            await self._budgets.settle(reservation, answer)
        except ConnectorError:
            _UNSETTLED.inc(exemplar=exemplar())
            _LOG.exception("what a step has cost is not written down; what it reserved counts")

    async def give_back_hours(self, answer: object) -> None:
        """Give back what was paid for hours that something did not run. Never raises: the end is had."""
        ended = answer.resource_ended() if isinstance(answer, HasEnded) else None
        if ended is None or self._budgets is None or self._policy.settings().budget is None:
            return
        try:
            await self._budgets.give_back_hours(ended)
        except ConnectorError:
            _UNSETTLED.inc(exemplar=exemplar())
            _LOG.exception("what was paid for unused hours is not given back yet")

    async def give_back(self, reservation: Reservation | None, error: BaseException) -> None:
        """Give back what a refused execution had reserved. Whatever may have had an effect keeps it."""
        await self._give_back(reservation, error.type if isinstance(error, ApplicationError) else None)

    async def _give_back(self, reservation: Reservation | None, kind: str | None) -> None:
        if reservation is None or self._budgets is None or not refused_for_sure(reservation, kind):
            return
        try:
            await self._budgets.release(reservation)
        except ConnectorError:
            _UNSETTLED.inc(exemplar=exemplar())
            _LOG.exception("what a refused step had reserved is not given back")

    async def _reserve(self, execution: Execution, decision: Decision) -> tuple[Decision, Reservation | None]:
        """Before a grant is used up: what has no room is not to cost an approval."""
        try:
            budget = self._budget(execution) if decision.reason is None else None
            cents = spend_of(execution) if budget is not None else 0
        except ValueError as error:
            text = f"{execution.action!r} does not say clearly what it costs: {error}."
            return decision.refused(Refusal(reason=RefusalReason.MALFORMED_REQUEST, explanation=text)), None
        if budget is None or cents <= 0:
            return decision, None
        found = await self._room(execution, cents, budget)
        return (decision.refused(found), None) if isinstance(found, Refusal) else (decision, found)

    def _budget(self, execution: Execution) -> Budget | None:
        """The one in force for this execution, with what its plan tightens of it."""
        return execution.policy(self._policy.current()).environments[self.environment].budget

    async def _room(self, execution: Execution, cents: int, budget: Budget) -> Reservation | Refusal:
        if self._budgets is None:
            text = f"{execution.action!r} costs something, and this worker keeps no book of a budget; it cannot run."
            return Refusal(reason=RefusalReason.BUDGET, explanation=text)
        return await self._budgets.reserve(execution, cents, budget)

    def after(self, execution: Execution, decision: Decision, outcome: Outcome, attempt: CurrentAttempt | None) -> None:
        """Record how the step ended. Never raises for a log that fails."""
        count_attempt(execution, outcome)
        event = self._event(execution, decision, outcome)
        if attempt is not None and attempt.refused and outcome.event != "finished":
            event = event.model_copy(update={"reason": RefusalReason.NOT_CURRENT})
        try:
            record = self._record(event)
        except OSError:
            _LOG.exception("the end of a step is missing from the audit log: %s", event.model_dump_json())
        else:
            asyncio.get_running_loop().call_soon(self._audit.announce, record)

    def _record_decision(self, execution: Execution, decision: Decision) -> AuditRecord:
        event = self._event(execution, decision, Outcome(event="denied" if decision.reason else "allowed"))
        if decision.reason is None:
            told = {"approval": execution.approval(), "request": request_digest(execution)}
            event = event.model_copy(update=told)
        return self._record(event)

    def _event(self, execution: Execution, decision: Decision, outcome: Outcome) -> AuditEvent:
        info = execution.info
        return AuditEvent(
            **outcome.model_dump(),
            environment=self.environment,
            role=self._role,
            action=execution.action,
            effect=execution.effect,
            phase=decision.phase,
            reason=decision.reason,
            rule=decision.rule,
            workflow_id=info.workflow_id,
            workflow_type=info.workflow_type,
            run_id=info.workflow_run_id,
            activity_id=info.activity_id,
            attempt=info.attempt,
            context=decision.context.fields(),
            policy=decision.policy,
        )

    def _record(self, event: AuditEvent) -> AuditRecord:
        written = "no"
        try:
            record = self._audit.append(event)
            written = "yes"
        finally:
            _AUDIT_EVENTS.labels(event=event.event, written=written).inc(exemplar=exemplar())
        return record

    def show(self, execution: Execution, decision: Decision) -> None:
        """Put the decision on the step's span and into the metrics."""
        decided = "denied" if decision.reason else "allowed"
        _count(execution, decided, decision.reason)
        span = trace.get_current_span()
        span.set_attribute(names.ATTR_ENVIRONMENT, self.environment)
        span.set_attribute(names.ATTR_EFFECT, execution.effect or "undeclared")
        span.set_attribute(names.ATTR_PHASE, decision.phase or "unknown")
        span.set_attribute(names.ATTR_DECISION, decided)
        if decision.reason:
            span.set_attribute(names.ATTR_REASON, decision.reason)


class _GuardedActivity(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, guard: GuardInterceptor) -> None:
        super().__init__(next_)
        self._guard = guard

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        began = time.perf_counter()
        execution = Execution(info=activity.info(), fn=input.fn, args=tuple(input.args))
        attempt = self._guard.attempt(execution)
        decision, reservation = await self._guard.before(execution, attempt)
        self._guard.show(execution, decision)
        cost = time.perf_counter() - began
        if (denial := decision.denial(execution, environment=self._guard.environment)) is not None:
            _SECONDS.observe(cost, exemplar())
            if attempt is not None:
                await attempt.settle()
            raise policy_denied(denial)
        renamed.begin(lambda repository: self._guard.also(execution, repository))
        outcome = _Running()
        try:
            with mapped_errors():
                answer = await self._run(input, attempt)
                await self._guard.ended(execution, attempt, answer)
            outcome.answered(answer)
        except BaseException as error:
            outcome.failed(error)
            await self._guard.give_back(reservation, error)
            raise
        else:
            await self._guard.settle(reservation, answer)
            await self._guard.give_back_hours(answer)
            count_answer(execution, answer)
            return answer
        finally:
            ended = time.perf_counter()
            self._guard.after(execution, decision, outcome.outcome(execution), attempt)
            _SECONDS.observe(cost + time.perf_counter() - ended, exemplar())

    async def _run(self, input: ExecuteActivityInput, attempt: CurrentAttempt | None) -> object:  # noqa: A002 - the SDK's
        try:
            return await super().execute_activity(input)
        except NotCurrent:
            if attempt is not None:
                await attempt.settle()
            raise


class _Running:
    """Watches one run of a step."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._error: BaseException | None = None
        self._answer: object = None

    def answered(self, answer: object) -> None:
        """It ended with this."""
        self._answer = answer

    def failed(self, error: BaseException) -> None:
        """It ended with this."""
        self._error = error

    def outcome(self, execution: Execution) -> Outcome:
        """How it ended, what it answered, and how long it took."""
        took = round((time.perf_counter() - self._began) * 1000, 3)
        match self._error:
            case None:
                digest, way = answer_digest(execution, self._answer), way_of(self._answer)
                opinion, model = opinion_of(self._answer), model_of(self._answer)
                return Outcome(event="finished", duration_ms=took, answer=digest, way=way, opinion=opinion, model=model)
            case asyncio.CancelledError() | CancelledError():
                return Outcome(event="cancelled", duration_ms=took)
            case ApplicationError(type=str() as kind):
                return Outcome(event="failed", error=kind, duration_ms=took)
            case error:
                return Outcome(event="failed", error=type(error).__name__, duration_ms=took)


def _count(execution: Execution, decision: str, reason: RefusalReason | None) -> None:
    effect = execution.effect or "undeclared"
    _DECISIONS.labels(action=execution.action, effect=effect, decision=decision, reason=reason or "none").inc(
        exemplar=exemplar()
    )
