"""What a marked rule takes: a confirmation by the person's own key, of this and nothing else."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cbor2
import pytest

from hitl.approval.decision import Decision, SignedDecision, StepUp, Verdict, read_decision
from hitl.approval.grant import Checked, check_decision, check_grant
from hitl.approval.plan import plan_digest
from hitl.approval.step_up import Confirms, encoded
from hitl.policy.file import PolicyError, load_policy
from hitl.protocol import Refusal, RefusalReason
from tests.hitl.approval.authenticator import USER_PRESENT, SoftKey
from tests.hitl.approval.granting import NOW, POLICY, Gateway, make_plan

AT = NOW - timedelta(minutes=10)


class Marked(Gateway):
    """A house whose rule takes keys, and people who have them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hands = {name: SoftKey() for name in ("alice", "bob", "dave", "erin")}
        self.mark()

    def mark(self, **hands: SoftKey) -> None:
        keys = "\n".join(f"  {name}: [{key.line()}]" for name, key in {**self.hands, **hands}.items())
        self.text = f"keys:\n{keys}\n" + POLICY.replace("quorum: 2\n", "quorum: 2\n        step_up: webauthn\n")

    def of(self, person: str, /, **changes: str) -> Confirms:
        fields = {
            "approval_id": "approval/x/1",
            "approval_run_id": "approval-run-1",
            "plan_digest": plan_digest(make_plan().text()),
            "person": person,
        }
        return Confirms(**(fields | changes))

    def confirmed(self, person: str, /, **changes: object) -> SignedDecision:
        step_up = self.hands[person].confirm(self.of(person), AT)
        fields = {"step_up": step_up, **changes}
        return self.sign(self.decision(person, **fields))  # pyright: ignore[reportArgumentType] - any field


@pytest.fixture
def house(tmp_path: Path) -> Marked:
    return Marked(tmp_path)


def refused(house: Marked, *grant: SignedDecision) -> RefusalReason:
    found = check_grant(list(grant), house.scope(), standing=house.standing())
    assert isinstance(found, Refusal), found
    assert found.explanation.isprintable()
    return found.reason


def test_with_their_keys_two_people_let_it_run(house: Marked) -> None:
    grant = [house.confirmed("alice"), house.confirmed("bob")]
    assert isinstance(check_grant(grant, house.scope(), standing=house.standing()), Checked)


def test_a_signed_yes_without_a_key_lets_nothing_run(house: Marked) -> None:
    """Whoever can have the gateway sign still has nobody's key."""
    assert refused(house, house.confirmed("alice"), house.signed("bob")) is RefusalReason.NOT_CONFIRMED
    assert refused(house, *house.grant("alice", "bob")) is RefusalReason.NOT_CONFIRMED


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.REQUEST_CHANGES])
def test_a_no_takes_no_key(house: Marked, verdict: Verdict) -> None:
    found = check_decision(house.signed("bob", verdict=verdict), house.scope(), standing=house.standing())
    assert isinstance(found, Checked)


@pytest.mark.parametrize(
    "changed",
    [
        {"approval_id": "approval/x/2"},
        {"approval_run_id": "another"},
        {"plan_digest": plan_digest(make_plan(summary=("Tidy up",)).text())},
        {"person": "alice"},
    ],
)
def test_a_confirmation_of_something_else_is_none(house: Marked, changed: dict[str, str]) -> None:
    other = house.hands["bob"].confirm(house.of("bob", **changed), AT)
    assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=other)) is (
        RefusalReason.NOT_CONFIRMED
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": USER_PRESENT},
        {"flags": 0},
        {"origin": "https://evil.test"},
        {"origin": "https://localhost.evil.test"},
        {"origin": "null"},
        {"host": "evil.test"},
        {"kind": "webauthn.create"},
    ],
    ids=str,
)
def test_a_confirmation_in_another_way_is_none(house: Marked, wrong: dict[str, object]) -> None:
    step_up = house.hands["bob"].confirm(house.of("bob"), AT, **wrong)  # pyright: ignore[reportArgumentType] - any
    assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=step_up)) is (
        RefusalReason.NOT_CONFIRMED
    )


def test_a_key_of_somebody_else_or_of_nobody_is_none(house: Marked) -> None:
    for key in (house.hands["alice"], SoftKey()):
        step_up = key.confirm(house.of("bob"), AT)
        assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=step_up)) is (
            RefusalReason.NOT_CONFIRMED
        )
    stranger = SoftKey()
    stranger.id = house.hands["bob"].id
    forged = stranger.confirm(house.of("bob"), AT)
    assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=forged)) is (
        RefusalReason.NOT_CONFIRMED
    )


@pytest.mark.parametrize("late", [timedelta(minutes=-7), timedelta(minutes=3), timedelta(days=-1)])
def test_a_confirmation_of_another_time_is_none(house: Marked, late: timedelta) -> None:
    step_up = house.hands["bob"].confirm(house.of("bob"), AT + late)
    assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=step_up)) is (
        RefusalReason.NOT_CONFIRMED
    )


@pytest.mark.parametrize("part", ["nonce", "asked_at", "client_data", "authenticator_data", "signature"])
def test_each_part_of_it_counts(house: Marked, part: str) -> None:
    mine = house.hands["bob"]
    right, other = mine.confirm(house.of("bob"), AT), mine.confirm(house.of("bob"), AT + timedelta(seconds=1))
    mixed = right.model_copy(update={part: getattr(other, part)})
    assert refused(house, house.confirmed("alice"), house.confirmed("bob", step_up=mixed)) is (
        RefusalReason.NOT_CONFIRMED
    )


def test_a_field_that_was_added_after_signing_is_no_signature(house: Marked) -> None:
    bare = house.signed("bob")
    decision = read_decision(bare.text).model_copy(update={"step_up": house.hands["bob"].confirm(house.of("bob"), AT)})
    forged = bare.model_copy(update={"text": decision.text()})
    assert refused(house, house.confirmed("alice"), forged) is RefusalReason.BAD_SIGNATURE


def test_a_rule_that_was_marked_after_the_click_asks_again(house: Marked) -> None:
    marked, house.text = house.text, POLICY
    grant = house.grant("alice", "bob")
    assert isinstance(check_grant(grant, house.scope(), standing=house.standing()), Checked)
    house.text = marked
    assert refused(house, *grant) is RefusalReason.RULE_CHANGED


def test_a_key_that_was_taken_out_of_the_policy_counts_no_more(house: Marked) -> None:
    grant = [house.confirmed("alice"), house.confirmed("bob")]
    house.mark(bob=SoftKey())
    assert refused(house, *grant) is RefusalReason.NOT_CONFIRMED


def test_what_was_signed_before_there_were_keys_reads_and_digests_as_it_did(tmp_path: Path) -> None:
    """The bytes of a decision and of a rule without a step-up are what they were."""
    house = Gateway(tmp_path)
    decision = house.decision("alice")
    assert "step_up" not in decision.text()
    assert read_decision(decision.text()) == decision
    rule = house.rule()
    assert rule.step_up is None
    assert house.rule().digest("live", "x") == replace(rule, step_up=None).digest("live", "x")
    marked = Marked(tmp_path)
    assert marked.rule().digest("live", "x") != rule.digest("live", "x")
    confirmed = read_decision(marked.confirmed("alice").text)
    assert isinstance(confirmed.step_up, StepUp)
    assert Decision.model_validate_json(confirmed.text().partition("\n")[2], strict=True) == confirmed


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("  bob: [{", "  nobody: [{", "there is no person 'nobody'"),
        ("step_up: webauthn", "step_up: sms", "'sms' is not known here; write one of webauthn"),
        ("host: localhost", "host: 127.0.0.1", "is not the host of a console"),
        ("public_key:", "publickey:", "unknown key 'publickey'; did you mean 'public_key'"),
        ('id: "', 'id: "!', "is not a key's text"),
    ],
)
def test_a_policy_that_nobody_could_confirm_by_is_refused(
    house: Marked, tmp_path: Path, before: str, after: str, problem: str
) -> None:
    assert before in house.text
    path = tmp_path / "wrong.yaml"
    path.write_text(house.text.replace(before, after))
    with pytest.raises(PolicyError, match=problem):
        load_policy(path)


def test_too_few_keys_and_one_key_in_two_hands_are_refused(house: Marked, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    house.hands = {"alice": house.hands["alice"]}
    house.mark()
    path.write_text(house.text)
    with pytest.raises(PolicyError, match="needs 2 people with a key, and of release 'alice' alone has one"):
        load_policy(path)
    same = SoftKey()
    house.hands = {name: same for name in ("alice", "bob", "dave", "erin")}  # noqa: C420 - of names, not of literals
    house.mark()
    path.write_text(house.text)
    with pytest.raises(PolicyError, match="is already a key of 'alice'; one key, one person"):
        load_policy(path)


def test_one_key_in_two_spellings_is_one_key_and_what_confirms_nothing_is_none(house: Marked, tmp_path: Path) -> None:
    path, alices = tmp_path / "wrong.yaml", house.hands["alice"]
    numbers = alices.private.public_key().public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    another = encoded(cbor2.dumps({-3: y, -2: x, -1: 1, 3: -7, 1: 2}))
    assert another != alices.public_key
    bobs = house.hands["bob"]
    for before, after, problem in (
        (bobs.public_key, alices.public_key, "is already a key of 'alice'"),
        (bobs.public_key, another, "is already a key of 'alice'"),
        (bobs.public_key, encoded(cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: b"\x01" * 32})), "is no key"),
        (bobs.public_key, encoded(b"no key at all"), "is no key"),
        (bobs.id, f"{alices.id[:-1]}{chr(ord(alices.id[-1]) + 1)}", "is not a key's text"),
    ):
        path.write_text(house.text.replace(before, after))
        with pytest.raises(PolicyError, match=problem):
            load_policy(path)
