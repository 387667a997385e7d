"""Whether signed decisions allow exactly one step: pure, offline, and the same for every place that asks.

The guard asks before a destructive step, with the ids of the activity that is about to run; its answer is the one
that counts. The approval asks at each click, with the ids of the goal that waits for it. Neither believes a word that
is not signed, and neither looks anything up but the policy and the published keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from hitl.approval.approvers import ApprovalRule, Path, People, Requesters, StepUps
from hitl.approval.decision import (
    MAX_DECISIONS,
    UNVERIFIED,
    Decision,
    DecisionError,
    SignedDecision,
    Verdict,
    read_decision,
)
from hitl.approval.plan import PlanError, plan_digest
from hitl.approval.scope import AskedUnder, DecisionScope, Heard
from hitl.approval.sequence import AnyPlan, SequencePlan, read_any_plan, step_id_at
from hitl.approval.signing import PublicKeys, refuse_signature
from hitl.approval.step_up import Confirms, NotConfirmed, confirmed
from hitl.approval.together import AskingRule, RulesTogether, also_of, covered, of_step, refuse_costs
from hitl.policy.rules import Policy
from hitl.policy.together import policy_for, rule_for
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

    rule: AskingRule
    plan: AnyPlan

    @property
    def needs(self) -> int:
        """How many people must approve."""
        return self.rule.needs(self.requester)


def check_grant(decisions: Sequence[SignedDecision], scope: DecisionScope, *, standing: Standing) -> Checked | Refusal:
    """Whether these decisions together let the step run: the first of them and its rule, or why not.

    Of a plan of many steps, all that every step's own rule asks for must be there before any of them runs: people
    approved the whole.
    """
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
    if isinstance(checked[0].plan, SequencePlan) and scope.position is None:
        text = f"{scope.action!r} does not say which step it is of the {len(checked[0].plan.steps)} that were approved."
        return _refuse(RefusalReason.OTHER_STEP, text)
    return _refuse_together(checked, standing) or checked[0]


def check_giving_up(
    decisions: Sequence[SignedDecision], scope: DecisionScope, *, keys: PublicKeys
) -> Decision | Refusal:
    """Whether this is the run that the grant of a plan of many was signed for; it may give up what is left of it.

    Neither rules nor times are asked for: who gives up can only prevent.

    Args:
        decisions: The grant.
        scope: The whole: without a position, by the step id of the approval.
        keys: The published ones.
    """
    if not decisions or len(decisions) > MAX_DECISIONS:
        return _refuse(RefusalReason.NO_GRANT, "Nothing was approved that could be given up.")
    found = [_genuine(signed, scope, keys) for signed in decisions]
    if refusal := next((one for one in found if isinstance(one, Refusal)), None):
        return refusal
    genuine = [one for one in found if not isinstance(one, Refusal)]
    if len({_kinship(decision) for decision, _ in genuine}) > 1:
        return _refuse(RefusalReason.MALFORMED_GRANT, "The decisions are not all of one approval.")
    return genuine[0][0]


def check_click(signed: SignedDecision, scope: DecisionScope, *, standing: Standing) -> Heard | Refusal:
    """Whether an approval counts one decision. A no counts whatever became of the rule: it can only prevent."""
    found = _genuine(signed, scope, standing.keys)
    if not isinstance(found, Refusal) and found[0].verdict is not Verdict.APPROVE and scope.asked is not None:
        return _check_no(*found, scope, scope.asked, standing=standing)
    return check_decision(signed, scope, standing=standing)


def _check_no(
    decision: Decision, plan: AnyPlan, scope: DecisionScope, asked: AskedUnder, *, standing: Standing
) -> Heard | Refusal:
    policy, person = standing.policy, decision.person
    requester = policy.people.requester(decision.requester)
    rule = rule_for(policy, decision.environment, plan=plan, path=asked.path)
    groups = asked.groups
    if not isinstance(rule, Refusal):
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
    found = _genuine(signed, scope, standing.keys)
    if isinstance(found, Refusal):
        return found
    decision, plan = found
    rule = _rule_of(decision, plan, standing.policy)
    if isinstance(rule, Refusal):
        return rule
    refusal = (
        refuse_costs(rule, plan)
        or _refuse_person(decision, rule, scope, standing.policy)
        or _refuse_step_up(decision, rule, standing.policy)
        or _refuse_time(decision, rule, standing.now)
    )
    return refusal or Checked(
        decision=decision, rule=rule, plan=plan, requester=standing.policy.people.requester(decision.requester)
    )


def _genuine(signed: SignedDecision, scope: DecisionScope, keys: PublicKeys) -> tuple[Decision, AnyPlan] | Refusal:
    """What was decided and on what, if it was signed by the gateway, and for this scope."""
    if refusal := refuse_signature(signed, keys):
        return refusal
    try:
        decision = read_decision(signed.text)
        plan = read_any_plan(scope.plan_text)
    except DecisionError as error:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"{error}; decide again.")
    except PlanError as error:
        return _refuse(RefusalReason.MALFORMED_PLAN, f"{error}.")
    return _refuse_form(decision, scope, plan) or _refuse_scope(decision, scope, plan) or (decision, plan)


def _refuse_form(decision: Decision, scope: DecisionScope, plan: AnyPlan) -> Refusal | None:
    """A decision on one step is none on many, and the other way round."""
    many = isinstance(plan, SequencePlan)
    if (decision.steps is not None) is not many:
        text = "The decision does not name the steps of this plan; decide again."
        return _refuse(RefusalReason.MALFORMED_GRANT, text)
    if scope.position is not None and (not many or not 1 <= scope.position <= len(plan.steps)):
        text = f"{scope.action!r} is to be step {scope.position} of a plan that has no such step; plan again."
        return _refuse(RefusalReason.OTHER_STEP, text)
    return None


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


def _refuse_scope(decision: Decision, scope: DecisionScope, plan: AnyPlan) -> Refusal | None:
    """The first way in which it was signed for something else."""
    digest = plan_digest(scope.plan_text)
    action, planned, step_id = scope.action, plan.action, decision.step_id
    if isinstance(plan, SequencePlan) and scope.position is not None:
        action, planned = plan.action, plan.at(scope.position).action
        step_id = step_id_at(step_id, scope.position)
    again = "the goal has to ask again"
    comparisons = (
        (RefusalReason.OTHER_ENVIRONMENT, "environment", decision.environment, scope.environment, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal cluster", decision.cluster, scope.cluster, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal namespace", decision.namespace, scope.namespace, again),
        (RefusalReason.OTHER_ACTION, "action", decision.action, action, again),
        (RefusalReason.OTHER_ACTION, "action", planned, scope.action, "plan for this action"),
        (RefusalReason.OTHER_PLAN, "plan", decision.plan_digest, digest, "look at this one and decide again"),
        (RefusalReason.OTHER_RUN, "workflow", decision.workflow_id, scope.workflow_id, again),
        (RefusalReason.OTHER_RUN, "run", decision.run_id, scope.run_id, again),
        (RefusalReason.OTHER_STEP, "step", step_id, scope.step_id, again),
    )
    for reason, what, signed, found, way_out in comparisons:
        if signed != found:
            text = f"This was approved for the {what} {signed!r}, and this is {found!r}; {way_out}."
            return _refuse(reason, text)
    return None


def _rule_of(decision: Decision, plan: AnyPlan, policy: Policy) -> AskingRule | Refusal:
    """The rule that was signed, if the policy still has it."""
    try:
        policy = policy_for(policy, plan.tightening)  # once for both paths
    except PlanError as error:
        return _refuse(RefusalReason.MALFORMED_PLAN, f"{error}.")
    ordinary = rule_for(policy, decision.environment, plan=plan)
    emergency = rule_for(policy, decision.environment, plan=plan, path=Path.BREAK_GLASS)
    for rule in (ordinary, emergency):
        if not isinstance(rule, Refusal) and rule.digest(decision.environment, decision.action) == decision.rule_digest:
            return rule
    if isinstance(ordinary, Refusal):
        return ordinary
    return _refuse(
        RefusalReason.RULE_CHANGED,
        f"The rule on who approves {decision.action!r} has changed since it was decided ({ordinary} now); "
        "the goal has to ask again.",
    )


def _refuse_person(decision: Decision, rule: AskingRule, scope: DecisionScope, policy: Policy) -> Refusal | None:
    requester = policy.people.requester(decision.requester)
    if refusal := _refuse_identity(decision, policy) or _refuse_who_asked(decision, requester):
        return refusal
    if decision.verdict is Verdict.WITHDRAW:
        return None
    if requester == UNVERIFIED and rule.unverified_requester is Requesters.DENY:
        text = f"Nobody knows who asked for this, and {rule} wants to know; start the goal from Slack or the console."
        return _refuse(RefusalReason.UNVERIFIED_REQUESTER, text)
    return (
        _refuse_membership(decision.person, rule, scope, policy)
        or _refuse_covered(decision, rule, scope, policy)
        or _refuse_also(decision, rule, policy)
    )


def _refuse_identity(decision: Decision, policy: Policy) -> Refusal | None:
    person = decision.person
    vouched = decision.identity.partition(":")[0] in decision.surface.doors
    if vouched and policy.people.person(decision.identity) == person:
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


def _refuse_membership(person: str, rule: AskingRule, scope: DecisionScope, policy: Policy) -> Refusal | None:
    if person in policy.people.members(rule.all_groups if scope.escalated else rule.groups):
        return None
    if person in policy.people.members(rule.all_groups):
        text = (
            f"{person!r} is asked only when {_groups(rule.groups)} has not answered in time; wait for the escalation."
        )
    else:
        text = f"{person!r} is not in {_groups(rule.all_groups)}, who approve {scope.action!r} by {rule}."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_covered(decision: Decision, rule: AskingRule, scope: DecisionScope, policy: Policy) -> Refusal | None:
    """A yes to many steps counts for those alone that its person decides on by their own rules."""
    if not isinstance(rule, RulesTogether):
        return None
    said = decision.steps or ()
    theirs = covered(rule, decision.person, policy.people, later=scope.escalated)
    if said and len(set(said)) == len(said) and set(said) <= set(theirs):
        return None
    other = next((one for one in said if one not in theirs), None)
    what = f"step {other.position} ({other.action!r})" if other else "any of its steps"
    text = f"{decision.person!r} does not decide on {what} by {rule}; whoever its own rule names can."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_also(decision: Decision, rule: AskingRule, policy: Policy) -> Refusal | None:
    """A yes counts for no group that its person is not of. Whether somebody of each is there, all of them show."""
    theirs = also_of(rule, decision.person, policy.people) or ()
    if other := next((group for group in decision.also or () if group not in theirs), None):
        text = f"{decision.person!r} is not of {other!r}, for which the decision is to count; decide again."
        return _refuse(RefusalReason.NOT_A_MEMBER, text)
    return None


def _step_up_of(decision: Decision, rule: AskingRule) -> StepUps | None:
    """What the rules want that this decision counts under."""
    if isinstance(rule, RulesTogether):
        wanted = (rule.rules[one.position - 1].step_up for one in decision.steps or ())
        return next((one for one in wanted if one is not None), None)
    return rule.step_up


def _refuse_step_up(decision: Decision, rule: AskingRule, policy: Policy) -> Refusal | None:
    """A yes under a rule that wants it is confirmed by the person's own key; a no is taken from anywhere."""
    if decision.verdict is not Verdict.APPROVE or _step_up_of(decision, rule) is None:
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


def _refuse_time(decision: Decision, rule: AskingRule, now: datetime) -> Refusal | None:
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
    people = [one.person for one in decisions]
    if twice := next((person for person in people if people.count(person) > 1), None):
        return _refuse(RefusalReason.DUPLICATE_PERSON, f"{twice!r} is counted twice; another person must approve too.")
    if refusal := _refuse_quorum(checked, standing.policy.people):
        return refusal
    ends = max(one.decided_at for one in decisions) + first.rule.execute_within
    if standing.now >= ends:
        by = f", by {first.rule}" if first.rule.tightened_by else ""
        text = f"What was approved was to be carried out by {_moment(ends)}{by}; ask again."
        return _refuse(RefusalReason.EXPIRED, text)
    return None


def _refuse_quorum(checked: Sequence[Checked], people: People) -> Refusal | None:
    first = checked[0]
    if len(checked) < first.needs:
        text = f"{len(checked)} of the {first.needs} people that {first.rule} wants have approved; ask again."
        return _refuse(RefusalReason.QUORUM_NOT_MET, text)
    if isinstance(first.rule, RulesTogether):
        return _refuse_quorum_of_steps(checked, first.rule, people)
    return _refuse_lacking(first.rule, [one.decision.person for one in checked], people)


def _refuse_quorum_of_steps(checked: Sequence[Checked], rule: RulesTogether, people: People) -> Refusal | None:
    """Of a plan of many: each step has the people that its own rule wants, and no step those of another one's."""
    plan = checked[0].plan
    if not isinstance(plan, SequencePlan):
        return None
    for position, one in enumerate(rule.rules, start=1):
        named = [
            decided.decision.person
            for decided in checked
            if any(each.position == position for each in decided.decision.steps or ())
        ]
        have, wants = len(named), one.needs(checked[0].requester)
        if have < wants:
            text = f"{have} of the {wants} people that {one} wants have approved it; ask again."
            return of_step(plan, position, _refuse(RefusalReason.QUORUM_NOT_MET, text))
        if refusal := _refuse_lacking(one, named, people):
            return of_step(plan, position, refusal)
    return None


def _refuse_lacking(rule: ApprovalRule, approved: Sequence[str], people: People) -> Refusal | None:
    """Why those who approved are not all that the rule wants among them."""
    also = (group for group in rule.also if people.members((group,)).isdisjoint(approved))
    if lacking := next(also, None):
        text = f"Nobody of {lacking!r} has approved, and {rule} wants somebody of it; ask again."
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
