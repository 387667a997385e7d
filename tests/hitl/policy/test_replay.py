"""Past decisions under another policy: what is otherwise, at which step, and what nobody can judge."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from hitl.policy.file import load_policy
from hitl.policy.replay import Past, Replayed, replay
from hitl.policy.rules import Policy
from hitl.policy.together import policy_for
from hitl.protocol import Effect, RefusalReason
from tests.hitl.approval.granting import ACTION, GROUPS, stricter_approval

GOAL = ("DeleteBranch", "delete-branch/acme/shop/old", "run-1")


def past(action: str = ACTION, **changes: Any) -> Past:
    fields: dict[str, Any] = {
        "time": "2026-11-29T12:00:00.000000+00:00",
        "goal": GOAL,
        "step": secrets.token_hex(4),
        "action": action,
        "effect": Effect.DESTRUCTIVE,
        "environment": "live",
        "context": {"repository_owner": "acme", "repository_name": "shop", "resource": "old"},
        "rule": "environments.live.actions[0] (line 18)",
        "approvers": ("alice", "bob"),
        "requester": "slack:U0ERIN",
    }
    return Past(**(fields | changes))


def read(step: str = "1", **changes: Any) -> Past:
    return past("github.read_file", effect=Effect.READ, step=step, approvers=None, rule=None, **changes)


def policy(folder: Path, *edits: tuple[str, str]) -> Policy:
    text = GROUPS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = folder / "new.yaml"
    path.write_text(text)
    return load_policy(path)


def only(found: Replayed) -> str:
    assert len(found.otherwise) == 1
    return found.otherwise[0].now


def test_by_the_same_policy_nothing_is_otherwise(tmp_path: Path) -> None:
    found = replay(policy(tmp_path), [read(), past(), past(goal=("DeleteBranch", "other", "run-2"))])
    assert (found.judged, found.goals, found.otherwise) == (3, 2, ())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("phase: production", "phase: read_only", "denied (phase)"),
        ("- allow: github.delete_branch", "- deny: github.delete_branch", "denied (deny_rule)"),
        ("- allow: github.delete_branch", "- {allow: github.delete_branch, where: {resource: x}}", "(no_allow_rule)"),
        ("  live:\n", "  other:\n", "denied (unknown_environment)"),
        ("- action: github.delete_branch", "- action: github.merge", "denied (no_rule)"),
        ("quorum: 2", "quorum: 3", "wants 3 of release, and 2 of those who approved it count (alice, bob)"),
        ("release: [alice, bob, carol]", "release: [alice, carol]", "wants 2 of release, and 1"),
        ("bob: [slack:U0BOB, github:bob]", "bob: [slack:U0BOB, github:bob, slack:U0ERIN]", "and 1 of those"),
        ("  erin: [slack:U0ERIN]\n", "", "wants 3 of release"),
    ],
)
def test_what_was_allowed_and_would_not_be_is_told_with_the_reason(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    edits = [(old, new)]
    if "U0ERIN]" in old + new:  # an identity is one person's, and a group's people are known
        edits += [
            ("  mallorys: [erin]\n", "  mallorys: [dave]\n"),
            ("emergency: [dave, erin]", "emergency: [dave, carol]"),
        ]
        edits += [("  erin: [slack:U0ERIN]\n", "")] if not old.startswith("  erin") else []
    assert words in only(replay(policy(tmp_path, *edits), [past()]))


def test_those_of_the_emergency_path_are_enough_still(tmp_path: Path) -> None:
    again = past(approvers=("dave", "carol"))
    strict = policy(tmp_path, ("quorum: 2", "quorum: 3"), ("emergency: [dave, erin]", "emergency: [dave, carol]"))
    assert replay(strict, [again]).otherwise == ()
    assert len(replay(policy(tmp_path, ("quorum: 2", "quorum: 3")), [again]).otherwise) == 1


def test_who_nobody_knows_is_what_the_other_policy_makes_of_it(tmp_path: Path) -> None:
    stranger = past(approvers=("alice", "bob", "carol"), requester="temporal:nobody")
    assert replay(policy(tmp_path), [stranger]).otherwise == ()
    denies = policy(tmp_path, ("quorum: 2", "quorum: 2\n        unverified_requester: deny"))
    assert "nobody knows who asked" in only(replay(denies, [stranger]))


def test_a_group_of_which_somebody_must_be_among_them(tmp_path: Path) -> None:
    tightened = policy_for(policy(tmp_path), stricter_approval(also=["security"]))
    assert "wants somebody of security among them" in only(replay(tightened, [past()]))
    assert replay(tightened, [past(approvers=("alice", "carol"))]).otherwise == ()


def test_what_was_denied_and_would_be_allowed_is_told(tmp_path: Path) -> None:
    denied = past(reason=RefusalReason.NO_ALLOW_RULE, approvers=None)
    assert only(replay(policy(tmp_path), [denied])).startswith("allowed, once people approved it")
    still = policy(tmp_path, ("- allow: github.delete_branch", "- deny: github.delete_branch"))
    assert replay(still, [denied]).otherwise == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": RefusalReason.OTHER_RUN},
        {"reason": RefusalReason.BUDGET},
        {"reason": RefusalReason.DENY_RULE, "rule": "banksman.yaml: policy.actions[0] (line 31)"},
        {"reason": RefusalReason.PHASE, "rule": "banksman.yaml: policy.phase (line 3)"},
        {"context": {"unknown": "x"}},
        {"context": {"cost": "much"}},
    ],
)
def test_what_no_policy_of_the_deployment_decided_is_left_out_and_counted(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    found = replay(policy(tmp_path), [past(**changes)])
    assert (found.judged, found.left_out, found.otherwise) == (0, 1, ())


def test_the_first_step_of_a_goal_is_told_with_its_number_and_later_ones_are_counted(tmp_path: Path) -> None:
    no_reads = policy(tmp_path, ("- allow: github.delete_branch", "- deny: github.*"))
    other = ("Other", "other", "run")
    decisions = [
        past("approval.resolve_rule", effect=Effect.READ, step="0", approvers=None),
        read("1"),
        read("1"),  # another attempt at it
        read("2"),
        past(step="3"),
        past("neon.list", effect=Effect.READ, goal=other, approvers=None),
    ]
    found = replay(no_reads, decisions)
    assert (found.judged, found.goals, len(found.otherwise)) == (6, 2, 1)
    one = found.otherwise[0]
    assert (one.number, one.of, one.past.action, one.later) == (2, 4, "github.read_file", 2)


def test_a_cost_is_compared_as_a_number(tmp_path: Path) -> None:
    cheap = policy(
        tmp_path, ("- allow: github.delete_branch", '- {allow: github.delete_branch, where: {cost: "<= 9"}}')
    )
    assert replay(cheap, [past(context={"cost": "9"})]).otherwise == ()
    assert "no_allow_rule" in only(replay(cheap, [past(context={"cost": "10"})]))
