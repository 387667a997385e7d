"""The gateway's signing hand for plans of many steps: of two systems, with rules and people of their own."""

from datetime import timedelta
from pathlib import Path

from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import CoveredStep, Decision, SignedDecision
from hitl.approval.grant import execution_expiry
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk, plan_digest
from hitl.approval.scope import DecisionScope
from hitl.approval.sequence import SEQUENCE, SequencePlan, step_id_at
from hitl.approval.together import RulesTogether, covered
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from tests.hitl.approval.granting import NOW, Gateway, make_plan

BRANCH, BASE, BUY = "github.delete_branch", "neon.delete_branch", "rediscloud.purchase_database"
STEP_ID = f"{SEQUENCE}/1"
OPENED = NOW - timedelta(minutes=20)

POLICY = """\
people:
  alice: [slack:U0ALICE]
  bob: [slack:U0BOB]
  carol: [slack:U0CAROL]
  dave: [slack:U0DAVE]
  erin: [slack:U0ERIN]
  frank: [slack:U0FRANK]
groups:
  release: [alice, bob]
  data: [bob, carol]
  money: [dave]
  emergency: [dave, frank]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: github.delete_branch
      - allow: neon.delete_branch
      - allow: rediscloud.purchase_database
    approvals:
      - action: github.delete_branch
        groups: [release]
        quorum: 1
        approve_within: 7d
        execute_within: 1h
        break_glass: {groups: [emergency]}
      - action: neon.delete_branch
        groups: [data]
        quorum: 2
        approve_within: 2d
        execute_within: 2h
        escalate: {group: money, after: 1d}
        break_glass: {groups: [emergency]}
      - action: rediscloud.purchase_database
        groups: [money]
        cost_limits: {month: 100}
"""


def step(action: str = BRANCH, name: str = "old", **changes: object) -> Plan:
    fields: dict[str, object] = {
        "action": action,
        "parameters": {"repository": "acme/shop", "branch": name},
        "resources": (Resource(kind="branch", name=name, change=Change.DELETE),),
        "summary": (f"Delete {name}",),
    }
    return make_plan(**(fields | changes))


def purchase(dollars: int, name: str = "cache") -> Plan:
    return step(
        BUY,
        name,
        resources=(Resource(kind="database", name=name, change=Change.CREATE),),
        risk=Risk.MEDIUM,
        cost=Cost(usd_cents=dollars * 100, per="month"),
    )


def steps_plan(*steps: Plan) -> SequencePlan:
    """By default a git branch, a database's branch, and another git branch."""
    each = steps or (step(BRANCH, "one"), step(BASE, "two"), step(BRANCH, "three"))
    return SequencePlan(steps=each, summary=("Take the feature down",))


class StepsGateway(Gateway):
    """Signs decisions on a plan of many steps, right or wrong."""

    def __init__(self, folder: Path, plan: SequencePlan | None = None, text: str = POLICY) -> None:
        super().__init__(folder, text)
        self.plan = plan or steps_plan()

    def together(self, path: ApprovalPath = ApprovalPath.ORDINARY) -> RulesTogether:
        """The rules in force."""
        found = rule_for(self.policy, self.environment, plan=self.plan, path=path)
        assert not isinstance(found, Refusal), found
        assert isinstance(found, RulesTogether)
        return found

    def at(self, position: int | None = None, /, **changes: object) -> DecisionScope:
        """One step that is about to run; or the whole, at a click."""
        one = {} if position is None else {"step_id": step_id_at(STEP_ID, position), "position": position}
        action = SEQUENCE if position is None else self.plan.at(position).action
        return self.scope(**({"plan_text": self.plan.text(), "action": action, "step_id": STEP_ID} | one | changes))

    def decision(
        self, person: str = "alice", /, *, path: ApprovalPath = ApprovalPath.ORDINARY, **changes: object
    ) -> Decision:
        """What somebody decided on all of it, as the gateway would say it."""
        policy, rule = self.policy, self.together(path)
        fields: dict[str, object] = {
            "action": SEQUENCE,
            "step_id": STEP_ID,
            "plan_digest": plan_digest(self.plan.text()),
            "rule_digest": rule.digest(self.environment, SEQUENCE),
            "expires_at": execution_expiry(OPENED, rule),
            "steps": covered(rule, person, policy.people),
        }
        return super().decision(person, **(fields | changes))  # pyright: ignore[reportArgumentType] - any field

    def approved(self, *people: str, **changes: object) -> list[SignedDecision]:
        """By all that the three steps need: bob counts for each of them, and carol for the database."""
        return [self.signed(person, **changes) for person in people or ("bob", "carol")]


def names(*positions: int, plan: SequencePlan | None = None) -> tuple[CoveredStep, ...]:
    plan = plan or steps_plan()
    return tuple(CoveredStep(position=one, action=plan.at(one).action) for one in positions)
