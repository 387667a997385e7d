"""What the policy says, in words: for `banksman policy explain` and for whoever shows a plan."""

from datetime import timedelta
from typing import Final

from hitl.approval.approvers import ApprovalRule, Mentions, Path, People, Requesters
from hitl.policy.rules import Allow, Policy, approval_rule, evaluate
from hitl.protocol import Effect, PolicyContext, Refusal


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
    lines = [f"  approval: {_who(found, policy.people)}, by {found}", f"    {_limits(found)}"]
    emergency = approval_rule(policy, environment, action=action, path=Path.BREAK_GLASS)
    if isinstance(emergency, ApprovalRule):
        lines.append(f"  break glass: {_who(emergency, policy.people)}, all within an hour, by {emergency}")
    return lines


def _who(rule: ApprovalRule, people: People) -> str:
    groups = "; ".join(f"{group}: {', '.join(sorted(people.members((group,))))}" for group in rule.groups)
    return f"{rule.quorum} of {groups}; never who asked"


_MENTIONED: Final = {Mentions.FIRST: "as many as must approve", Mentions.NONE: "nobody"}


def _limits(rule: ApprovalRule) -> str:
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
