"""What a policy says, rule by rule, with the steps and goals that each is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from activities.catalogue import steps
from activities.step import Step
from hitl.approval.approvers import ApprovalRule, People
from hitl.policy.explain import FIELDS, limits, who_approves
from hitl.policy.rules import Environment, Policy, Rule, approval_rule
from hitl.policy.triggers import SAID, TriggerRule
from hitl.protocol import Effect
from workflows.catalogue import GOALS

AnyStep = Step[Any, Any]
_EVENTS: Final = {
    "comment": "a comment",
    "button": "a button of a check",
    "issue": "an issue that is opened or labelled",
    "pull_request": "a pull request that is opened, labelled or changed",
    "push": "a push",
}


@dataclass(frozen=True, kw_only=True)
class RuleTold:
    """A line of `actions`.

    Attributes:
        where: What it asks of a step, in words; empty where it is about all.
        steps: Those that it is about, by its action.
    """

    rule: Rule
    where: Sequence[str]
    steps: Sequence[AnyStep]


@dataclass(frozen=True, kw_only=True)
class ApprovalTold:
    """A line of `approvals`.

    Attributes:
        who: How many of whom.
        limits: Times, costs and what else it wants.
        steps: The destructive ones that are approved by it: no other rule names them more closely.
    """

    rule: ApprovalRule
    who: str
    limits: str
    steps: Sequence[AnyStep]


@dataclass(frozen=True, kw_only=True)
class TriggerTold:
    """A line of `github.triggers`.

    Attributes:
        on: What has to happen, in words.
        goals: Those of this release that may be begun.
    """

    rule: TriggerRule
    on: str
    goals: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PersonTold:
    """Somebody whom the policy names."""

    name: str
    identities: Sequence[str]
    groups: Sequence[str]
    keys: int


def rules_told(environment: Environment) -> list[RuleTold]:
    """All lines of `actions`, in the file's order."""
    return [
        RuleTold(
            rule=one,
            where=[f"{FIELDS[name]} {_wanted(name, pattern)}" for name, pattern in one.where.items()],
            steps=[step for step in steps().values() if one.names(step.name)],
        )
        for one in environment.rules
    ]


def approvals_told(policy: Policy, environment: str) -> list[ApprovalTold]:
    """All lines of `approvals`, in the file's order; a break-glass path is a line of its own."""
    destructive = [one for one in steps().values() if one.effect is Effect.DESTRUCTIVE]
    return [
        ApprovalTold(
            rule=rule,
            who=who_approves(rule, policy.people),
            limits=limits(rule),
            steps=[
                one
                for one in destructive
                if approval_rule(policy, environment, action=one.name, path=rule.path) == rule
            ],
        )
        for rule in policy.environments[environment].approvals
    ]


def triggers_told(rules: Iterable[TriggerRule]) -> list[TriggerTold]:
    """All lines of `github.triggers`."""
    return [
        TriggerTold(rule=one, on=_on(one), goals=[goal.name for goal in GOALS if one.begins(goal.name)])
        for one in rules
    ]


def people_told(people: People) -> list[PersonTold]:
    """Everybody, by name."""
    return [
        PersonTold(
            name=name,
            identities=sorted(identity for identity, person in people.identities.items() if person == name),
            groups=sorted(group for group, members in people.groups.items() if name in members),
            keys=len(people.keys.get(name, ())),
        )
        for name in sorted(set(people.identities.values()))
    ]


def _wanted(name: str, pattern: str) -> str:
    if name == "cost":
        return f"is {pattern}"
    return f"is like {pattern}" if "*" in pattern else f"is {pattern}"


def _on(rule: TriggerRule) -> str:
    happens = " or ".join(_EVENTS[one.value] for one in sorted(rule.events))
    said = ", ".join(sorted(rule.commands))
    return f"{happens} that says {said}" if said and SAID & rule.events else happens
