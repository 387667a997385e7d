"""What the policy says, in words: for `banksman policy explain` and for whoever shows a plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hitl.approval.approvers import ApprovalRule, Mentions, Path, People, Requesters
from hitl.policy.rules import Allow, Policy, Rule, approval_rule, evaluate
from hitl.protocol import Effect, PolicyContext, Refusal

FIELDS: Final[Mapping[str, str]] = {
    "provider": "the provider",
    "account": "the account",
    "resource": "what it touches",
    "cost": "its cost in dollars a month",
    "repository_owner": "the repository's owner",
    "repository_name": "the repository's name",
    "purpose": "its purpose",
    "labels": "the labels of the data",
    "requester": "who asked",
}
"""What people call the fields of a step's context."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """One rule, held against one question.

    Attributes:
        matches: Whether it is about this step, as the step tells of itself.
        decides: Whether the verdict is by it.
        why: In words.
    """

    rule: Rule
    matches: bool
    decides: bool
    why: str


def weigh(
    policy: Policy, environment: str, *, action: str, effect: Effect, context: PolicyContext
) -> tuple[Weighed, ...]:
    """Every rule of the environment in the file's order: the one that decides, and why the others do not."""
    settings = policy.environments.get(environment)
    verdict = evaluate(policy, environment, action=action, effect=effect, context=context)
    return tuple(
        _weighed(rule, action, context.of_action(action), decided=verdict.rule)
        for rule in (settings.rules if settings else ())
    )


def _weighed(rule: Rule, action: str, context: PolicyContext, *, decided: str | None) -> Weighed:
    unmet, named, decides = rule.unmet(context), rule.names(action), str(rule) == decided
    if not named:
        why = f"is about {rule.action}"
    elif unmet:
        said = context.fields()
        why = "; ".join(
            f"{FIELDS[name]} is {said[name]!r} and not {rule.where[name]!r}"
            if name in said
            else f"{FIELDS[name]} is not said, and it wants {rule.where[name]!r}"
            for name in unmet
        )
        why += ": so it is allowed nowhere else" if decides else ""
    elif decides:
        why = "decides"
    else:
        why = "matches too, and does not decide: the phase goes first, then any deny, then the first allow"
    return Weighed(rule=rule, matches=named and not unmet, decides=decides, why=why)


def explain(policy: Policy, environment: str, *, action: str, effect: Effect, context: PolicyContext) -> str:
    """The same verdict in words: what was asked, what was decided, by which rule and why, and who approves."""
    verdict = evaluate(policy, environment, action=action, effect=effect, context=context)
    said = ", ".join(f"{name}={value!r}" for name, value in context.fields().items()) or "nothing said"
    decided = "allowed" if isinstance(verdict, Allow) else f"denied ({verdict.reason})"
    if isinstance(verdict, Allow) and effect is Effect.DESTRUCTIVE:
        decided = "allowed with an approval"
    lines = [
        f"{action} [{effect}] in {environment}, {said}: {decided}",
        f"  decided by: {verdict.rule or ('the phase' if isinstance(verdict, Allow) else 'the default, deny')}",
        f"  phase: {verdict.phase or 'unknown environment'}",
        f"  why: {verdict.explanation}",
    ]
    if effect is Effect.DESTRUCTIVE:
        lines += _explain_approvals(policy, environment, action)
    return "\n".join(lines)


def _explain_approvals(policy: Policy, environment: str, action: str) -> list[str]:
    found = approval_rule(policy, environment, action=action)
    if isinstance(found, Refusal):
        return [f"  approval: none possible. {found.explanation}"]
    lines = [f"  approval: {who_approves(found, policy.people)}, by {found}", f"    {limits(found)}"]
    emergency = approval_rule(policy, environment, action=action, path=Path.BREAK_GLASS)
    if isinstance(emergency, ApprovalRule):
        lines.append(f"  break glass: {who_approves(emergency, policy.people)}, all within an hour, by {emergency}")
    return lines


def who_approves(rule: ApprovalRule, people: People) -> str:
    """How many of whom."""
    groups = "; ".join(f"{group}: {', '.join(sorted(people.members((group,))))}" for group in rule.groups)
    return f"{rule.quorum} of {groups}; never who asked"


_MENTIONED: Final = {Mentions.FIRST: "as many as must approve", Mentions.NONE: "nobody"}


def limits(rule: ApprovalRule) -> str:
    """Its times, costs and what else it wants."""
    requester = {
        Requesters.DENY: "refused where nobody knows who asked",
        Requesters.ONE_MORE: f"{rule.quorum + 1} where nobody knows who asked",
        Requesters.ALLOW: f"{rule.quorum} also where nobody knows who asked",
    }
    parts = [
        f"approve within {_time(rule.approve_within)}",
        f"carry out within {_time(rule.execute_within)}",
        requester[rule.unverified_requester],
    ]
    if rule.also:
        parts.append(f"somebody of {' and of '.join(rule.also)} among them")
    if rule.mention is not Mentions.ALL:
        parts.append(f"mention {_MENTIONED[rule.mention]} in Slack")
    if rule.remind_after:
        parts.append(f"remind after {_time(rule.remind_after)}")
    if rule.escalation:
        parts.append(f"ask {rule.escalation.group} too after {_time(rule.escalation.after)}")
    parts += [
        f"at most ${dollars} per {per}" if per != "once" else f"at most ${dollars} once"
        for per, dollars in rule.cost_limits.items()
    ]
    return "; ".join(parts)


def _time(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"
