"""What another policy would have made of what was decided, from the audit log alone. Pure.

The log keeps what a step touched, who approved it and who asked, and so that much is judged anew. It keeps neither
plans nor times of decisions: limits of costs and times, budgets, keys of people, and what a service's manifest
tightened are not. Of a decision that no policy made, as on a grant of another run, there is nothing to judge.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hitl.approval.approvers import ApprovalRule, Path, Requesters
from hitl.approval.decision import UNVERIFIED
from hitl.policy.rules import Deny, Policy, approval_rule, evaluate
from hitl.protocol import Effect, PolicyContext, Refusal, RefusalReason

BY_POLICY: Final = frozenset(
    {RefusalReason.PHASE, RefusalReason.DENY_RULE, RefusalReason.NO_ALLOW_RULE, RefusalReason.UNKNOWN_ENVIRONMENT}
)
"""Refusals that another policy may turn."""
_OF_A_MANIFEST: Final = ": policy."
"""In the name of a rule that a service's own file gave."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """One decision of the guard, as the audit log has it.

    Attributes:
        goal: Type and id of the workflow, and its run.
        step: The activity's id: all attempts at a step have it.
        reason: Why it was denied; None where it was allowed.
        rule: What decided, by its place in a file.
        approvers: Who said yes, where people were asked.
        requester: The identity that asked.
    """

    time: str
    goal: tuple[str, str, str]
    step: str
    action: str
    effect: Effect
    environment: str
    context: Mapping[str, str]
    reason: RefusalReason | None = None
    rule: str | None = None
    approvers: tuple[str, ...] | None = None
    requester: str | None = None


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """A goal that would have gone another way.

    Attributes:
        number: Of the step in its goal, from 1, by the first attempt at each.
        of: How many steps the goal had.
        now: What would be decided, and why.
        later: How many further steps would be decided otherwise too.
    """

    past: Past
    number: int
    of: int
    now: str
    later: int = 0


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What came of it.

    Attributes:
        judged: How many decisions.
        left_out: How many no deployment's policy had made.
        goals: How many goals there were.
        otherwise: Those that would have gone another way, by their time.
    """

    judged: int
    left_out: int
    goals: int
    otherwise: tuple[Otherwise, ...]


def replay(policy: Policy, decisions: Iterable[Past]) -> Replayed:
    """Judge all of them anew.

    Args:
        policy: The other one.
        decisions: In the order of their time.
    """
    goals: dict[tuple[str, str, str], list[Past]] = {}
    for one in decisions:
        goals.setdefault(one.goal, []).append(one)
    everything = [one for each in goals.values() for one in each]
    judged = sum(is_judged(one) for one in everything)
    return Replayed(
        judged=judged,
        left_out=len(everything) - judged,
        goals=len(goals),
        otherwise=tuple(found for each in goals.values() for found in _otherwise(policy, each)),
    )


def is_judged(past: Past) -> bool:
    """Whether a deployment's policy decided it."""
    try:
        context_of(past.context)
    except ValueError:
        return False
    if past.reason is None:
        return True
    return past.reason in BY_POLICY and _OF_A_MANIFEST not in (past.rule or "")


def _otherwise(policy: Policy, decisions: list[Past]) -> Iterator[Otherwise]:
    """The first step of a goal that would be decided otherwise; what followed it might never have been asked."""
    steps = list(dict.fromkeys(one.step for one in decisions))
    found: dict[str, tuple[Past, str]] = {}
    for one in decisions:
        if is_judged(one) and one.step not in found and (now := _now(policy, one)) is not None:
            found[one.step] = (one, now)
    if found:
        past, now = next(iter(found.values()))
        yield Otherwise(past=past, number=steps.index(past.step) + 1, of=len(steps), now=now, later=len(found) - 1)


def _now(policy: Policy, past: Past) -> str | None:
    """What would be decided now; None where it is the same."""
    verdict = evaluate(
        policy, past.environment, action=past.action, effect=past.effect, context=context_of(past.context)
    )
    if isinstance(verdict, Deny):
        return None if past.reason is not None else f"denied ({verdict.reason}): {verdict.explanation}"
    if past.reason is not None:
        asks = ", once people approved it" if past.effect is Effect.DESTRUCTIVE else ""
        return f"allowed{asks}: {verdict.explanation}"
    if past.effect is Effect.DESTRUCTIVE and past.approvers is not None:
        return _not_approved(policy, past)
    return None


def context_of(said: Mapping[str, str]) -> PolicyContext:
    """What a step touched, from the words that the log keeps.

    Raises:
        ValueError: They are not those of a context.
    """
    cost = said.get("cost")
    return PolicyContext.model_validate({**said, "cost": int(cost) if cost is not None else None})


def _not_approved(policy: Policy, past: Past) -> str | None:
    """Why those who approved it would not be enough, on neither path; None where they would."""
    each = [approval_rule(policy, past.environment, action=past.action, path=path) for path in Path]
    rules = [rule for rule in each if not isinstance(rule, Refusal)]
    if not rules:
        return f"denied ({RefusalReason.NO_RULE}): {policy.source} has no rule on who approves {past.action!r}"
    why = [_lacks(rule, policy, past) for rule in rules]
    return None if None in why else f"not approved: {why[0]}"


def _lacks(rule: ApprovalRule, policy: Policy, past: Past) -> str | None:
    requester = policy.people.requester(past.requester or UNVERIFIED)
    if requester == UNVERIFIED and rule.unverified_requester is Requesters.DENY:
        return f"nobody knows who asked for it, and {rule} wants to know"
    members = policy.people.members(rule.all_groups)
    count = [person for person in dict.fromkeys(past.approvers or ()) if person in members and person != requester]
    needs = rule.needs(requester)
    if len(count) < needs:
        who = f" ({', '.join(count)})" if count else ""
        return (
            f"{rule} wants {needs} of {' or '.join(rule.groups)}, and {len(count)} of those who approved it count{who}"
        )
    lacking = next((one for one in rule.also if policy.people.members((one,)).isdisjoint(count)), None)
    return f"{rule} wants somebody of {lacking} among them" if lacking else None
