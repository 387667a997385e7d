"""Decisions: the golden text, and strict reading."""

from pathlib import Path

import pytest
from pydantic import JsonValue, ValidationError

from hitl.approval.decision import (
    CoveredStep,
    Decision,
    DecisionError,
    SignedDecision,
    StepUp,
    grant_nonce,
    read_decision,
)
from tests.hitl.approval.granting import Gateway, rewritten

DIGEST = "sha256:" + "0" * 64
GOLDEN = (
    "banksman-decision/v1\n"
    '{"action":"github.delete_branch","approval_id":"approval/x/1","approval_run_id":"ar","cluster":"c",'
    '"decided_at":"2026-11-21T10:00:00Z","environment":"live","expires_at":"2026-11-28T10:00:00Z",'
    '"identity":"slack:U0ALICE","namespace":"default","nonce":"00112233445566778899aabbccddeeff","person":"alice",'
    f'"plan_digest":"{DIGEST}","reason":"","requester":"unverified","rule_digest":"{DIGEST}","run_id":"r",'
    '"step_id":"github.delete_branch/1","surface":"slack","verdict":"approve","workflow_id":"w"}'
)


def test_the_signed_text_is_golden() -> None:
    decision = read_decision(GOLDEN)
    assert decision.text() == GOLDEN
    assert decision.decided_at.utcoffset() is not None


def test_every_field_is_signed() -> None:
    """Step-up, steps and groups are there only where there were any: without them, the text is as it always was."""
    unsigned = {name for name in Decision.model_fields if f'"{name}":' not in GOLDEN}
    assert unsigned == {"step_up", "steps", "also"}
    given = dict.fromkeys(("credential", "authenticator_data", "client_data", "signature"), "AAAA")
    said = {"method": "webauthn", "nonce": "0" * 32, "asked_at": "2026-11-21T10:00:00Z", **given}
    step_up = StepUp.model_validate(said)
    assert '"step_up":{' in read_decision(GOLDEN).model_copy(update={"step_up": step_up}).text()
    steps = (CoveredStep(position=2, action="neon.delete_branch"),)
    named = '"steps":[{"action":"neon.delete_branch","position":2}]'
    assert named in read_decision(GOLDEN).model_copy(update={"steps": steps}).text()


@pytest.mark.parametrize(
    "name", ["environment", "cluster", "namespace", "workflow_id", "run_id", "action", "step_id", "approval_id"]
)
@pytest.mark.parametrize("value", [None, "", 0, ["x"]])
def test_an_id_is_a_text_that_says_something(name: str, value: JsonValue, tmp_path: Path) -> None:
    """A grant signed for nulls once ran a step that had no run."""
    text = rewritten(Gateway(tmp_path).decision(), **{name: value})
    with pytest.raises(DecisionError, match=name):
        read_decision(text)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"note": "x"}, "note"),
        ({"verdict": "maybe"}, "verdict"),
        ({"surface": "email"}, "surface"),
        ({"person": "Alice B"}, "person"),
        ({"identity": "U0ALICE"}, "identity"),
        ({"requester": "somebody"}, "requester"),
        ({"plan_digest": "0" * 64}, "plan_digest"),
        ({"decided_at": "2026-11-21T10:00:00"}, "decided_at"),
        ({"decided_at": "2026-11-21T10:00:00+01:00"}, "decided_at"),
        ({"decided_at": 0}, "decided_at"),
        ({"nonce": ""}, "nonce"),
        ({"reason": "a\u202eb"}, "reason"),
    ],
)
def test_what_is_not_a_decision_of_this_release_is_refused(
    change: dict[str, JsonValue], part: str, tmp_path: Path
) -> None:
    with pytest.raises(DecisionError, match=part):
        read_decision(rewritten(Gateway(tmp_path).decision(), **change))


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOLDEN.replace("/v1\n", "/v2\n"),
        GOLDEN.partition("\n")[2],
        " " + GOLDEN,
        GOLDEN + " ",
        GOLDEN + "\n",
        GOLDEN.replace("\n", "\r\n"),
        GOLDEN.replace('"run_id":"r"', '"run_id":"x","run_id":"r"'),
        GOLDEN.replace('"w"', '"\\u0077"'),
        GOLDEN[:-1],
    ],
)
def test_another_writing_is_refused(text: str) -> None:
    with pytest.raises(DecisionError):
        read_decision(text)


def test_vaults_signatures_carry_the_version() -> None:
    signed = SignedDecision.from_vault("x", "vault:v12:AAAA")
    assert (signed.key_version, signed.signature, signed.signature_bytes()) == (12, "AAAA", b"\0\0\0")
    for wrong in ("vault:v0:AAAA", "AAAA", "vault:v1:", "vault:v1:!", "vault:v1:AAAA\n"):
        with pytest.raises(DecisionError):
            SignedDecision.from_vault("x", wrong)


def test_what_travels_beside_the_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="verdict"):
        SignedDecision.model_validate({"text": "x", "signature": "AAAA", "key_version": 1, "verdict": "approve"})


def test_a_grant_is_used_up_whichever_of_its_decisions_come(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    alice, bob, carol = (gateway.decision(person) for person in ("alice", "bob", "carol"))
    assert grant_nonce([alice, bob]) == grant_nonce([bob, carol]) == grant_nonce([carol])
    assert grant_nonce([gateway.decision(approval_run_id="another")]) != grant_nonce([alice])
