"""The deployment's policy and what a repository asks of it, combined: never looser than before. Pure and total.

A manifest is text that anybody may have written who can push. So whatever it says, numbers of people are raised to
what it asks and never lowered, times and limits are cut and never made longer, groups that decide are taken away and
never added, what it denies is denied, and nothing is allowed by it. What it asks and would be looser changes nothing;
`hitl.policy.loosening` tells its author.

What comes out is a policy again, so that everything that reads one (the guard, an approval, `explain`) reads this.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from hitl.approval.approvers import ApprovalRule, Path, Requesters
from hitl.policy.raw import RawBudget, RawLimits, as_duration
from hitl.policy.rules import Budget, Environment, Policy, Rule
from hitl.policy.tightening import StricterApproval, Tightening
from hitl.policy.yaml import Location

_CENTS: Final = 100
_STRICTNESS: Final = (Requesters.ALLOW, Requesters.ONE_MORE, Requesters.DENY)

Lines = Callable[[Location], int]
"""The line of a place in the tightening; `("actions", 0)` is its first rule."""


def tighten(policy: Policy, asked: Tightening, *, source: str, line: Lines = lambda _: 1) -> Policy:
    """The policy as it is for this service: never looser than before, whatever was asked.

    Args:
        policy: The deployment's.
        asked: What the service's manifest says.
        source: The file that says it, for people.
        line: Where each place of it stands.
    """
    environments = {
        name: _environment(name, one, asked, source=source, line=line) for name, one in policy.environments.items()
    }
    return replace(policy, environments=environments)


def _environment(name: str, one: Environment, asked: Tightening, *, source: str, line: Lines) -> Environment:
    lower = asked.phase is not None and asked.phase.level < one.phase.level
    return replace(
        one,
        phase=asked.phase if asked.phase is not None and lower else one.phase,
        phase_set_by=f"{source}: policy.phase (line {line(('phase',))})" if lower else one.phase_set_by,
        rules=(*one.rules, *_denials(name, asked, source=source, line=line)),
        approvals=tuple(_approvals(one, _placed(name, asked, line), source)),
        budget=_budget(one.budget, asked.budget, source=source, line=line),
    )


def _placed(name: str, asked: Tightening, line: Lines) -> list[tuple[StricterApproval, int]]:
    each = enumerate(asked.approvals)
    return [(one, line(("approvals", index))) for index, one in each if _here(one.environments, name)]


def _here(environments: list[str] | None, name: str) -> bool:
    return environments is None or name in environments


def _denials(name: str, asked: Tightening, *, source: str, line: Lines) -> Iterator[Rule]:
    changes = f"its owners can change it in {source}"
    if asked.environments is not None and name not in asked.environments:
        yield Rule(
            name=f"{source}: policy.environments",
            line=line(("environments",)),
            verdict="deny",
            action="*",
            because=f"the service is for {', '.join(asked.environments)} alone",
            way_out=changes,
        )
    for index, one in enumerate(asked.actions):
        if _here(one.environments, name):
            yield Rule(
                name=f"{source}: policy.actions[{index}]",
                line=line(("actions", index)),
                verdict="deny",
                action=one.deny,
                where={field: pattern for field, pattern in one.where if pattern is not None},
                because=one.because,
                way_out=changes,
            )


def _approvals(one: Environment, asked: list[tuple[StricterApproval, int]], source: str) -> Iterator[ApprovalRule]:
    """The deployment's rules, and one of its own for each narrower action that is asked about: a wider rule's copy."""
    patterns = dict.fromkeys([*(rule.action for rule in one.approvals), *(each.action for each, _ in asked)])
    for pattern in patterns:
        covering = [rule.action for rule in one.approvals if _covers(rule.action, pattern)]
        if not covering:
            continue  # nobody can approve it, and a manifest names nobody who could
        of = max(covering, key=_narrowness)
        stricter = [each for each in asked if _covers(each[0].action, pattern)]
        for rule in (rule for rule in one.approvals if rule.action == of):
            tightened = _tightened(rule, stricter, source)
            if tightened is not None:
                yield replace(tightened, action=pattern)


def _narrowness(pattern: str) -> int:
    """0 for all, 1 for a system, 2 for one action."""
    return 0 if pattern == "*" else 1 if pattern.endswith(".*") else 2


def _covers(wide: str, narrow: str) -> bool:
    """Whether a rule on `wide` is about all that one on `narrow` is about."""
    return wide in {narrow, "*"} or (wide.endswith(".*") and narrow.startswith(wide[:-1]))


def _tightened(rule: ApprovalRule, asked: list[tuple[StricterApproval, int]], source: str) -> ApprovalRule | None:
    if not asked:
        return rule
    emergency, loosest = rule.path is Path.BREAK_GLASS, rule.loosest or rule
    if emergency and any(one.break_glass is False for one, _ in asked):
        return None
    for one, _ in asked:
        rule = _stricter_for_all(rule, one)
        if not emergency:
            rule = _stricter_by_people(rule, one)
    lines = sorted({line for _, line in asked})
    where = f"{source} (line{'s' if len(lines) > 1 else ''} {' and '.join(map(str, lines))})"
    return replace(_possible(rule), tightened_by=where, loosest=loosest)


def _stricter_for_all(rule: ApprovalRule, one: StricterApproval) -> ApprovalRule:
    """What holds in an emergency, too."""
    asked = Requesters(one.unverified_requester or Requesters.ALLOW)
    return replace(
        rule,
        cost_limits=_limits(rule.cost_limits, one.cost_limits),
        unverified_requester=max(rule.unverified_requester, asked, key=_STRICTNESS.index),
        step_up=rule.step_up or one.step_up,
    )


def _stricter_by_people(rule: ApprovalRule, one: StricterApproval) -> ApprovalRule:
    groups, escalation = rule.groups, rule.escalation if one.escalate is None else None
    if one.groups is not None:
        groups = tuple(group for group in groups if group in one.groups)
        escalation = escalation if escalation and escalation.group in one.groups else None
    return replace(
        rule,
        quorum=max(rule.quorum, one.quorum or 1),
        groups=groups,
        also=tuple(dict.fromkeys((*rule.also, *(one.also or ())))),
        escalation=escalation,
        approve_within=_shorter(rule.approve_within, one.approve_within),
        execute_within=_shorter(rule.execute_within, one.execute_within),
    )


def _shorter(time: timedelta, asked: str | None) -> timedelta:
    return time if asked is None else min(time, as_duration(asked))


def _possible(rule: ApprovalRule) -> ApprovalRule:
    """Without reminding or asking others at a time when the approval is over already."""
    remind, escalation = rule.remind_after, rule.escalation
    return replace(
        rule,
        remind_after=remind if remind and remind < rule.approve_within else None,
        escalation=escalation if escalation and escalation.after < rule.approve_within else None,
    )


def _limits(found: Mapping[str, int], asked: RawLimits | None) -> Mapping[str, int]:
    """The lower of each; a kind that one of them leaves out is over its limit already, as 0 says."""
    limits = asked.model_dump(exclude_none=True) if asked else {}
    if not found or not limits:
        return found or limits
    return {kind: min(found.get(kind, 0), limits.get(kind, 0)) for kind in (*found, *limits)}


def _budget(found: Budget | None, asked: RawBudget | None, *, source: str, line: Lines) -> Budget | None:
    if asked is None:
        return found
    caps, set_by = {"day": found.day, "goal": found.goal} if found else {}, dict(found.set_by) if found else {}
    for name, dollars in asked.model_dump(exclude_none=True).items():
        cap = caps.get(name)
        if cap is None or dollars * _CENTS < cap:
            caps[name] = dollars * _CENTS
            set_by[name] = f"{source}: policy.budget.{name} (line {line(('budget', name))})"
    return Budget(day=caps.get("day"), goal=caps.get("goal"), set_by=set_by)
