"""A gateway's signing hand for tests: real keys, real texts, and a policy read from a file."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from hitl.approval.approvers import ApprovalRule
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import DECISION_TAG, Decision, SignedDecision
from hitl.approval.grant import Standing, execution_expiry
from hitl.approval.plan import Change, Plan, Resource, Risk, plan_digest
from hitl.approval.scope import DecisionScope
from hitl.approval.signing import PublicKeys
from hitl.approval.stricter import Stricter
from hitl.canonical import canonical_json
from hitl.policy.file import load_policy
from hitl.policy.rules import Policy, approval_rule
from hitl.policy.together import rule_for

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ACTION = "github.delete_branch"

POLICY = """\
people:
  alice: [slack:U0ALICE, github:Alice-A, temporal:alice]
  bob: [slack:U0BOB, github:bob]
  carol: [slack:U0CAROL]
  dave: [slack:U0DAVE]
  erin: [slack:U0ERIN]
groups:
  release: [alice, bob, carol]
  leads: [dave]
  emergency: [dave, erin]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: github.delete_branch
    approvals:
      - action: github.delete_branch
        groups: [release]
        quorum: 2
        approve_within: 7d
        execute_within: 1h
        remind_after: 4h
        escalate: {group: leads, after: 1d}
        break_glass: {groups: [emergency]}
"""


def make_plan(**changes: object) -> Plan:
    fields: dict[str, object] = {
        "action": ACTION,
        "parameters": {"repository": "acme/shop", "branch": "old"},
        "resources": (Resource(kind="git branch", name="old of acme/shop", change=Change.DELETE),),
        "summary": ("Delete the branch old",),
        "risk": Risk.LOW,
    }
    return Plan.model_validate(fields | changes)


@dataclass
class Gateway:
    """Signs what it is told to, right or wrong; each test changes one thing."""

    folder: Path
    text: str = POLICY
    environment: str = "live"
    versions: dict[int, Ed25519PrivateKey] = field(default_factory=lambda: {1: Ed25519PrivateKey.generate()})

    @property
    def policy(self) -> Policy:
        """The policy in force, read from its file."""
        path = self.folder / "policy.yaml"
        path.write_text(self.text)
        return load_policy(path)

    @property
    def keys(self) -> PublicKeys:
        """The published keys."""
        return {version: key.public_key() for version, key in self.versions.items()}

    def rotate(self) -> None:
        """The next version of the key."""
        self.versions[max(self.versions) + 1] = Ed25519PrivateKey.generate()

    def rule(self, path: ApprovalPath = ApprovalPath.ORDINARY, action: str = ACTION) -> ApprovalRule:
        """The rule in force."""
        found = approval_rule(self.policy, self.environment, action=action, path=path)
        assert isinstance(found, ApprovalRule)
        return found

    def standing(self, **changes: object) -> Standing:
        """What a verifier has."""
        fields: dict[str, object] = {"policy": self.policy, "keys": self.keys, "now": NOW}
        return Standing(**(fields | changes))  # pyright: ignore[reportArgumentType] - any field

    def scope(self, **changes: object) -> DecisionScope:
        """The step that is about to run."""
        fields: dict[str, object] = {
            "environment": self.environment,
            "cluster": "cluster-1",
            "namespace": "default",
            "workflow_id": "delete-branch/acme/shop/old",
            "run_id": "run-1",
            "step_id": f"{ACTION}/1",
            "action": ACTION,
            "plan_text": make_plan().text(),
        }
        return DecisionScope(**(fields | changes))  # pyright: ignore[reportArgumentType] - any field

    def decision(
        self, person: str = "alice", /, *, path: ApprovalPath = ApprovalPath.ORDINARY, **changes: object
    ) -> Decision:
        """What somebody decided, as the gateway would say it."""
        scope, rule = self.scope(), self.rule(path)
        fields: dict[str, object] = {
            **{name: getattr(scope, name) for name in ("environment", "cluster", "namespace", "workflow_id", "run_id")},
            "action": ACTION,
            "step_id": scope.step_id,
            "plan_digest": plan_digest(scope.plan_text),
            "rule_digest": rule.digest(self.environment, ACTION),
            "requester": "slack:U0ERIN",
            "person": person,
            "identity": f"slack:U0{person.upper()}",
            "surface": "slack",
            "verdict": "approve",
            "approval_id": "approval/x/1",
            "approval_run_id": "approval-run-1",
            "decided_at": NOW - timedelta(minutes=10),
            "expires_at": execution_expiry(NOW - timedelta(minutes=20), rule),
            "nonce": secrets.token_hex(16),
        }
        return Decision.model_validate(fields | changes)

    def sign(self, decision: Decision | str, version: int | None = None) -> SignedDecision:
        """Signed with the newest key, or with that version."""
        text = decision if isinstance(decision, str) else decision.text()
        version = version or max(self.versions)
        signature = self.versions[version].sign(text.encode())
        return SignedDecision.from_vault(text, f"vault:v{version}:{base64.b64encode(signature).decode()}")

    def signed(self, person: str = "alice", /, **changes: object) -> SignedDecision:
        """A signed decision."""
        return self.sign(self.decision(person, **changes))  # pyright: ignore[reportArgumentType] - any field

    def grant(self, *people: str, **changes: object) -> list[SignedDecision]:
        """One decision of each."""
        return [self.signed(person, **changes) for person in people or ("alice", "bob")]


GROUPS = POLICY.replace("  leads: [dave]", "  leads: [dave]\n  security: [carol, dave]\n  mallorys: [erin]")
"""With groups that decide nothing, of which a service may want somebody."""


def stricter(lines: dict[str, int] | None = None, **asked: JsonValue) -> Stricter:
    """What a service's manifest asks of the policy."""
    return Stricter(source="banksman.yaml", asked=asked, lines=lines or {})


def stricter_approval(**more: JsonValue) -> Stricter:
    """What it asks of approving the one action."""
    return stricter({"approvals.0": 53}, approvals=[{"action": ACTION, **more}])


@dataclass
class Tightened(Gateway):
    """Signs decisions on a plan that carries what its service's manifest asks; the policy is the deployment's."""

    text: str = GROUPS
    asked: Stricter | None = None

    @property
    def plan(self) -> Plan:
        """The plan."""
        return make_plan(tightening=self.asked)

    def rule(self, path: ApprovalPath = ApprovalPath.ORDINARY, action: str = ACTION) -> ApprovalRule:
        """The rule in force for this plan."""
        found = rule_for(self.policy, self.environment, plan=self.plan.model_copy(update={"action": action}), path=path)
        assert isinstance(found, ApprovalRule)
        return found

    def scope(self, **changes: object) -> DecisionScope:
        """The step that is about to run on this plan."""
        return super().scope(**({"plan_text": self.plan.text()} | changes))


def rewritten(decision: Decision, **fields: JsonValue) -> str:
    """A decision's text with other fields, past its model."""
    tag, _, body = decision.text().partition("\n")
    assert tag == DECISION_TAG
    return f"{tag}\n{canonical_json(json.loads(body) | fields)}"
