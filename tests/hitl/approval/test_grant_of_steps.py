"""Grants for plans of many steps: each position by its own rule, and no power from another's."""

from datetime import timedelta
from pathlib import Path

import pytest

from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import CoveredStep, Decision, SignedDecision, Verdict
from hitl.approval.grant import Checked, Standing, check_click, check_giving_up, check_grant
from hitl.approval.plan import plan_digest
from hitl.approval.scope import AskedUnder, DecisionScope
from hitl.approval.sequence import SEQUENCE, SequencePlan
from hitl.approval.step_up import Confirms
from hitl.approval.together import refuse_costs, wants_key
from hitl.policy.rules import approval_rule
from hitl.policy.together import rule_for
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.authenticator import SoftKey
from tests.hitl.approval.granting import NOW, Gateway
from tests.hitl.approval.granting_steps import (
    BASE,
    BRANCH,
    BUY,
    POLICY,
    STEP_ID,
    StepsGateway,
    names,
    purchase,
    step,
    steps_plan,
)


@pytest.fixture
def gateway(tmp_path: Path) -> StepsGateway:
    return StepsGateway(tmp_path)


def check(
    gateway: StepsGateway,
    grant: list[SignedDecision],
    position: int | None = 1,
    /,
    *,
    standing: Standing | None = None,
    **scope: object,
) -> Checked | Refusal:
    found = check_grant(grant, gateway.at(position, **scope), standing=standing or gateway.standing())
    if isinstance(found, Refusal):
        assert found.explanation.endswith(".")
        assert found.explanation.isprintable()
    return found


def refused(
    gateway: StepsGateway,
    grant: list[SignedDecision],
    position: int | None = 1,
    /,
    *,
    standing: Standing | None = None,
    **scope: object,
) -> RefusalReason:
    found = check(gateway, grant, position, standing=standing, **scope)
    assert isinstance(found, Refusal), found
    return found.reason


@pytest.mark.parametrize("position", [1, 2, 3])
def test_with_all_that_each_rule_asks_for_each_step_may_run(gateway: StepsGateway, position: int) -> None:
    found = check(gateway, gateway.approved(), position)
    assert isinstance(found, Checked), found
    assert found.requester == "erin"


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("people", [("alice",), ("carol",), ("alice", "carol"), ("bob",), ("alice", "bob")])
def test_no_step_runs_while_one_of_them_lacks_its_own_people(
    gateway: StepsGateway, position: int, people: tuple[str, ...]
) -> None:
    """Two said yes, and both are asked; still the database's branch has one of its two."""
    assert refused(gateway, gateway.approved(*people), position) is RefusalReason.QUORUM_NOT_MET


def test_the_step_that_lacks_somebody_is_named(gateway: StepsGateway) -> None:
    found = check(gateway, gateway.approved("alice", "bob"), 1)
    assert isinstance(found, Refusal)
    assert "Step 2 of 3 (neon.delete_branch): 1 of the 2 people" in found.explanation


@pytest.mark.parametrize(
    "claimed", [names(1, 2, 3), names(2), (CoveredStep(position=1, action=BASE),), names(1, 1), ()]
)
def test_a_yes_counts_for_no_step_of_other_people(gateway: StepsGateway, claimed: tuple[CoveredStep, ...]) -> None:
    grant = [gateway.signed("alice", steps=claimed), gateway.signed("bob"), gateway.signed("carol")]
    assert refused(gateway, grant) is RefusalReason.NOT_A_MEMBER


def test_a_step_that_the_plan_does_not_have_is_nobody_s(gateway: StepsGateway) -> None:
    beyond = (*names(1), CoveredStep(position=4, action=BRANCH))
    grant = [gateway.signed("alice", steps=beyond), *gateway.approved()]
    assert refused(gateway, grant) is RefusalReason.NOT_A_MEMBER


@pytest.mark.parametrize(
    ("position", "changed", "reason"),
    [
        (1, {"action": BASE}, RefusalReason.OTHER_ACTION),
        (2, {"action": BRANCH}, RefusalReason.OTHER_ACTION),
        (1, {"action": SEQUENCE}, RefusalReason.OTHER_ACTION),
        (1, {"position": 2}, RefusalReason.OTHER_ACTION),
        (1, {"position": 3}, RefusalReason.OTHER_STEP),
        (3, {"position": 1}, RefusalReason.OTHER_STEP),
        (1, {"position": 4}, RefusalReason.OTHER_STEP),
        (1, {"position": 0}, RefusalReason.OTHER_STEP),
        (1, {"step_id": STEP_ID}, RefusalReason.OTHER_STEP),
        (1, {"step_id": "sequence/2/1"}, RefusalReason.OTHER_STEP),
        (1, {"step_id": f"{STEP_ID}/3"}, RefusalReason.OTHER_STEP),
        (1, {"environment": "staging"}, RefusalReason.OTHER_ENVIRONMENT),
        (1, {"cluster": "cluster-2"}, RefusalReason.OTHER_NAMESPACE),
        (1, {"workflow_id": "another"}, RefusalReason.OTHER_RUN),
        (1, {"run_id": "run-2"}, RefusalReason.OTHER_RUN),
        (1, {"plan_text": steps_plan(step(BRANCH, "main")).text()}, RefusalReason.OTHER_PLAN),
        (2, {"plan_text": steps_plan(step(BASE, "two"), step(BASE, "two")).text()}, RefusalReason.OTHER_PLAN),
        (1, {"plan_text": step(BRANCH, "one").text()}, RefusalReason.MALFORMED_GRANT),
        (1, {"plan_text": "{}"}, RefusalReason.MALFORMED_PLAN),
    ],
)
def test_what_is_signed_is_for_this_position_alone(
    gateway: StepsGateway, position: int, changed: dict[str, object], reason: RefusalReason
) -> None:
    assert refused(gateway, gateway.approved(), position, **changed) is reason  # pyright: ignore[reportArgumentType] - any field


@pytest.mark.parametrize("action", [SEQUENCE, BRANCH])
def test_the_whole_is_no_step_that_runs(gateway: StepsGateway, action: str) -> None:
    reasons = {SEQUENCE: RefusalReason.OTHER_STEP, BRANCH: RefusalReason.OTHER_ACTION}
    assert refused(gateway, gateway.approved(), None, action=action) is reasons[action]


def test_a_grant_for_one_step_opens_none_of_many_and_the_other_way_round(gateway: StepsGateway, tmp_path: Path) -> None:
    single = Gateway(tmp_path, POLICY, versions=gateway.versions)
    assert refused(gateway, single.grant("alice", "bob")) is RefusalReason.MALFORMED_GRANT
    found = check_grant(gateway.approved(), single.scope(), standing=gateway.standing())
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.MALFORMED_GRANT
    bare = [gateway.signed(person, steps=None) for person in ("bob", "carol")]
    assert refused(gateway, bare) is RefusalReason.MALFORMED_GRANT


def test_a_signature_that_is_not_the_gateway_s_counts_for_nothing(gateway: StepsGateway) -> None:
    good = gateway.approved()
    bad = good[0].model_copy(update={"text": good[0].text.replace("bob", "carol")})
    assert refused(gateway, [bad, good[1]]) is RefusalReason.BAD_SIGNATURE


def test_decisions_of_two_approvals_are_no_grant(gateway: StepsGateway) -> None:
    grant = [gateway.signed("bob"), gateway.signed("carol", approval_id="approval/x/2")]
    assert refused(gateway, grant) is RefusalReason.MALFORMED_GRANT


def test_nobody_counts_twice_and_a_no_is_none(gateway: StepsGateway) -> None:
    twice = [*gateway.approved(), gateway.signed("bob")]
    assert refused(gateway, twice) is RefusalReason.DUPLICATE_PERSON
    no = [*gateway.approved(), gateway.signed("alice", verdict=Verdict.REJECT)]
    assert refused(gateway, no) is RefusalReason.NOT_APPROVED


@pytest.mark.parametrize(
    "edit",
    [
        ("groups: [release]\n        quorum: 1", "groups: [release]\n        quorum: 2"),
        ("execute_within: 2h", "execute_within: 3h"),
        ("groups: [data]", "groups: [data, release]"),
    ],
    ids=["its own", "another step's times", "another step's groups"],
)
@pytest.mark.parametrize("position", [1, 2, 3])
def test_a_rule_that_changed_since_the_click_is_asked_again(
    gateway: StepsGateway, edit: tuple[str, str], position: int
) -> None:
    grant = gateway.approved()
    assert edit[0] in gateway.text
    gateway.text = gateway.text.replace(*edit)
    assert refused(gateway, grant, position) is RefusalReason.RULE_CHANGED


def test_who_left_a_group_since_the_click_counts_no_more(gateway: StepsGateway) -> None:
    grant = gateway.approved()
    gateway.text = gateway.text.replace("data: [bob, carol]", "data: [bob, dave]")
    assert refused(gateway, grant, 3) is RefusalReason.NOT_A_MEMBER


def test_the_shortest_times_hold_for_all(gateway: StepsGateway) -> None:
    """One step's rule leaves an hour, the other's two; the last step begins within the hour."""
    grant = gateway.approved()
    late = gateway.standing(now=NOW + timedelta(minutes=50))
    for position in (1, 2, 3):
        assert refused(gateway, grant, position, standing=late) is RefusalReason.EXPIRED
    assert isinstance(check(gateway, grant, 3, standing=gateway.standing(now=NOW + timedelta(minutes=49))), Checked)
    together = gateway.together()
    assert (together.approve_within, together.execute_within) == (timedelta(days=2), timedelta(hours=1))


def test_nobody_signs_for_longer_than_the_strictest_allows(gateway: StepsGateway) -> None:
    long = gateway.approved(expires_at=NOW + timedelta(days=6))
    assert refused(gateway, long) is RefusalReason.MALFORMED_GRANT


def test_a_stranger_s_request_takes_one_more_for_every_step(gateway: StepsGateway) -> None:
    grant = gateway.approved("bob", "carol", requester="unverified")
    assert refused(gateway, grant) is RefusalReason.QUORUM_NOT_MET
    more = gateway.approved("alice", "bob", "carol", "dave", requester="unverified")
    assert isinstance(check(gateway, more), Checked)
    gateway.text = gateway.text.replace("execute_within: 2h", "execute_within: 2h\n        unverified_requester: deny")
    denied = gateway.approved("alice", "bob", "carol", "dave", requester="unverified")
    assert refused(gateway, denied) is RefusalReason.UNVERIFIED_REQUESTER


def test_the_requester_decides_on_none_of_it(gateway: StepsGateway) -> None:
    assert refused(gateway, gateway.approved(requester="slack:U0BOB")) is RefusalReason.REQUESTER_COUNTED


def test_an_emergency_needs_a_path_for_every_step(gateway: StepsGateway) -> None:
    glass = gateway.approved("dave", "frank", path=ApprovalPath.BREAK_GLASS)
    found = check(gateway, glass)
    assert isinstance(found, Checked)
    assert found.rule.path is ApprovalPath.BREAK_GLASS
    gateway.plan = steps_plan(step(), purchase(5))
    missing = rule_for(gateway.policy, "live", plan=gateway.plan, path=ApprovalPath.BREAK_GLASS)
    assert isinstance(missing, Refusal)
    assert (missing.reason, missing.explanation.startswith(f"Step 2 of 2 ({BUY}): ")) == (RefusalReason.NO_RULE, True)


# What it costs.


def over(gateway: StepsGateway, plan: SequencePlan) -> Refusal | None:
    gateway.plan = plan
    return refuse_costs(gateway.together(), plan)


def test_a_limit_holds_for_all_steps_under_its_rule_together(gateway: StepsGateway) -> None:
    assert over(gateway, steps_plan(purchase(60), purchase(40, "queue"))) is None
    found = over(gateway, steps_plan(purchase(60), purchase(41, "queue")))
    assert found is not None
    assert (found.reason, "2 steps together" in found.explanation) == (RefusalReason.COST_LIMIT, True)
    alone = over(gateway, steps_plan(step(), purchase(101)))
    assert alone is not None
    assert alone.explanation.startswith("Step 2 of 2 (rediscloud.purchase_database): ")
    unknown = over(gateway, steps_plan(step(BUY, "cache")))
    assert unknown is not None
    assert "does not say what it costs" in unknown.explanation


def test_the_guard_counts_what_all_of_it_costs(gateway: StepsGateway) -> None:
    gateway.plan = steps_plan(purchase(60), purchase(40, "queue"))
    grant = gateway.approved("dave")
    assert isinstance(check(gateway, grant), Checked)
    gateway.plan = steps_plan(purchase(60), purchase(41, "queue"))
    assert refused(gateway, gateway.approved("dave")) is RefusalReason.COST_LIMIT


# At the click.


def clicked(gateway: StepsGateway, decision: Decision, **scope: object) -> Checked | RefusalReason:
    asked = AskedUnder(path=ApprovalPath.ORDINARY, groups=gateway.together().groups)
    heard = check_click(gateway.sign(decision), gateway.at(None, asked=asked, **scope), standing=gateway.standing())
    if isinstance(heard, Refusal):
        return heard.reason
    return heard if isinstance(heard, Checked) else RefusalReason.NOT_APPROVED


def test_a_click_counts_for_what_its_person_decides_on(gateway: StepsGateway) -> None:
    found = clicked(gateway, gateway.decision("alice"))
    assert isinstance(found, Checked)
    assert found.decision.steps == names(1, 3)
    assert gateway.decision("bob").steps == names(1, 2, 3)
    assert clicked(gateway, gateway.decision("alice", steps=names(1, 2))) is RefusalReason.NOT_A_MEMBER
    assert clicked(gateway, gateway.decision("frank", steps=names(1))) is RefusalReason.NOT_A_MEMBER


def test_who_is_asked_later_counts_later(gateway: StepsGateway) -> None:
    later = gateway.decision("dave")
    assert later.steps == names(2)
    assert clicked(gateway, later, escalated=False) is RefusalReason.NOT_A_MEMBER
    assert isinstance(clicked(gateway, later), Checked)


def test_a_no_of_anybody_who_is_asked_counts(gateway: StepsGateway) -> None:
    asked = AskedUnder(path=ApprovalPath.ORDINARY, groups=gateway.together().groups)
    signed = gateway.sign(gateway.decision("carol", verdict=Verdict.REJECT))
    gateway.text = gateway.text.replace("execute_within: 2h", "execute_within: 3h")
    heard = check_click(signed, gateway.at(None, asked=asked), standing=gateway.standing())
    assert not isinstance(heard, Refusal)


# Giving up.


def test_only_the_run_that_it_was_signed_for_gives_it_up(gateway: StepsGateway) -> None:
    grant, keys = gateway.approved(), gateway.keys

    def found(scope: DecisionScope, signed: list[SignedDecision] = grant) -> RefusalReason | None:
        answer = check_giving_up(signed, scope, keys=keys)
        return answer.reason if isinstance(answer, Refusal) else None

    assert found(gateway.at(None)) is None
    assert found(gateway.at(None, run_id="run-2")) is RefusalReason.OTHER_RUN
    assert found(gateway.at(None, plan_text=steps_plan(step()).text())) is RefusalReason.OTHER_PLAN
    assert found(gateway.at(None), []) is RefusalReason.NO_GRANT
    forged = grant[0].model_copy(update={"text": grant[0].text.replace("bob", "carol")})
    assert found(gateway.at(None), [forged]) is RefusalReason.BAD_SIGNATURE
    mixed = [grant[0], gateway.signed("carol", approval_id="approval/x/2")]
    assert found(gateway.at(None), mixed) is RefusalReason.MALFORMED_GRANT


def test_together_they_have_a_digest_of_their_own(gateway: StepsGateway) -> None:
    """A plan of one step in the new form is another thing to agree to than that step."""
    gateway.plan = steps_plan(step())
    alone = approval_rule(gateway.policy, "live", action=BRANCH)
    assert not isinstance(alone, Refusal)
    assert gateway.together().digest("live", SEQUENCE) != alone.digest("live", BRANCH)


# With a key.


class Keyed(StepsGateway):
    """The rule of the database's branch takes keys, and that of the other steps none."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hands = {name: SoftKey() for name in ("bob", "carol", "dave", "frank")}
        keys = "\n".join(f"  {name}: [{key.line()}]" for name, key in self.hands.items())
        self.text = f"keys:\n{keys}\n" + POLICY.replace("quorum: 2\n", "quorum: 2\n        step_up: webauthn\n")

    def confirmed(self, person: str, digest: str | None = None) -> SignedDecision:
        of = Confirms(
            approval_id="approval/x/1",
            approval_run_id="approval-run-1",
            plan_digest=digest or plan_digest(self.plan.text()),
            person=person,
        )
        return self.signed(person, step_up=self.hands[person].confirm(of, NOW - timedelta(minutes=10)))


def test_whoever_decides_by_a_rule_that_takes_a_key_uses_it(tmp_path: Path) -> None:
    gateway = Keyed(tmp_path)
    people = gateway.policy.people
    assert [wants_key(gateway.together(), name, people) for name in ("alice", "bob", "carol")] == [False, True, True]
    keyed = [gateway.confirmed("bob"), gateway.confirmed("carol")]
    assert isinstance(check(gateway, keyed, 2), Checked)
    assert isinstance(check(gateway, [*keyed, gateway.signed("alice")], 1), Checked)
    for position in (1, 2, 3):
        assert refused(gateway, [keyed[0], gateway.signed("carol")], position) is RefusalReason.NOT_CONFIRMED
    other = gateway.confirmed("carol", plan_digest(steps_plan(step()).text()))
    assert refused(gateway, [keyed[0], other]) is RefusalReason.NOT_CONFIRMED


def test_a_yes_without_a_key_cannot_leave_that_step_out_and_still_count_for_it(tmp_path: Path) -> None:
    gateway = Keyed(tmp_path)
    bare = gateway.signed("bob", steps=names(1, 3))
    assert refused(gateway, [bare, gateway.confirmed("carol")], 2) is RefusalReason.QUORUM_NOT_MET
