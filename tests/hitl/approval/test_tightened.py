"""Grants under a policy that a repository has tightened: what it asks is what a grant takes, and nothing less."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hitl.approval.decision import SignedDecision
from hitl.approval.grant import Checked, check_grant
from hitl.policy.rules import Policy
from hitl.policy.tighten import tighten
from hitl.policy.tightening import Tightening
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.granting import ACTION, POLICY, Gateway

GROUPS = POLICY.replace("  leads: [dave]", "  leads: [dave]\n  security: [carol, dave]\n  mallorys: [erin]")


@dataclass
class Tightened(Gateway):
    """Whose policy is tightened, by what a test says."""

    more: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def policy(self) -> Policy:
        asked = Tightening.model_validate({"approvals": [{"action": ACTION, **self.more}]})
        return tighten(super().policy, asked, source="banksman.yaml")


def gateway(folder: Path, **more: object) -> Tightened:
    return Tightened(folder, text=GROUPS, more=more)


def outcome(at: Gateway, grant: list[SignedDecision]) -> RefusalReason | None:
    found = check_grant(grant, at.scope(), standing=at.standing())
    assert isinstance(found, Checked | Refusal)
    return found.reason if isinstance(found, Refusal) else None


@pytest.mark.parametrize(
    ("more", "people", "reason"),
    [
        ({"quorum": 3}, ("alice", "bob"), RefusalReason.QUORUM_NOT_MET),
        ({"quorum": 3}, ("alice", "bob", "carol"), None),
        ({"quorum": 1}, ("alice",), RefusalReason.QUORUM_NOT_MET),
        ({"also": ["security"]}, ("alice", "bob"), RefusalReason.QUORUM_NOT_MET),
        ({"also": ["security"]}, ("alice", "carol"), None),
        ({"also": ["security"]}, ("alice", "bob", "carol"), None),
        ({"also": ["security", "leads"]}, ("alice", "carol"), RefusalReason.QUORUM_NOT_MET),
        ({"also": ["security", "leads"]}, ("alice", "dave"), None),
        ({"also": ["mallorys"]}, ("alice", "erin"), RefusalReason.REQUESTER_COUNTED),
        ({"also": ["nobody"]}, ("alice", "bob", "carol"), RefusalReason.QUORUM_NOT_MET),
        ({"groups": ["leads"]}, ("alice", "bob"), RefusalReason.NOT_A_MEMBER),
        ({"groups": ["emergency"]}, ("dave",), RefusalReason.NOT_A_MEMBER),
        ({"escalate": False}, ("alice", "dave"), RefusalReason.NOT_A_MEMBER),
        ({"step_up": "webauthn"}, ("alice", "bob"), RefusalReason.NOT_CONFIRMED),
        ({"cost_limits": {"month": 1}}, ("alice", "bob"), RefusalReason.COST_LIMIT),
        ({"execute_within": "5m"}, ("alice", "bob"), RefusalReason.EXPIRED),
    ],
)
def test_what_a_repository_asks_is_what_a_grant_takes(
    tmp_path: Path, more: dict[str, object], people: tuple[str, ...], reason: RefusalReason | None
) -> None:
    at = gateway(tmp_path, **more)
    assert outcome(at, at.grant(*people)) is reason


def test_who_must_be_among_them_does_not_decide_by_that(tmp_path: Path) -> None:
    at = gateway(tmp_path, also=["mallorys"])
    grant = at.grant("alice", "erin", requester="slack:U0BOB")
    assert outcome(at, grant) is RefusalReason.NOT_A_MEMBER


def test_what_was_approved_by_the_deployments_rule_is_not_by_the_tightened_one(tmp_path: Path) -> None:
    before, after = Gateway(tmp_path, text=GROUPS), gateway(tmp_path, also=["security"])
    after.versions = before.versions
    grant = before.grant("alice", "carol")
    assert outcome(before, grant) is None
    assert outcome(after, grant) is RefusalReason.RULE_CHANGED


def test_what_would_loosen_voids_nothing(tmp_path: Path) -> None:
    before, after = Gateway(tmp_path, text=GROUPS), gateway(tmp_path, quorum=1, approve_within="300d")
    after.versions = before.versions
    assert outcome(after, before.grant("alice", "carol")) is None
