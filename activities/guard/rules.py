"""What the guard decides about one execution of a step. The order of its checks: see `activities.guard.interceptor`."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from temporalio import activity

from activities.guard.approval_facts import ApprovalFacts, HasApprovalFacts
from activities.step import Step, step_of
from hitl.approval.stricter import Stricter
from hitl.policy.rules import Deny, Policy, evaluate
from hitl.policy.together import policy_for
from hitl.protocol import Denial, Effect, HasPolicyContext, Phase, PolicyContext, Refusal, RefusalReason


class GrantVerifier(Protocol):
    """Checks the grant in a destructive step's request. Offline and quick: it runs on the event loop."""

    def verify(self, info: activity.Info, request: object, *, environment: str, policy: Policy) -> Refusal | None:
        """Say why the grant does not cover exactly this execution, or None when it does.

        Raises:
            connectors.errors.Unavailable: When that cannot be told now.
        """
        ...


class OwnRules(Protocol):
    """What a role's own file forbids beside the policy."""

    def refuse(self, request: object) -> Refusal | None:
        """Say why a step may not be asked for this, or None where it may."""
        ...


@runtime_checkable
class HasTightening(Protocol):
    """A request whose service tightens the deployment's policy."""

    def policy_tightening(self) -> Stricter | None:
        """How; None where it does not.

        Raises:
            ValueError: It cannot be read.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a step, as the guard sees it."""

    info: activity.Info
    fn: Callable[..., object]
    args: tuple[object, ...]
    requester: str | None = None
    """Who asked for its goal, where this role's guard finds out."""

    @property
    def action(self) -> str:
        """The step's name."""
        return self.info.activity_type

    @property
    def effect(self) -> Effect | None:
        """What its step declares, where it implements one."""
        return self.step.effect if self.step is not None else None

    @property
    def step(self) -> Step[Any, Any] | None:
        """The step that it implements, if any."""
        return step_of(self.fn)

    @property
    def request(self) -> object:
        """The one thing it was given, if anything."""
        return self.args[0] if self.args else None

    def context(self) -> PolicyContext:
        """What the request says it touches, and who asked for it where the guard knows that better."""
        found = self.request.policy_context() if isinstance(self.request, HasPolicyContext) else PolicyContext()
        return found if self.requester is None else found.model_copy(update={"requester": self.requester})

    def policy(self, policy: Policy) -> Policy:
        """The deployment's policy, with what the request's plan tightens of it.

        Raises:
            ValueError: That cannot be read.
        """
        if isinstance(self.request, HasTightening):
            return policy_for(policy, self.request.policy_tightening())
        return policy

    def approval(self) -> ApprovalFacts | None:
        """The approval that the request is about; nothing where it is about none, or cannot say."""
        try:
            return self.request.approval_facts() if isinstance(self.request, HasApprovalFacts) else None
        except ValueError:
            return None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the guard decided, with what the audit log keeps of it."""

    reason: RefusalReason | None = None
    rule: str | None = None
    explanation: str = ""
    phase: Phase | None = None
    context: PolicyContext = field(default_factory=PolicyContext)
    policy: str | None = None
    """The digest of the policy file that decided."""

    def refused(self, refusal: Refusal) -> "Decision":
        """The same, but for what came to light later."""
        return replace(self, reason=refusal.reason, explanation=refusal.explanation)

    def denial(self, execution: Execution, *, environment: str) -> Denial | None:
        """The refusal as the goal gets it; None where the step may run."""
        if self.reason is None:
            return None
        return Denial(
            reason=self.reason,
            action=execution.action,
            effect=execution.effect,
            environment=environment,
            phase=self.phase,
            rule=self.rule,
            explanation=self.explanation,
        )


class Authorizer:
    """Decides for one worker: what its role may run, under the policy it is given.

    Args:
        environment: This deployment's environment; the policy names it.
        role: The worker's role, for messages.
        effects: What this role may run.
        grants: Verifies grants; without one every destructive step is refused.
        own: What the role's own file forbids; nothing without.
    """

    def __init__(
        self,
        environment: str,
        role: str,
        *,
        effects: frozenset[Effect],
        grants: GrantVerifier | None,
        own: OwnRules | None = None,
    ) -> None:
        self._environment = environment
        self._role = role
        self._effects = effects
        self._grants = grants
        self._own = own

    def decide(self, execution: Execution, policy: Policy) -> Decision:
        """Decide about one execution.

        Raises:
            connectors.errors.Unavailable: When the grant cannot be checked now.
        """
        phase = policy.environments[self._environment].phase
        effect = execution.effect
        if effect is None:
            return _refuse(
                execution,
                phase,
                RefusalReason.UNDECLARED,
                "implements no step, so that it declares no effect; mark it with @implements(…)",
            )
        if refused := self._refuse_form(execution, effect, phase):
            return refused
        try:
            context, tightened = execution.context(), execution.policy(policy)
        except ValueError as error:
            return _refuse(
                execution, phase, RefusalReason.MALFORMED_REQUEST, f"was asked for something unclear: {error}"
            )
        if execution.step is not None and execution.step.gives_up:
            refusal = self._check_grant(execution, policy)
            reason, explanation = (refusal.reason, refusal.explanation) if refusal else (None, "")
            return Decision(reason=reason, explanation=explanation, phase=phase, context=context)
        phase = tightened.environments[self._environment].phase
        verdict = evaluate(tightened, self._environment, action=execution.action, effect=effect, context=context)
        reason = verdict.reason if isinstance(verdict, Deny) else None
        explanation, rule = verdict.explanation, verdict.rule
        if reason is None and effect is Effect.DESTRUCTIVE and (refusal := self._check_grant(execution, policy)):
            reason, explanation = refusal.reason, refusal.explanation
        if reason is None and self._own is not None and (refusal := self._own.refuse(execution.request)):
            reason, explanation = refusal.reason, refusal.explanation
        return Decision(reason=reason, rule=rule, explanation=explanation, phase=phase, context=context)

    def decide_renamed(self, execution: Execution, policy: Policy, repository: str) -> Decision:
        """Decide about one that may run, on the name that its repository has now, as in `OWNER/NAME`."""
        phase = policy.environments[self._environment].phase
        effect = execution.effect
        context, tightened = execution.context(), execution.policy(policy)
        there = PolicyContext.of_repository(repository)
        context = context.model_copy(update=there.model_dump(include={"repository_owner", "repository_name"}))
        if effect is None or effect is Effect.DESTRUCTIVE:
            text = f"{execution.action!r} is destructive, and its repository is called {repository!r} by now."
            return Decision(reason=RefusalReason.NO_GRANT, explanation=text, phase=phase, context=context)
        verdict = evaluate(tightened, self._environment, action=execution.action, effect=effect, context=context)
        reason = verdict.reason if isinstance(verdict, Deny) else None
        phase = tightened.environments[self._environment].phase
        explanation = f"The repository is called {repository!r} by now. {verdict.explanation}"
        return Decision(reason=reason, rule=verdict.rule, explanation=explanation, phase=phase, context=context)

    def _refuse_form(self, execution: Execution, effect: Effect, phase: Phase) -> Decision | None:
        """Refuse what no policy could allow."""
        if effect not in self._effects:
            text = f"is {effect}, and the {self._role!r} worker does not run such steps"
            return _refuse(execution, phase, RefusalReason.WRONG_WORKER, text)
        if execution.step is None or not execution.step.fits(execution.args):
            text = "was not given the one request it declares; start it from its goal"
            return _refuse(execution, phase, RefusalReason.MALFORMED_REQUEST, text)
        if (effect is Effect.DESTRUCTIVE or execution.step.owned) and (found := _unowned(execution.info, effect)):
            return _refuse(execution, phase, *found)
        return None

    def _check_grant(self, execution: Execution, policy: Policy) -> Refusal | None:
        if self._grants is None:
            text = f"{execution.action!r} is destructive, and this deployment verifies no grants; it cannot run."
            return Refusal(reason=RefusalReason.NO_GRANT, explanation=text)
        return self._grants.verify(execution.info, execution.request, environment=self._environment, policy=policy)


def _unowned(info: activity.Info, effect: Effect) -> tuple[RefusalReason, str] | None:
    """Why an execution cannot be tied to a run of a workflow: what a grant is signed for, and who pays."""
    it = "is destructive" if effect is Effect.DESTRUCTIVE else "is on a goal's account"
    if not info.in_workflow:
        return RefusalReason.STANDALONE, f"{it} and was started without a workflow; start a goal instead"
    if info.is_local:
        return RefusalReason.LOCAL_ACTIVITY, f"{it} and was called as a local activity; call it on its queue"
    if not (info.workflow_id and info.workflow_run_id and info.activity_id and info.namespace):
        return RefusalReason.MISSING_ID, f"{it} and its workflow, run or step has no id; start a goal instead"
    return None


def _refuse(execution: Execution, phase: Phase, reason: RefusalReason, text: str) -> Decision:
    return Decision(reason=reason, phase=phase, explanation=f"{execution.action!r} {text}.")
