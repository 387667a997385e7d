"""Whether signed decisions allow exactly one step: pure, offline, and the same for every place that asks.

The guard asks before a destructive step, with the ids of the activity that is about to run; its answer is the one
that counts. The approval asks at each click, with the ids of the goal that waits for it. Neither believes a word that
is not signed, and neither looks anything up but the policy and the published keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hitl.approvers import ApprovalRule, Path, Requesters
from hitl.decision import (
    MAX_DECISIONS,
    UNVERIFIED,
    Decision,
    DecisionError,
    SignedDecision,
    Verdict,
    read_decision,
)
from hitl.plan import Plan, PlanError, plan_digest, read_plan
from hitl.policy import Policy, approval_rule
from hitl.protocol import Refusal, RefusalReason
from hitl.signing import PublicKeys, refuse_signature

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the gateway's clock may be from the one that checks."""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What a decision must have been signed for, as the server and the plan's own text say it.

    Attributes:
        workflow_id: Of the goal that runs the step.
        run_id: Of that goal.
        step_id: The step's activity id.
        action: The step's name.
        plan_text: What the step will read its parameters from.
        escalated: Whether those whom the rule asks later may decide by now.
    """

    environment: str
    cluster: str
    namespace: str
    workflow_id: str
    run_id: str
    step_id: str
    action: str
    plan_text: str
    escalated: bool = True


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is in force where the question is asked."""

    policy: Policy
    keys: PublicKeys
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A decision that counts, and the rule that it counts under."""

    decision: Decision
    rule: ApprovalRule
    requester: str
    """The person who asked, or `unverified`."""

    @property
    def needs(self) -> int:
        """How many people must approve."""
        return self.rule.needs(self.requester)


def check_grant(decisions: Sequence[SignedDecision], occasion: Occasion, *, standing: Standing) -> Checked | Refusal:
    """Whether these decisions together let the step run: the first of them and its rule, or why not."""
    if not decisions:
        return _refuse(
            RefusalReason.NO_GRANT, f"{occasion.action!r} is destructive and nobody approved it; ask for an approval."
        )
    if len(decisions) > MAX_DECISIONS:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"A grant holds {MAX_DECISIONS} decisions at most.")
    checked: list[Checked] = []
    for signed in decisions:
        found = check_decision(signed, occasion, standing=standing)
        if isinstance(found, Refusal):
            return found
        checked.append(found)
    return _refuse_together(checked, standing.now) or checked[0]


def check_decision(signed: SignedDecision, occasion: Occasion, *, standing: Standing) -> Checked | Refusal:
    """Whether one decision counts on this occasion; it need not be a yes."""
    if refusal := refuse_signature(signed, standing.keys):
        return refusal
    try:
        decision = read_decision(signed.text)
        plan = read_plan(occasion.plan_text)
    except DecisionError as error:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"{error}; decide again.")
    except PlanError as error:
        return _refuse(RefusalReason.MALFORMED_PLAN, f"{error}.")
    if refusal := _refuse_occasion(decision, occasion, plan):
        return refusal
    rule = _rule_of(decision, standing.policy)
    if isinstance(rule, Refusal):
        return rule
    refusal = (
        rule.refuse_cost(plan.cost)
        or _refuse_person(decision, rule, occasion, standing.policy)
        or _refuse_time(decision, rule, standing.now)
    )
    return refusal or Checked(
        decision=decision, rule=rule, requester=standing.policy.people.requester(decision.requester)
    )


def execution_expiry(opened: datetime, rule: ApprovalRule) -> datetime:
    """The latest moment for carrying a plan out, as it is signed: no click can move it.

    Args:
        opened: When the approval was opened, by the server's clock.
        rule: The rule that it is decided under.
    """
    return opened + rule.approve_within + rule.execute_within


def _refuse_occasion(decision: Decision, occasion: Occasion, plan: Plan) -> Refusal | None:
    """The first way in which it was signed for something else."""
    digest = plan_digest(occasion.plan_text)
    again = "the goal has to ask again"
    comparisons = (
        (RefusalReason.OTHER_ENVIRONMENT, "environment", decision.environment, occasion.environment, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal cluster", decision.cluster, occasion.cluster, again),
        (RefusalReason.OTHER_NAMESPACE, "Temporal namespace", decision.namespace, occasion.namespace, again),
        (RefusalReason.OTHER_ACTION, "action", decision.action, occasion.action, again),
        (RefusalReason.OTHER_ACTION, "action", plan.action, occasion.action, "plan for this action"),
        (RefusalReason.OTHER_PLAN, "plan", decision.plan_digest, digest, "look at this one and decide again"),
        (RefusalReason.OTHER_RUN, "workflow", decision.workflow_id, occasion.workflow_id, again),
        (RefusalReason.OTHER_RUN, "run", decision.run_id, occasion.run_id, again),
        (RefusalReason.OTHER_STEP, "step", decision.step_id, occasion.step_id, again),
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


def _refuse_person(decision: Decision, rule: ApprovalRule, occasion: Occasion, policy: Policy) -> Refusal | None:
    person, people = decision.person, policy.people
    if people.person(decision.identity) != person or decision.identity.partition(":")[0] != decision.surface:
        text = f"{decision.identity!r} is not {person!r} in {policy.source}; an operator can add it under `people`."
        return _refuse(RefusalReason.NOT_A_MEMBER, text)
    requester = people.requester(decision.requester)
    if decision.verdict is Verdict.WITHDRAW:
        text = f"{person!r} did not ask for this, or it is not known; reject it instead."
        return None if requester == person else _refuse(RefusalReason.NOT_A_MEMBER, text)
    if requester == UNVERIFIED and rule.unverified_requester is Requesters.DENY:
        text = f"Nobody knows who asked for this, and {rule} wants to know; start the goal from Slack or the console."
        return _refuse(RefusalReason.UNVERIFIED_REQUESTER, text)
    if requester == person:
        text = f"{person!r} asked for this and cannot decide on it; another member of {_groups(rule.groups)} can."
        return _refuse(RefusalReason.REQUESTER_COUNTED, text)
    return _refuse_membership(person, rule, occasion, policy)


def _refuse_membership(person: str, rule: ApprovalRule, occasion: Occasion, policy: Policy) -> Refusal | None:
    if person in policy.people.members(rule.all_groups if occasion.escalated else rule.groups):
        return None
    if person in policy.people.members(rule.all_groups):
        text = (
            f"{person!r} is asked only when {_groups(rule.groups)} has not answered in time; wait for the escalation."
        )
    else:
        text = f"{person!r} is not in {_groups(rule.all_groups)}, who approve {occasion.action!r} by {rule}."
    return _refuse(RefusalReason.NOT_A_MEMBER, text)


def _refuse_time(decision: Decision, rule: ApprovalRule, now: datetime) -> Refusal | None:
    if decision.decided_at > now + CLOCK_SKEW:
        text = (
            f"This was decided at {decision.decided_at:%H:%M:%S} UTC, and it is {now:%H:%M:%S}; set the clocks right."
        )
        return _refuse(RefusalReason.NOT_YET, text)
    if now >= decision.expires_at:
        return _refuse(RefusalReason.EXPIRED, f"The approval ended at {_moment(decision.expires_at)}; ask again.")
    if decision.expires_at > decision.decided_at + rule.approve_within + rule.execute_within + CLOCK_SKEW:
        return _refuse(RefusalReason.MALFORMED_GRANT, f"The decision is signed for longer than {rule} allows.")
    return None


def _refuse_together(checked: Sequence[Checked], now: datetime) -> Refusal | None:
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
    if len(people) < first.needs:
        text = f"{len(people)} of the {first.needs} people that {first.rule} wants have approved; ask again."
        return _refuse(RefusalReason.QUORUM_NOT_MET, text)
    ends = max(one.decided_at for one in decisions) + first.rule.execute_within
    if now >= ends:
        return _refuse(RefusalReason.EXPIRED, f"What was approved was to be carried out by {_moment(ends)}; ask again.")
    return None


def _kinship(decision: Decision) -> tuple[str, str, str, str]:
    return decision.approval_id, decision.approval_run_id, decision.rule_digest, decision.requester


def _groups(groups: tuple[str, ...]) -> str:
    return " or ".join(map(repr, groups))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _refuse(reason: RefusalReason, explanation: str) -> Refusal:
    return Refusal(reason=reason, explanation=explanation)
