"""Who asked for a plan as far as anybody vouches for it, and how many people must approve because of that."""

from dataclasses import dataclass
from typing import Final

from hitl.approval.approvers import Mentions, Requesters
from hitl.approval.decision import UNVERIFIED
from hitl.approval.together import RulesTogether, asked_of
from hitl.gateway.server import FoundApproval
from hitl.policy.rules import Policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from workflows.approval.contracts import ApprovalView

_STRANGERS: Final = {
    Requesters.DENY: "and the policy wants to know: nobody can approve this. Start the goal from Slack or the console",
    Requesters.ONE_MORE: "so one more person must approve",
    Requesters.ALLOW: "which this environment's policy allows",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a message says about it.

    Attributes:
        requester: The identity that asked, or `unverified`.
        who: For people: the person and that identity, or that nobody vouches for any.
        needs: How many people must approve, by the policy in force.
        mention: Whom a new message mentions, by the same.
        steps: Of a plan of many: who must approve which of its steps, a line each.
        also: Of which groups somebody must be among them, besides.
        tightened_by: Which lines of the service's own file ask more than the deployment does.
    """

    requester: str
    who: str
    needs: int
    mention: Mentions = Mentions.ALL
    steps: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    tightened_by: str = ""

    def more(self, view: ApprovalView) -> tuple[str, ...]:
        """What is asked besides the number of people, and who is still needed for it, a line each."""
        there = {one.group: one.approved_by for one in (*view.also, *(one for step in view.steps for one in step.also))}
        lines = [
            f"Among them somebody of {group}: {', '.join(there.get(group, ())) or 'nobody yet'}" for group in self.also
        ]
        return (
            *lines,
            *([f"Stricter than the deployment's policy by {self.tightened_by}"] if self.tightened_by else []),
        )


def asked_by(requester: str, found: FoundApproval, policy: Policy, *, environment: str) -> Asked:
    """By the policy in force; where it has no rule any more, by the rule that was asked under.

    Args:
        requester: The identity, or `unverified`, as `GoalStarter.requester` tells it.
        found: The approval.
        policy: The policy.
        environment: Of this gateway.
    """
    rule = rule_for(policy, environment, plan=found.plan, path=found.request.rule.path)
    person = policy.people.requester(requester)
    nobody = "nobody vouches for who asked" + (f" ({requester})" if requester != UNVERIFIED else "")
    who = f"{person} ({requester})" if person != UNVERIFIED else nobody
    if isinstance(rule, Refusal):
        return Asked(requester=requester, who=who, needs=found.request.rule.quorum, mention=Mentions.NONE)
    return Asked(
        requester=requester,
        who=who if person != UNVERIFIED else f"{who}, {_STRANGERS[rule.unverified_requester]}",
        needs=rule.needs(person),
        mention=rule.mention,
        steps=_of_steps(rule, person) if isinstance(rule, RulesTogether) else (),
        also=rule.also,
        tightened_by=rule.tightened_by,
    )


def _of_steps(rule: RulesTogether, requester: str) -> tuple[str, ...]:
    return tuple(
        f"{'Step' if len(positions) == 1 else 'Steps'} {', '.join(map(str, positions))}: {words}"
        for words, positions in asked_of(rule, requester).items()
    )
