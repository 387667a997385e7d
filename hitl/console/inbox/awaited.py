"""For whom an approval waits: by the policy in force, as the guard will see it, and not by the rule as it was asked."""

from collections.abc import Callable
from dataclasses import dataclass

from hitl.approval.approvers import Requesters
from hitl.approval.decision import UNVERIFIED, Verdict
from hitl.approval.together import AskingRule
from hitl.console.access.visitors import Visitor
from hitl.console.ports import ApprovalRow
from hitl.policy.rules import Policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from workflows.approval.contracts import ApprovalView
from workflows.contracts import State


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """What a page says of one that waits.

    Attributes:
        verdicts: What this visitor is offered. Whether it counts is decided elsewhere.
        you: Whether it is this visitor who is waited for. Whoever asked can take it back, and is not waited for.
        groups: Whom it waits for, where that is somebody else.
        why: Why it is not this visitor's to decide; empty where it is.
    """

    verdicts: tuple[Verdict, ...] = ()
    you: bool = False
    groups: tuple[str, ...] = ()
    why: str = ""


Await = Callable[[ApprovalRow], Awaited]


def awaited(row: ApprovalRow, visitor: Visitor, policy: Policy, *, environment: str) -> Awaited:
    """For whom it waits, seen by this visitor."""
    view = row.view
    if row.plan is None or row.goal is None or view is None or row.state != State.WAITING:
        return Awaited()
    rule = rule_for(policy, environment, plan=row.plan, path=view.path)
    if isinstance(rule, Refusal):
        asked = tuple(one for one in view.groups if one in visitor.groups)
        no = (Verdict.REJECT,) if asked else ()
        return Awaited(verdicts=no, why="The policy no longer lets anybody approve this; it can be rejected.")
    groups = rule.all_groups if view.escalated_to else rule.groups
    requester = policy.people.requester(view.requester or "")
    if requester == visitor.person:
        why = "You asked for it, so others decide. You can take it back."
        return Awaited(verdicts=(Verdict.WITHDRAW,), groups=groups, why=why)
    why = _why_not(visitor, view, rule, members=policy.people.members(groups), requester=requester)
    if why:
        return Awaited(groups=groups, why=why)
    return Awaited(verdicts=(Verdict.APPROVE, Verdict.REQUEST_CHANGES, Verdict.REJECT), you=True)


def _why_not(visitor: Visitor, view: ApprovalView, rule: AskingRule, *, members: frozenset[str], requester: str) -> str:
    """Why the guard would count nothing that this visitor decides."""
    if any(one.person == visitor.person for one in view.decisions):
        return "You have decided; it waits for others."
    if visitor.person not in members:
        later = any(group in visitor.groups for group in rule.all_groups)
        return "You are asked when the others have not answered in time." if later else "You are in none of its groups."
    if view.requester and requester == UNVERIFIED and rule.unverified_requester is Requesters.DENY:
        return "Nobody knows who asked, and the policy wants to know: nobody can approve it."
    return ""
