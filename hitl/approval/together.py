"""The rule on who approves a plan: one for a plan of one step, and all of them together for a plan of many.

Together they ask for everything that each asks for its own step: its groups and its quorum, its limit of costs, its
key. What holds for the approval as a whole is the strictest: the shortest times, and the least trust in who asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import JsonValue

from hitl.approval.approvers import ApprovalRule, Escalation, Mentions, Path, People, Requesters, StepUps
from hitl.approval.decision import CoveredStep
from hitl.approval.plan import Plan
from hitl.approval.sequence import AnyPlan, SequencePlan, added
from hitl.canonical import canonical_json, tagged_digest
from hitl.protocol import Refusal

_RULES_TAG: Final = "banksman-rules/v1"
_STRICTEST: Final = (Requesters.DENY, Requesters.ONE_MORE, Requesters.ALLOW)
_LOUDEST: Final = (Mentions.ALL, Mentions.FIRST, Mentions.NONE)


@dataclass(frozen=True, kw_only=True)
class RulesTogether:
    """The rules of all steps of one plan, on one path.

    Attributes:
        rules: One for each step, in their order.
        actions: What the steps do, likewise.
    """

    rules: tuple[ApprovalRule, ...]
    actions: tuple[str, ...]

    def __str__(self) -> str:
        """How messages name them."""
        return " and ".join(dict.fromkeys(map(str, self.rules)))

    @property
    def path(self) -> Path:
        """Which path all of them are of."""
        return self.rules[0].path

    @property
    def groups(self) -> tuple[str, ...]:
        """A person of any of these may decide: each on the steps of their rules."""
        return tuple(dict.fromkeys(group for rule in self.rules for group in rule.groups))

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Those with whom is asked later."""
        return tuple(dict.fromkeys(group for rule in self.rules for group in rule.all_groups))

    @property
    def approve_within(self) -> timedelta:
        """The shortest."""
        return min(rule.approve_within for rule in self.rules)

    @property
    def execute_within(self) -> timedelta:
        """The shortest. It covers all steps: the last one begins before it is over."""
        return min(rule.execute_within for rule in self.rules)

    @property
    def remind_after(self) -> timedelta | None:
        """The shortest."""
        return min((rule.remind_after for rule in self.rules if rule.remind_after), default=None)

    @property
    def escalation(self) -> Escalation | None:
        """The latest: before it, nobody of any rule is asked who is asked later."""
        found = (rule.escalation for rule in self.rules if rule.escalation)
        return max(found, key=lambda one: one.after, default=None)

    @property
    def unverified_requester(self) -> Requesters:
        """The one that trusts least."""
        return min((rule.unverified_requester for rule in self.rules), key=_STRICTEST.index)

    @property
    def mention(self) -> Mentions:
        """The one that mentions most."""
        return min((rule.mention for rule in self.rules), key=_LOUDEST.index)

    @property
    def step_up(self) -> StepUps | None:
        """What any of them takes besides a click. Of whom, `wants_key` says."""
        return next((rule.step_up for rule in self.rules if rule.step_up is not None), None)

    @property
    def quorum(self) -> int:
        """Of the rule that wants most; other rules may want other people besides."""
        return max(rule.quorum for rule in self.rules)

    @property
    def also(self) -> tuple[str, ...]:
        """Of each of these somebody must be among those who approve the steps whose rules say so."""
        return tuple(dict.fromkeys(group for rule in self.rules for group in rule.also))

    @property
    def tightened_by(self) -> str:
        """Which lines of a service's file tightened any of them."""
        return " and ".join(dict.fromkeys(rule.tightened_by for rule in self.rules if rule.tightened_by))

    def needs(self, requester: str) -> int:
        """How many people must approve at least."""
        return max(rule.needs(requester) for rule in self.rules)

    def digest(self, environment: str, action: str) -> str:
        """What is signed of them: of each the digest that it has by itself, with its step's action.

        Args:
            environment: Of the deployment.
            action: Not looked at: each rule is about its own step's.
        """
        del action
        each: list[JsonValue] = [
            [named, rule.digest(environment, named)] for named, rule in zip(self.actions, self.rules, strict=True)
        ]
        return tagged_digest(_RULES_TAG, canonical_json(each))


AskingRule = ApprovalRule | RulesTogether
"""What people are asked by."""


def of_step(plan: SequencePlan, position: int, refusal: Refusal) -> Refusal:
    """The same, with the step named."""
    named = plan.named(position)
    return Refusal(reason=refusal.reason, explanation=f"{named[0].upper()}{named[1:]}: {refusal.explanation}")


def refuse_costs(rule: AskingRule, plan: AnyPlan) -> Refusal | None:
    """Why nobody can approve what the plan costs, or None.

    Of a plan of many, a limit holds for all steps under its rule together: a purchase in two halves costs the same.
    """
    if isinstance(rule, ApprovalRule):
        return rule.refuse_cost(plan.cost) if isinstance(plan, Plan) else None
    if isinstance(plan, Plan):
        return None
    for position, (one, step) in enumerate(zip(rule.rules, plan.steps, strict=True), start=1):
        if refusal := one.refuse_cost(step.cost):
            return of_step(plan, position, refusal)
    return next(_over_together(rule, plan), None)


def _over_together(rule: RulesTogether, plan: SequencePlan) -> Iterator[Refusal]:
    pairs = list(zip(rule.rules, plan.steps, strict=True))
    # The deployment's own rules, too: where one of them was tightened for some of its steps, its limit is of all still.
    limiting = {str(one): one for own in rule.rules for one in (own, own.loosest) if one is not None}
    for name, one in limiting.items():
        those = [step for own, step in pairs if name in {str(own), str(own.loosest)}]
        for cost in added(step.cost for step in those):
            if refusal := one.refuse_cost(cost):
                yield Refusal(reason=refusal.reason, explanation=f"{len(those)} steps together: {refusal.explanation}")


def covered(rule: RulesTogether, person: str, people: People, *, later: bool = True) -> tuple[CoveredStep, ...]:
    """The steps that this person's decision counts for.

    Args:
        rule: Of the plan.
        person: Who decides.
        people: Who is in which group.
        later: Whether those count too who are asked later.
    """
    each = enumerate(zip(rule.rules, rule.actions, strict=True), start=1)
    return tuple(
        CoveredStep(position=position, action=action)
        for position, (one, action) in each
        if person in people.members(one.all_groups if later else one.groups)
    )


def also_of(rule: AskingRule, person: str, people: People) -> tuple[str, ...] | None:
    """Of the groups that somebody must be of, those that this person is of; None where the rule names none."""
    if not rule.also:
        return None
    return tuple(group for group in rule.also if person in people.members((group,)))


def wants_key(rule: AskingRule, person: str, people: People) -> bool:
    """Whether a yes of this person takes a key: where a rule that they decide by wants one."""
    if isinstance(rule, ApprovalRule):
        return rule.step_up is not None
    return any(one.step_up is not None and person in people.members(one.all_groups) for one in rule.rules)


def asked_of(rule: RulesTogether, requester: str) -> Mapping[str, tuple[int, ...]]:
    """In words, what each distinct rule asks for, with the positions of its steps: `2 of release` for 1 and 3."""
    found: dict[str, list[int]] = {}
    for position, one in enumerate(rule.rules, start=1):
        also = f", somebody of {' and of '.join(one.also)} among them" if one.also else ""
        found.setdefault(f"{one.needs(requester)} of {' or '.join(one.groups)}{also}", []).append(position)
    return {words: tuple(positions) for words, positions in found.items()}
