"""Grants: each thing that is signed, changed by itself, is refused for that reason; and what is right passes."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import MAX_DECISIONS, SignedDecision, Surface, Verdict
from hitl.approval.grant import CLOCK_SKEW, Checked, Standing, check_decision, check_grant
from hitl.approval.plan import Cost, plan_digest
from hitl.approval.scope import DecisionScope
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.granting import NOW, POLICY, Gateway, make_plan, rewritten

HOUR = timedelta(hours=1)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def refused(
    gateway: Gateway,
    grant: list[SignedDecision],
    scope: DecisionScope | None = None,
    *,
    standing: Standing | None = None,
) -> RefusalReason:
    found = check_grant(grant, scope or gateway.scope(), standing=standing or gateway.standing())
    assert isinstance(found, Refusal), found
    assert found.explanation.endswith(".")
    assert found.explanation.isprintable()
    return found.reason


def passes(gateway: Gateway, grant: list[SignedDecision], *, standing: Standing | None = None) -> Checked:
    found = check_grant(grant, gateway.scope(), standing=standing or gateway.standing())
    assert isinstance(found, Checked), found
    return found


def test_two_members_who_did_not_ask_let_it_run(gateway: Gateway) -> None:
    found = passes(gateway, gateway.grant("alice", "bob"))
    assert (found.requester, found.needs) == ("erin", 2)


def test_nobody_is_not_enough(gateway: Gateway) -> None:
    assert refused(gateway, []) is RefusalReason.NO_GRANT


def test_one_of_two_is_not_enough(gateway: Gateway) -> None:
    assert refused(gateway, gateway.grant("alice")) is RefusalReason.QUORUM_NOT_MET


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"environment": "staging"}, RefusalReason.OTHER_ENVIRONMENT),
        ({"cluster": "cluster-2"}, RefusalReason.OTHER_NAMESPACE),
        ({"namespace": "prod"}, RefusalReason.OTHER_NAMESPACE),
        ({"workflow_id": "another"}, RefusalReason.OTHER_RUN),
        ({"run_id": "run-2"}, RefusalReason.OTHER_RUN),
        ({"step_id": "github.delete_branch/2"}, RefusalReason.OTHER_STEP),
        ({"action": "github.merge"}, RefusalReason.OTHER_ACTION),
        (
            {"plan_text": make_plan(parameters={"repository": "acme/shop", "branch": "main"}).text()},
            RefusalReason.OTHER_PLAN,
        ),
        ({"plan_text": make_plan(summary=("Tidy up",)).text()}, RefusalReason.OTHER_PLAN),
        ({"plan_text": make_plan(action="github.merge").text()}, RefusalReason.OTHER_ACTION),
        ({"plan_text": make_plan().text().replace('"version":1', '"version":2')}, RefusalReason.MALFORMED_PLAN),
        ({"plan_text": make_plan().text().replace("{", '{"a":1,', 1)}, RefusalReason.MALFORMED_PLAN),
        ({"plan_text": make_plan().text() + " "}, RefusalReason.MALFORMED_PLAN),
        ({"plan_text": ""}, RefusalReason.MALFORMED_PLAN),
    ],
)
def test_on_another_occasion_it_is_refused(gateway: Gateway, changed: dict[str, object], reason: RefusalReason) -> None:
    assert refused(gateway, gateway.grant(), gateway.scope(**changed)) is reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"environment": "staging"}, RefusalReason.OTHER_ENVIRONMENT),
        ({"cluster": "cluster-2"}, RefusalReason.OTHER_NAMESPACE),
        ({"namespace": "prod"}, RefusalReason.OTHER_NAMESPACE),
        ({"workflow_id": "another"}, RefusalReason.OTHER_RUN),
        ({"run_id": "run-2"}, RefusalReason.OTHER_RUN),
        ({"step_id": "github.delete_branch/2"}, RefusalReason.OTHER_STEP),
        ({"action": "github.merge"}, RefusalReason.OTHER_ACTION),
        ({"plan_digest": "sha256:" + "0" * 64}, RefusalReason.OTHER_PLAN),
        ({"rule_digest": "sha256:" + "0" * 64}, RefusalReason.RULE_CHANGED),
        ({"verdict": Verdict.REJECT}, RefusalReason.NOT_APPROVED),
        ({"verdict": Verdict.REQUEST_CHANGES}, RefusalReason.NOT_APPROVED),
        ({"verdict": Verdict.WITHDRAW}, RefusalReason.NOT_A_MEMBER),
        ({"person": "mallory", "identity": "slack:U0MALLORY"}, RefusalReason.NOT_A_MEMBER),
        ({"person": "alice", "identity": "slack:U0MALLORY"}, RefusalReason.NOT_A_MEMBER),
        ({"person": "carol", "identity": "slack:U0BOB"}, RefusalReason.NOT_A_MEMBER),
        ({"surface": Surface.CONSOLE}, RefusalReason.NOT_A_MEMBER),
        ({"requester": "slack:U0BOB"}, RefusalReason.REQUESTER_COUNTED),
        ({"requester": "slack:U0DAVE"}, RefusalReason.MALFORMED_GRANT),
        ({"approval_id": "approval/x/2"}, RefusalReason.MALFORMED_GRANT),
        ({"approval_run_id": "another"}, RefusalReason.MALFORMED_GRANT),
        ({"decided_at": NOW + CLOCK_SKEW + timedelta(seconds=1)}, RefusalReason.NOT_YET),
        ({"expires_at": NOW}, RefusalReason.EXPIRED),
        ({"expires_at": NOW + timedelta(days=8)}, RefusalReason.MALFORMED_GRANT),
    ],
)
def test_one_decision_signed_for_something_else_spoils_the_grant(
    gateway: Gateway, changed: dict[str, object], reason: RefusalReason
) -> None:
    grant = [gateway.signed("alice"), gateway.signed("bob", **changed)]
    assert refused(gateway, grant) is reason


def test_one_person_counts_once(gateway: Gateway) -> None:
    assert refused(gateway, gateway.grant("alice", "alice")) is RefusalReason.DUPLICATE_PERSON
    again = gateway.signed("alice", identity="github:alice-a", surface=Surface.GITHUB)
    assert refused(gateway, [gateway.signed("alice"), again]) is RefusalReason.DUPLICATE_PERSON


def test_a_github_account_counts_in_the_console_and_for_one_person(gateway: Gateway) -> None:
    """People sign in there by GitHub. Nobody does in Slack, and nobody comes to GitHub by Slack."""
    by_github = gateway.signed("alice", identity="github:alice-a", surface=Surface.CONSOLE)
    assert passes(gateway, [by_github, gateway.signed("bob")]).needs == 2
    assert refused(gateway, [by_github, gateway.signed("alice")]) is RefusalReason.DUPLICATE_PERSON
    for identity, surface in (("github:alice-a", Surface.SLACK), ("slack:U0ALICE", Surface.GITHUB)):
        wrong = gateway.signed("alice", identity=identity, surface=surface)
        assert refused(gateway, [wrong, gateway.signed("bob")]) is RefusalReason.NOT_A_MEMBER


def test_who_asked_never_counts_under_no_name(gateway: Gateway) -> None:
    grant = gateway.grant("alice", "bob", requester="temporal:alice")
    assert refused(gateway, grant) is RefusalReason.REQUESTER_COUNTED
    second = [
        gateway.signed("bob", requester="slack:U0ALICE"),
        gateway.signed("alice", requester="slack:U0ALICE", identity="github:ALICE-A", surface=Surface.GITHUB),
    ]
    assert refused(gateway, second) is RefusalReason.REQUESTER_COUNTED


def test_one_more_must_approve_what_nobody_is_known_to_have_asked_for(gateway: Gateway) -> None:
    for requester in ("unverified", "temporal:stranger"):
        two = gateway.grant("alice", "bob", requester=requester)
        assert refused(gateway, two) is RefusalReason.QUORUM_NOT_MET
        assert passes(gateway, gateway.grant("alice", "bob", "carol", requester=requester)).needs == 3


def test_a_rule_may_want_to_know_who_asked(tmp_path: Path) -> None:
    strict = Gateway(tmp_path, text=POLICY.replace("quorum: 2", "quorum: 2\n        unverified_requester: deny"))
    assert refused(strict, strict.grant(requester="unverified")) is RefusalReason.UNVERIFIED_REQUESTER
    passes(strict, strict.grant())


def test_who_left_the_group_between_click_and_effect_does_not_count(gateway: Gateway) -> None:
    grant = gateway.grant("alice", "bob")
    gateway.text = POLICY.replace("[alice, bob, carol]", "[alice, carol]")
    assert refused(gateway, grant) is RefusalReason.NOT_A_MEMBER


def test_a_member_who_came_or_left_voids_nobody_elses_decision(gateway: Gateway) -> None:
    grant = gateway.grant("alice", "bob")
    gateway.text = POLICY.replace("[alice, bob, carol]", "[alice, bob, dave]").replace("C0OPS", "C0NEW")
    passes(gateway, grant)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("groups: [release]", "groups: [release, emergency]"),
        ("quorum: 2", "quorum: 3"),
        ("approve_within: 7d", "approve_within: 8d"),
        ("execute_within: 1h", "execute_within: 2h"),
        ("group: leads", "group: emergency"),
        ("after: 1d", "after: 2d"),
        ("quorum: 2", "quorum: 2\n        cost_limits: {once: 1}"),
        ("quorum: 2", "quorum: 2\n        unverified_requester: deny"),
    ],
)
def test_a_rule_that_changed_voids_what_was_decided_under_it(gateway: Gateway, old: str, new: str) -> None:
    grant = gateway.grant()
    gateway.text = POLICY.replace(old, new)
    assert refused(gateway, grant) is RefusalReason.RULE_CHANGED


def test_a_rule_that_is_gone_leaves_nobody_to_approve(gateway: Gateway) -> None:
    grant = gateway.grant()
    gateway.text = POLICY[: POLICY.index("    approvals:")]
    assert refused(gateway, grant) is RefusalReason.NO_RULE


def test_a_closer_rule_wins_as_soon_as_it_is_there(gateway: Gateway) -> None:
    gateway.text = POLICY.replace("- action: github.delete_branch", "- action: github.*")
    grant = gateway.grant()
    passes(gateway, grant)
    gateway.text += "      - {action: github.delete_branch, groups: [leads]}\n"
    assert refused(gateway, grant) is RefusalReason.RULE_CHANGED


@pytest.mark.parametrize(
    ("cost", "limits", "reason"),
    [
        (Cost(usd_cents=10_000, per="month"), "{month: 100}", None),
        (Cost(usd_cents=10_001, per="month"), "{month: 100}", RefusalReason.COST_LIMIT),
        (Cost(usd_cents=1, per="hour"), "{month: 100}", RefusalReason.COST_LIMIT),
        (None, "{month: 100}", RefusalReason.COST_LIMIT),
    ],
)
def test_nobody_approves_more_than_the_limit(
    gateway: Gateway, cost: Cost | None, limits: str, reason: RefusalReason | None
) -> None:
    gateway.text = POLICY.replace("quorum: 2", f"quorum: 2\n        cost_limits: {limits}")
    text = make_plan(cost=cost).text()
    grant = gateway.grant(plan_digest=plan_digest(text))
    found = check_grant(grant, gateway.scope(plan_text=text), standing=gateway.standing())
    assert (found.reason if isinstance(found, Refusal) else None) is reason


# The signature itself.


def test_another_key_counts_for_nothing(gateway: Gateway, tmp_path: Path) -> None:
    other = Gateway(tmp_path)
    assert refused(gateway, [gateway.signed("alice"), other.signed("bob")]) is RefusalReason.BAD_SIGNATURE


@pytest.mark.parametrize("raw", [b"", b"\0" * 64, b"\0" * 63, b"x" * 200])
def test_what_is_no_signature_is_refused(gateway: Gateway, raw: bytes) -> None:
    bad = gateway.signed("bob").model_copy(update={"signature": base64.b64encode(raw).decode()})
    assert refused(gateway, [gateway.signed("alice"), bad]) is RefusalReason.BAD_SIGNATURE


@pytest.mark.parametrize("signature", ["not base64!", "ünï", "AAA", "\ud800"])
def test_what_is_not_even_base64_is_refused(gateway: Gateway, signature: str) -> None:
    bad = gateway.signed("bob").model_copy(update={"signature": signature})
    assert refused(gateway, [gateway.signed("alice"), bad]) is RefusalReason.BAD_SIGNATURE


def test_a_text_changed_after_signing_is_refused(gateway: Gateway) -> None:
    decision = gateway.decision("bob")
    signed = gateway.sign(decision)
    later = rewritten(decision, expires_at="2026-11-28T12:00:00Z")
    forged = signed.model_copy(update={"text": later})
    assert refused(gateway, [gateway.signed("alice"), forged]) is RefusalReason.BAD_SIGNATURE
    truncated = signed.model_copy(update={"text": signed.text[:-1]})
    assert refused(gateway, [gateway.signed("alice"), truncated]) is RefusalReason.BAD_SIGNATURE
    half = signed.model_copy(update={"text": signed.text + "\ud800"})
    assert refused(gateway, [gateway.signed("alice"), half]) is RefusalReason.BAD_SIGNATURE


def test_a_signature_over_something_else_of_the_same_key_is_no_decision(gateway: Gateway) -> None:
    """Even the gateway's own key does not make a decision of a text that does not say it is one."""
    body = gateway.decision("bob").text().partition("\n")[2]
    for text in (body, f"banksman-start/v1\n{body}", "bob said yes"):
        assert refused(gateway, [gateway.signed("alice"), gateway.sign(text)]) is RefusalReason.MALFORMED_GRANT


def test_a_rotated_key_keeps_what_waits_and_a_revoked_one_voids_it(gateway: Gateway) -> None:
    old = gateway.signed("alice")
    gateway.rotate()
    mixed = [old, gateway.signed("bob")]
    assert [one.key_version for one in mixed] == [1, 2]
    passes(gateway, mixed)
    del gateway.versions[1]
    assert refused(gateway, mixed) is RefusalReason.UNKNOWN_KEY


def test_a_version_is_not_a_licence_to_choose_the_key(gateway: Gateway) -> None:
    gateway.rotate()
    swapped = gateway.sign(gateway.decision("bob"), version=1).model_copy(update={"key_version": 2})
    assert refused(gateway, [gateway.signed("alice"), swapped]) is RefusalReason.BAD_SIGNATURE
    gateway.versions = {1: Ed25519PrivateKey.generate()}
    assert refused(gateway, [swapped]) is RefusalReason.UNKNOWN_KEY


def test_a_grant_is_of_bounded_length(gateway: Gateway) -> None:
    assert refused(gateway, gateway.grant("alice") * (MAX_DECISIONS + 1)) is RefusalReason.MALFORMED_GRANT


# Time.


def test_an_hour_after_the_last_approval_it_is_over(gateway: Gateway) -> None:
    grant = [
        gateway.signed("alice", decided_at=NOW - timedelta(days=3), expires_at=NOW + timedelta(days=4)),
        gateway.signed("bob", decided_at=NOW - timedelta(minutes=59), expires_at=NOW + timedelta(days=4)),
    ]
    passes(gateway, grant)
    assert refused(gateway, grant, standing=gateway.standing(now=NOW + timedelta(minutes=1))) is RefusalReason.EXPIRED


def test_the_earliest_expiry_counts(gateway: Gateway) -> None:
    grant = [gateway.signed("alice"), gateway.signed("bob", expires_at=NOW + timedelta(seconds=1))]
    passes(gateway, grant)
    assert refused(gateway, grant, standing=gateway.standing(now=NOW + timedelta(seconds=1))) is RefusalReason.EXPIRED


def test_clocks_may_differ_by_minutes(gateway: Gateway) -> None:
    passes(gateway, gateway.grant(decided_at=NOW + CLOCK_SKEW))


# Escalation and break-glass.


def test_those_asked_later_decide_later(gateway: Gateway) -> None:
    dave = gateway.signed("dave")
    early = check_decision(dave, gateway.scope(escalated=False), standing=gateway.standing())
    assert isinstance(early, Refusal)
    assert early.reason is RefusalReason.NOT_A_MEMBER
    assert "wait for the escalation" in early.explanation
    assert isinstance(check_decision(dave, gateway.scope(), standing=gateway.standing()), Checked)
    passes(gateway, [gateway.signed("alice"), dave])


def test_in_an_emergency_two_others_within_the_hour(gateway: Gateway) -> None:
    glass = {"path": ApprovalPath.BREAK_GLASS, "requester": "slack:U0ALICE"}
    grant = gateway.grant("dave", "erin", **glass)
    assert passes(gateway, grant).rule.path is ApprovalPath.BREAK_GLASS
    assert refused(gateway, grant[:1]) is RefusalReason.QUORUM_NOT_MET
    assert refused(gateway, gateway.grant("dave", "bob", **glass)) is RefusalReason.NOT_A_MEMBER
    opened = NOW - timedelta(minutes=20)
    assert refused(gateway, grant, standing=gateway.standing(now=opened + HOUR)) is RefusalReason.EXPIRED


def test_the_two_paths_do_not_mix(gateway: Gateway) -> None:
    requester = "slack:U0ALICE"
    glass = gateway.signed("dave", path=ApprovalPath.BREAK_GLASS, requester=requester)
    assert refused(gateway, [glass, gateway.signed("bob", requester=requester)]) is RefusalReason.MALFORMED_GRANT


def test_only_who_asked_withdraws(gateway: Gateway) -> None:
    for person, fine in (("erin", True), ("alice", False)):
        signed = gateway.signed(person, verdict=Verdict.WITHDRAW)
        found = check_decision(signed, gateway.scope(), standing=gateway.standing())
        assert isinstance(found, Checked) is fine
