"""Whether signed decisions allow exactly one step: pure, offline, and the same for every place that asks.

The guard asks before a destructive step, with the ids of the activity that is about to run; its answer is the one
that counts. The approval asks at each click, with the ids of the goal that waits for it. Neither believes a word that
is not signed, and neither looks anything up but the policy and the published keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from hitl.approval.approvers import ApprovalRule, Path, Requesters
from hitl.approval.decision import (
    MAX_DECISIONS,
    UNVERIFIED,
    Decision,
    DecisionError,
    SignedDecision,
    Verdict,
    read_decision,
)
from hitl.approval.plan import Plan, PlanError, plan_digest, read_plan
from hitl.approval.scope import AskedUnder, DecisionScope, Heard
from hitl.approval.signing import PublicKeys, refuse_signature
from hitl.approval.step_up import Confirms, NotConfirmed, confirmed
from hitl.policy.rules import Policy, approval_rule
from hitl.protocol import Refusal, RefusalReason

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the gateway's clock may be from the one that checks."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is in force where the question is asked."""

    policy: Policy
    keys: PublicKeys
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Checked(Heard):
    """A decision that counts under the rule in force."""

    rule: ApprovalRule

    @property
    def needs(self) -> int:
        """How many people must approve."""
        return self.rule.needs(self.requester)


def check_grant(decisions: Sequence[SignedDecision], scope: DecisionScope, *, standing: Standing) -> Checked | Refusal:
    """Whether these decisions together let the step run: the first of them and its rule, or why not."""
    if not decisions:
        return _refuse(
            RefusalReason.NO_GRANT, f"{scope.action!r} is destructive and nobody approved it; ask for an approval."
        )
    if len(decisions) > MAX_DECISIONS:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"A grant holds {MAX_DECISIONS} decisions at most.")
    checked: list[Checked] = []
    for signed in decisions:
        found = check_decision(signed, scope, standing=standing)
        if isinstance(found, Refusal):
            return found
        checked.append(found)
    return _refuse_together(checked, standing) or checked[0]


def check_click(signed: SignedDecision, scope: DecisionScope, *, standing: Standing) -> Heard | Refusal:
    """Whether an approval counts one decision. A no counts whatever became of the rule: it can only prevent."""
    decision = _genuine(signed, scope, standing.keys)
    if isinstance(decision, Decision) and decision.verdict is not Verdict.APPROVE and scope.asked is not None:
        return _check_no(decision, scope, scope.asked, standing=standing)
    return check_decision(signed, scope, standing=standing)


def _check_no(decision: Decision, scope: DecisionScope, asked: AskedUnder, *, standing: Standing) -> Heard | Refusal:
    policy, person = standing.policy, decision.person
    requester = policy.people.requester(decision.requester)
    rule = approval_rule(policy, decision.environment, action=decision.action, path=asked.path)
    groups = asked.groups
    if isinstance(rule, ApprovalRule):
        groups = (*groups, *(rule.all_groups if scope.escalated else rule.groups))
    refusal = (
        _refuse_identity(decision, policy)
        or _refuse_who_asked(decision, requester)
        or _refuse_clock(decision, standing.now)
    )
    if refusal is None and decision.verdict is not Verdict.WITHDRAW and person not in policy.people.members(groups):
        text = f"{person!r} is not in {_groups(tuple(dict.fromkeys(groups)))}, who decide on {scope.action!r}."
        refusal = _refuse(RefusalReason.NOT_A_MEMBER, text)
    return refusal or Heard(decision=decision, requester=requester)


def check_decision(signed: SignedDecision, scope: DecisionScope, *, standing: Standing) -> Checked | Refusal:
    """Whether one decision counts in this scope under the rule in force; it need not be a yes."""
    decision = _genuine(signed, scope, standing.keys)
    if isinstance(decision, Refusal):
        return decision
    rule = _rule_of(decision, standing.policy)
    if isinstance(rule, Refusal):
        return rule
    refusal = (
        rule.refuse_cost(read_plan(scope.plan_text).cost)
        or _refuse_person(decision, rule, scope, standing.policy)
        or _refuse_step_up(decision, rule, standing.policy)
        or _refuse_time(decision, rule, standing.now)
    )
    return refusal or Checked(
        decision=decision, rule=rule, requester=standing.policy.people.requester(decision.requester)
    )


def _genuine(signed: SignedDecision, scope: DecisionScope, keys: PublicKeys) -> Decision | Refusal:
    """What was decided, if it was signed by the gateway, and for this scope."""
    if refusal := refuse_signature(signed, keys):
        return refusal
    try:
        decision = read_decision(signed.text)
        plan = read_plan(scope.plan_text)
    except DecisionError as error:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"{error}; decide again.")
    except PlanError as error:
        return _refuse(RefusalReason.MALFORMED_PLAN, f"{error}.")
    return _refuse_scope(decision, scope, plan) or decision


class TimeLimits(Protocol):
    """What of a rule limits in time."""

    @property
    def approve_within(self) -> timedelta:
        """For saying yes."""
        ...

    @property
    def execute_within(self) -> timedelta:
        """For carrying it out then."""
        ...


def execution_expiry(opened: datetime, rule: TimeLimits) -> datetime:
    """The latest moment for carrying a plan out, as it is signed: no click can move it.

    Args:
        opened: When the approval was opened, by the server's clock.
        rule: The rule that it is decided under.
    """
    return opened + rule.approve_within + rule.execute_within


def _refuse_scope(decision: Decision, scope: DecisionScope, plan: Plan) -> Refusal | None:
    """The first way in which it was signed for something else."""
    digest = plan_digest(scope.plan_text)
    again = "the goal has to ask again"
    comparisons = (
        (RefusalReason.OTHER_ENVIRONMENT, "environment", decision.environment, scope.environment, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal cluster", decision.cluster, scope.cluster, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal namespace", decision.namespace, scope.namespace, again),
        (RefusalReason.OTHER_ACTION, "action", decision.action, scope.action, again),
        (RefusalReason.OTHER_ACTION, "action", plan.action, scope.action, "plan for this action"),
        (RefusalReason.OTHER_PLAN, "plan", decision.plan_digest, digest, "look at this one and decide again"),
        (RefusalReason.OTHER_RUN, "workflow", decision.workflow_id, scope.workflow_id, again),
        (RefusalReason.OTHER_RUN, "run", decision.run_id, scope.run_id, again),
        (RefusalReason.OTHER_STEP, "step", decision.step_id, scope.step_id, again),
    )
    for reason, what, signed, found, way_out in comparisons:
        if signed != found:
            text = f"This was approved for the {what} {signed!r}, and this is {found!r}; {way_out}."
            return _refuse(reason, text)
    return None


def _rule_of(decision: Decision, policy: Policy) -> ApprovalRule | Refusal:
    """The rule that was signed, if the policy still has it."""
    ordinary = approval_rule(policy, decision.environment, action=decision.action)
    emergency = approval_rule(policy, decision.environment, action=decision.action, path=Path.BREAK_GLASS)
    for rule in (ordinary, emergency):
        if (
            isinstance(rule, ApprovalRule)
            and rule.digest(decision.environment, decision.action) == decision.rule_digest
        ):
            return rule
    if isinstance(ordinary, Refusal):
        return ordinary
    return _refuse(
        RefusalReason.RULE_CHANGED,
        f"The rule on who approves {decision.action!r} has changed since it was decided ({ordinary} now); "
        "the goal has to ask again.",
    )


def _refuse_person(decision: Decision, rule: ApprovalRule, scope: DecisionScope, policy: Policy) -> Refusal | None:
    requester = policy.people.requester(decision.requester)
    if refusal := _refuse_identity(decision, policy) or _refuse_who_asked(decision, requester):
        return refusal
    if decision.verdict is Verdict.WITHDRAW:
        return None
    if requester == UNVERIFIED and rule.unverified_requester is Requesters.DENY:
        text = f"Nobody knows who asked for this, and {rule} wants to know; start the goal from Slack or the console."
        return _refuse(RefusalReason.UNVERIFIED_REQUESTER, text)
    return _refuse_membership(decision.person, rule, scope, policy)


def _refuse_identity(decision: Decision, policy: Policy) -> Refusal | None:
    person = decision.person
    if policy.people.person(decision.identity) == person and decision.identity.partition(":")[0] == decision.surface:
        return None
    text = f"{decision.identity!r} is not {person!r} in {policy.source}; an operator can add it under `people`."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_who_asked(decision: Decision, requester: str) -> Refusal | None:
    """Who asked takes it back, and decides nothing; all others decide, and take nothing back."""
    person = decision.person
    if (decision.verdict is Verdict.WITHDRAW) == (requester == person):
        return None
    if requester == person:
        text = f"{person!r} asked for this and cannot decide on it; somebody else who is asked can."
        return _refuse(RefusalReason.REQUESTER_COUNTED, text)
    text = f"{person!r} did not ask for this, or it is not known; reject it instead."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_membership(person: str, rule: ApprovalRule, scope: DecisionScope, policy: Policy) -> Refusal | None:
    if person in policy.people.members(rule.all_groups if scope.escalated else rule.groups):
        return None
    if person in policy.people.members(rule.all_groups):
        text = (
            f"{person!r} is asked only when {_groups(rule.groups)} has not answered in time; wait for the escalation."
        )
    else:
        text = f"{person!r} is not in {_groups(rule.all_groups)}, who approve {scope.action!r} by {rule}."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_step_up(decision: Decision, rule: ApprovalRule, policy: Policy) -> Refusal | None:
    """A yes under a rule that wants it is confirmed by the person's own key; a no is taken from anywhere."""
    if rule.step_up is None or decision.verdict is not Verdict.APPROVE:
        return None
    of = Confirms(
        approval_id=decision.approval_id,
        approval_run_id=decision.approval_run_id,
        plan_digest=decision.plan_digest,
        person=decision.person,
    )
    keys = policy.people.keys.get(decision.person, ())
    try:
        confirmed(decision.step_up, of, keys=keys, decided_at=decision.decided_at)
    except NotConfirmed as error:
        text = f"{rule} wants {decision.person!r} to confirm with a security key in the console, and {error}."
        return _refuse(RefusalReason.NOT_CONFIRMED, text)
    return None


def _refuse_time(decision: Decision, rule: ApprovalRule, now: datetime) -> Refusal | None:
    if refusal := _refuse_clock(decision, now):
        return refusal
    if decision.expires_at > decision.decided_at + rule.approve_within + rule.execute_within + CLOCK_SKEW:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"The decision is signed for longer than {rule} allows.")
    return None


def _refuse_clock(decision: Decision, now: datetime) -> Refusal | None:
    if decision.decided_at > now + CLOCK_SKEW:
        text = (
            f"This was decided at {decision.decided_at:%H:%M:%S} UTC, and it is {now:%H:%M:%S}; set the clocks right."
        )
        return _refuse(RefusalReason.NOT_YET, text)
    if now >= decision.expires_at:
        return _refuse(RefusalReason.EXPIRED, f"The approval ended at {_moment(decision.expires_at)}; ask again.")
    return None


def _refuse_together(checked: Sequence[Checked], standing: Standing) -> Refusal | None:
    """What no single decision shows."""
    first = checked[0]
    decisions = [one.decision for one in checked]
    if no := next((one for one in decisions if one.verdict is not Verdict.APPROVE), None):
        return _refuse(RefusalReason.NOT_APPROVED, f"{no.person!r} decided {no.verdict.value!r}; nothing runs on that.")
    if any(_kinship(one) != _kinship(first.decision) for one in decisions):
        return _refuse(RefusalReason.MALFORMED_GRANT, "The decisions are not all of one approval; ask again.")
    if refusal := _refuse_people(first, [one.person for one in decisions], standing.policy):
        return refusal
    ends = max(one.decided_at for one in decisions) + first.rule.execute_within
    if standing.now >= ends:
        return _refuse(RefusalReason.EXPIRED, f"What was approved was to be carried out by {_moment(ends)}; ask again.")
    return None


def _refuse_people(first: Checked, people: Sequence[str], policy: Policy) -> Refusal | None:
    """Why those who approved are not those, or not as many, as the rule wants."""
    if twice := next((person for person in people if people.count(person) > 1), None):
        return _refuse(RefusalReason.DUPLICATE_PERSON, f"{twice!r} is counted twice; another person must approve too.")
    if len(people) < first.needs:
        text = f"{len(people)} of the {first.needs} people that {first.rule} wants have approved; ask again."
        return _refuse(RefusalReason.QUORUM_NOT_MET, text)
    also = (group for group in first.rule.also if policy.people.members((group,)).isdisjoint(people))
    if lacking := next(also, None):
        text = f"Nobody of {lacking!r} has approved, and {first.rule} wants somebody of it; ask again."
        return _refuse(RefusalReason.QUORUM_NOT_MET, text)
    return None


def _kinship(decision: Decision) -> tuple[str, str, str, str]:
    return decision.approval_id, decision.approval_run_id, decision.rule_digest, decision.requester


def _groups(groups: tuple[str, ...]) -> str:
    return " or ".join(map(repr, groups))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _refuse(reason: RefusalReason, explanation: str) -> Refusal:
    return Refusal(reason=reason, explanation=explanation)
