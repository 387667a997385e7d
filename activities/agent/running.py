"""The steps that say whether a bound plan may be run: on people's grant, or, where it only writes, by the policy."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from activities.agent.contracts import (
    RUN_PLAN,
    RUN_UNASKED,
    PlanAllowed,
    RunPlanParameters,
    RunUnasked,
    UnaskedAnswer,
)
from activities.guard.granted import GrantedRequest
from activities.guard.policy_source import PolicySource
from activities.step import implements
from hitl.plan_language.bound import BoundPlan, read_bound
from hitl.plan_language.catalogue import EFFECTS, Catalogue
from hitl.policy.rules import Deny, Policy, evaluate
from hitl.protocol import Effect, Phase


class PlanGrants:
    """Lets a plan be run, where the guard has let this step run: nothing else is left to do."""

    @implements(RUN_PLAN)
    async def run_plan(self, request: GrantedRequest) -> PlanAllowed:
        """Say which bound plan people allow.

        Raises:
            PlanError: The plan is about something else, or says of the bound plan in it what it is not.
        """
        return PlanAllowed(digest=request.approved().parameters_as(RunPlanParameters).bound().digest())


class UnaskedPlans:
    """The step, with the policy and the catalogue that it reads."""

    def __init__(self, policy: PolicySource, catalogue: Callable[[], Catalogue]) -> None:
        self._policy = policy
        self._catalogue = catalogue

    @implements(RUN_UNASKED)
    async def run_unasked(self, request: RunUnasked) -> UnaskedAnswer:
        """Whether a rule names it: silence is no. What destroys is never run so.

        Raises:
            BoundError: It is no bound plan of this release.
            PolicyError: The policy file cannot be read now.
        """
        bound, catalogue = read_bound(request.bound), await asyncio.to_thread(self._catalogue)
        if why := _too_strong(bound, catalogue):
            return UnaskedAnswer(allowed=False, why=why)
        policy, environment = self._policy.current(), self._policy.environment
        verdict = evaluate(
            _by_rules_alone(policy, environment),
            environment,
            action=RUN_UNASKED.name,
            effect=Effect.DESTRUCTIVE,
            context=request.policy_context(),
        )
        return UnaskedAnswer(allowed=not isinstance(verdict, Deny), why=verdict.explanation)


def _too_strong(bound: BoundPlan, catalogue: Catalogue) -> str:
    """Why people are asked whatever the policy says; empty where they need not be."""
    for one in bound.steps:
        known = catalogue.get(one.goal)
        if known is None or EFFECTS.index(known.effect) > EFFECTS.index(Effect.WRITE):
            return f"{one.id!r} ({one.goal}) may do more than write"
    return ""


def _by_rules_alone(policy: Policy, environment: str) -> Policy:
    """The policy in which a rule has to say so: the guard has looked at the phase, which lets this step write."""
    settings = replace(policy.environments[environment], phase=Phase.PRODUCTION)
    return replace(policy, environments={**policy.environments, environment: settings})
