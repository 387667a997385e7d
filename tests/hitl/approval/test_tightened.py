"""Grants under a policy that a repository has tightened: what it asks is what a grant takes, and nothing less."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from hitl.approval.decision import SignedDecision
from hitl.approval.grant import Checked, check_grant
from hitl.approval.plan import PlanError, plan_digest, read_plan
from hitl.approval.sequence import SequencePlan, read_any_plan
from hitl.approval.stricter import Stricter
from hitl.approval.together import refuse_costs
from hitl.policy.together import policy_for, rule_for
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.granting import (
    ACTION,
    GROUPS,
    Gateway,
    Tightened,
    make_plan,
    stricter,
    stricter_approval,
)
from tests.hitl.approval.granting_steps import BASE, BRANCH, BUY, StepsGateway, names, purchase, step, steps_plan


def gateway(folder: Path, **more: JsonValue) -> Tightened:
    return Tightened(folder, asked=stricter_approval(**more))


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
    tmp_path: Path, more: dict[str, JsonValue], people: tuple[str, ...], reason: RefusalReason | None
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
    assert outcome(before, before.grant("alice", "carol")) is None
    loose = before.grant("alice", "carol", plan_digest=plan_digest(after.plan.text()))
    assert outcome(after, loose) is RefusalReason.RULE_CHANGED


def test_what_would_loosen_voids_nothing(tmp_path: Path) -> None:
    before, after = Gateway(tmp_path, text=GROUPS), gateway(tmp_path, quorum=1, approve_within="300d")
    after.versions = before.versions
    assert outcome(after, before.grant("alice", "carol", plan_digest=plan_digest(after.plan.text()))) is None


def test_what_was_cut_out_or_changed_after_signing_is_another_plan(tmp_path: Path) -> None:
    at = gateway(tmp_path, also=["security"])
    grant = at.grant("alice", "carol")
    assert outcome(at, grant) is None
    for other in (None, stricter_approval(also=["leads"]), stricter_approval(quorum=1, also=["security"])):
        found = check_grant(grant, at.scope(plan_text=make_plan(tightening=other).text()), standing=at.standing())
        assert isinstance(found, Refusal)
        assert found.reason is RefusalReason.OTHER_PLAN


def test_what_is_left_out_from_the_beginning_gives_the_deployments_policy_and_no_less(tmp_path: Path) -> None:
    silent = Tightened(tmp_path)
    assert silent.rule() == Gateway(tmp_path, text=GROUPS).rule()
    assert outcome(silent, silent.grant("alice")) is RefusalReason.QUORUM_NOT_MET
    assert outcome(silent, silent.grant("alice", "bob")) is None


def test_a_decision_counts_for_no_group_that_its_person_is_not_of(tmp_path: Path) -> None:
    at = gateway(tmp_path, also=["security"])
    told = [at.signed("alice", also=()), at.signed("carol", also=("security",))]
    assert outcome(at, told) is None
    lying = [at.signed("alice", also=("security",)), at.signed("bob")]
    assert outcome(at, lying) is RefusalReason.NOT_A_MEMBER


def test_nobody_counts_for_a_group_that_no_rule_names(tmp_path: Path) -> None:
    at = Tightened(tmp_path)
    assert outcome(at, [at.signed("alice", also=("release",)), at.signed("bob")]) is RefusalReason.NOT_A_MEMBER


def test_who_left_the_group_no_longer_counts_for_it(tmp_path: Path) -> None:
    at = gateway(tmp_path, also=["security"])
    grant = at.grant("alice", "carol")
    at.text = GROUPS.replace("security: [carol, dave]", "security: [dave]")
    assert outcome(at, grant) is RefusalReason.QUORUM_NOT_MET


def test_a_refusal_names_the_manifests_line(tmp_path: Path) -> None:
    at = gateway(tmp_path, also=["security"])
    found = check_grant(at.grant("alice", "bob"), at.scope(), standing=at.standing())
    assert isinstance(found, Refusal)
    assert "tightened by banksman.yaml (line 53)" in found.explanation
    late = gateway(tmp_path, execute_within="5m")
    found = check_grant(late.grant("alice", "bob"), late.scope(), standing=late.standing())
    assert isinstance(found, Refusal)
    assert "tightened by banksman.yaml (line 53)" in found.explanation


@pytest.mark.parametrize("asked", [{"allow": "*"}, {"approvals": [{"action": ACTION}]}, {"approvals": "none"}])
def test_what_nobody_understands_lets_nobody_approve(tmp_path: Path, asked: dict[str, JsonValue]) -> None:
    plan = make_plan(tightening=Stricter(source="banksman.yaml", asked=asked))
    at = Tightened(tmp_path)
    found = rule_for(at.policy, "live", plan=plan)
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.MALFORMED_PLAN
    assert "banksman.yaml" in found.explanation
    signed = at.grant("alice", "bob", plan_digest=plan_digest(plan.text()))
    refused = check_grant(signed, at.scope(plan_text=plan.text()), standing=at.standing())
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.MALFORMED_PLAN


# The plan's text.


def test_the_text_carries_it_and_plans_without_one_keep_their_bytes() -> None:
    plain, tight = make_plan(), make_plan(tightening=stricter_approval(quorum=3))
    assert '"tightening"' not in plain.text()
    assert '"tightening":{"asked":{"approvals":[{"action":"github.delete_branch","quorum":3}]},' in tight.text()
    assert read_plan(tight.text()) == tight
    assert plan_digest(tight.text()) != plan_digest(plain.text())
    many = steps_plan()
    assert '"tightening"' not in many.text()
    tightened = many.model_copy(update={"tightening": stricter(phase="read_only")})
    assert read_any_plan(tightened.text()) == tightened


def test_a_step_of_many_has_none_of_its_own(tmp_path: Path) -> None:
    inside = make_plan(tightening=stricter_approval(quorum=3))
    text = SequencePlan.model_construct(steps=(inside,), summary=("x",)).text()
    with pytest.raises(PlanError, match="write it on the whole plan"):
        read_any_plan(text)


@pytest.mark.parametrize(
    ("source", "lines"),
    [("", {}), ("a\u202eb", {}), ("x" * 201, {}), ("x", {"a b": 1}), ("x", {"approvals.0": 0})],
)
def test_where_it_stands_is_a_line_of_a_file(source: str, lines: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Stricter(source=source, asked={}, lines=lines)


def test_a_place_that_nobody_names_is_the_nearest_around_it() -> None:
    told = stricter({"approvals": 9, "approvals.1": 12})
    assert [told.line(at) for at in (("approvals", 1), ("approvals", 0), ("phase",))] == [12, 9, 1]


def test_the_same_is_not_asked_twice(tmp_path: Path) -> None:
    asked = stricter_approval(quorum=3)
    once = policy_for(Gateway(tmp_path, text=GROUPS).policy, asked)
    assert policy_for(once, asked) is once
    assert policy_for(once, None) is once


# Plans of many steps.


def many(folder: Path, *steps: str, **asked: JsonValue) -> StepsGateway:
    plan = steps_plan().model_copy(update={"tightening": stricter({"approvals.0": 7}, **asked)})
    return StepsGateway(folder, plan)


def of_steps(at: StepsGateway, grant: list[SignedDecision], position: int = 1) -> Refusal | None:
    found = check_grant(grant, at.at(position), standing=at.standing())
    return found if isinstance(found, Refusal) else None


def test_each_step_takes_what_is_asked_of_it_and_the_whole_waits_for_that(tmp_path: Path) -> None:
    at = many(tmp_path, approvals=[{"action": BRANCH, "quorum": 2}])
    found = of_steps(at, at.approved("bob", "carol"))
    assert found is not None
    assert found.reason is RefusalReason.QUORUM_NOT_MET
    assert "Step 1 of 3" in found.explanation
    assert "tightened by banksman.yaml (line 7)" in found.explanation
    assert of_steps(at, at.approved("alice", "bob", "carol")) is None


def test_somebody_of_a_group_must_be_among_those_of_that_step(tmp_path: Path) -> None:
    at = many(tmp_path, approvals=[{"action": BASE, "also": ["release"]}])
    assert of_steps(at, at.approved("bob", "carol"), 2) is None
    # alice is of the group and approves the branches, and not the database; bob does not name it.
    others = [at.signed("alice"), at.signed("bob", steps=names(1, 3)), at.signed("carol")]
    found = of_steps(at, others)
    assert found is not None
    assert found.reason is RefusalReason.QUORUM_NOT_MET


def test_a_step_inside_a_tightened_plan_was_not_cut_out(tmp_path: Path) -> None:
    at = many(tmp_path, approvals=[{"action": BRANCH, "quorum": 2}])
    grant = at.approved("alice", "bob", "carol")
    found = check_grant(grant, at.at(1, plan_text=steps_plan().text()), standing=at.standing())
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.OTHER_PLAN


def test_a_limit_of_the_deployment_is_of_all_steps_also_where_some_are_tightened(tmp_path: Path) -> None:
    wide = StepsGateway(tmp_path).text.replace(f"- action: {BUY}", '- action: "*"')
    asked = stricter(approvals=[{"action": BUY, "approve_within": "1h"}])
    plan = steps_plan(purchase(80), step(BASE, cost=purchase(80).cost).model_copy(update={"action": "estuary.buy"}))
    policy = StepsGateway(tmp_path, text=wide).policy
    for one in (plan, plan.model_copy(update={"tightening": asked})):
        rules = rule_for(policy, "live", plan=one)
        assert not isinstance(rules, Refusal)
        refused = refuse_costs(rules, one)
        assert isinstance(refused, Refusal)
        assert refused.reason is RefusalReason.COST_LIMIT
