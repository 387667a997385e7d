"""What somebody asked of the deployment's policy that would loosen it, or names what it does not have. Pure.

Nothing of this is dangerous: it changes nothing (`hitl.policy.tighten`). But its author believes that it does.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from hitl.approval.approvers import ApprovalRule, People
from hitl.policy.raw import as_duration
from hitl.policy.rules import Policy, approval_rule
from hitl.policy.tightening import StricterApproval, Tightening
from hitl.policy.yaml import Location
from hitl.protocol import Refusal

Found = tuple[Location, str]
"""A problem: where it is in the tightening, and what to do about it."""
_CENTS: Final = 100
_ONLY: Final = "a manifest can only tighten: leave it out, or write"


def find_loosening(policy: Policy, asked: Tightening) -> Iterator[Found]:
    """Everything that the deployment's policy makes idle, or does not know; with the way out."""
    yield from unknown(asked.environments, policy.environments, ("environments",), what="environment")
    for section, entries in (("actions", asked.actions), ("approvals", asked.approvals)):
        for index, one in enumerate(entries):
            at = (section, index, "environments")
            yield from unknown(one.environments, policy.environments, at, what="environment")
    yield from _phase(policy, asked)
    yield from _budget(policy, asked)
    for index, one in enumerate(asked.approvals):
        yield from _approval(policy, asked, one, ("approvals", index))


def unknown(names: Iterable[str] | None, known: Iterable[str], at: Location, *, what: str) -> Iterator[Found]:
    """Each name that the deployment does not have, with the nearest one that it has."""
    there = list(known)
    for index, name in enumerate(names or ()):
        if name not in there:
            close = difflib.get_close_matches(name, there, n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            yield (*at, index), f"the deployment has no {what} {name!r}; {meant}It has {', '.join(there) or 'none'}"


def _phase(policy: Policy, asked: Tightening) -> Iterator[Found]:
    phases = [one.phase for name, one in policy.environments.items() if _among(asked.environments, name)]
    if asked.phase is not None and phases and all(asked.phase.level > one.level for one in phases):
        most = max(phases, key=lambda one: one.level)
        yield ("phase",), f"{asked.phase} is more than the deployment's {most}; {_ONLY} {most} or less"


def _budget(policy: Policy, asked: Tightening) -> Iterator[Found]:
    if asked.budget is None:
        return
    budgets = [one.budget for name, one in policy.environments.items() if _among(asked.environments, name)]
    for field, dollars, caps in (
        ("day", asked.budget.day, [one.day if one else None for one in budgets]),
        ("goal", asked.budget.goal, [one.goal if one else None for one in budgets]),
    ):
        lower = [one // _CENTS for one in caps if one is not None and one < (dollars or 0) * _CENTS]
        if caps and len(lower) == len(caps):
            text = f"${dollars} is more than the ${max(lower)} of the deployment; {_ONLY} {max(lower)} or less"
            yield ("budget", field), text


def _among(environments: Sequence[str] | None, name: str) -> bool:
    return environments is None or name in environments


def _approval(policy: Policy, asked: Tightening, one: StricterApproval, at: Location) -> Iterator[Found]:
    for key, groups in (("groups", one.groups), ("also", one.also)):
        yield from unknown(groups, policy.people.groups, (*at, key), what="group")
    here = [name for name in policy.environments if _among(asked.environments, name) and _among(one.environments, name)]
    found = [approval_rule(policy, name, action=one.action) for name in here]
    rules = [rule for rule in found if not isinstance(rule, Refusal)]
    narrower = any(_begins(rule.action, one.action) for name in here for rule in policy.environments[name].approvals)
    if here and not rules and not narrower:
        text = f"the deployment has no rule on who approves {one.action!r}, so that nobody can; a manifest adds none"
        yield (*at, "action"), text
    if rules:
        yield from _idle(rules, one, at)
    for rule in rules:
        if found := _nobody(rule, one, policy.people):
            key, text = found
            yield (*at, key), text
            return


def _begins(action: str, pattern: str) -> bool:
    return pattern == "*" or (pattern.endswith(".*") and action.startswith(pattern[:-1]))


def _idle(rules: Sequence[ApprovalRule], one: StricterApproval, at: Location) -> Iterator[Found]:
    """Fields that are looser than every rule of the deployment that they are about."""
    fewest = min(rule.quorum for rule in rules)
    if one.quorum is not None and one.quorum < fewest:
        yield (*at, "quorum"), f"{one.quorum} is fewer than the {fewest} of the deployment; {_ONLY} more than {fewest}"
    for field, asked, times in (
        ("approve_within", one.approve_within, [rule.approve_within for rule in rules]),
        ("execute_within", one.execute_within, [rule.execute_within for rule in rules]),
    ):
        if asked is not None and as_duration(asked) > max(times):
            text = f"{asked} is longer than the {_time(max(times))} of the deployment; {_ONLY} less"
            yield (*at, field), text
    limits = one.cost_limits.model_dump(exclude_none=True) if one.cost_limits else {}
    for kind, dollars in limits.items():
        if all(rule.cost_limits and dollars > rule.cost_limits.get(kind, 0) for rule in rules):
            most = max(rule.cost_limits.get(kind, 0) for rule in rules)
            text = f"${dollars} is more than the ${most} of the deployment; {_ONLY} {most} or less"
            yield (*at, "cost_limits", kind), text


def _nobody(rule: ApprovalRule, one: StricterApproval, people: People) -> tuple[str, str] | None:
    """Why nobody could ever approve under this rule, tightened, and by which key; None where somebody could."""
    groups = tuple(group for group in rule.groups if one.groups is None or group in one.groups)
    able = people.members(groups)
    if rule.step_up or one.step_up:
        able &= frozenset(people.keys)
    needs = max(rule.quorum, one.quorum or 1)
    with_key = " with a key" if rule.step_up or one.step_up else ""
    if len(able) < needs:
        of = f"of {', '.join(rule.groups)} there are {len(able)} that count"
        key = "quorum" if one.quorum else "groups" if one.groups else "step_up"
        return key, f"needs {needs} people{with_key}, and {of}; nobody could ever approve"
    for group in one.also or ():
        if able.isdisjoint(people.members((group,))):
            return (
                "also",
                f"nobody of {group!r} may decide{with_key}, who are asked are {', '.join(groups)}; name another",
            )
    return None


def _time(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    sizes: Mapping[str, int] = {"d": 1440, "h": 60}
    return next((f"{minutes // size}{unit}" for unit, size in sizes.items() if minutes % size == 0), f"{minutes}m")
