"""Budgets in a policy file."""

from pathlib import Path

import pytest

from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Budget
from hitl.protocol import RefusalReason


def load(folder: Path, budget: str) -> Budget | None:
    file = folder / "policy.yaml"
    file.write_text(f"environments:\n  live:\n    phase: production\n    budget: {budget}\n")
    return load_policy(file).environments["live"].budget


def test_whole_dollars_are_read_as_cents(tmp_path: Path) -> None:
    assert load(tmp_path, "{day: 200, goal: 50}") == Budget(day=20_000, goal=5_000)
    assert load(tmp_path, "{day: 0}") == Budget(day=0)


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ("{}", "a budget caps a `day`, a `goal`, or both"),
        ("{day: 1.5}", "'environments.live.budget.day'|1.5 is not a whole number"),
        ("{week: 3}", "unknown key 'week'; Known here: day, goal"),
        ("{day: -1}", "greater than or equal to 0"),
    ],
)
def test_what_is_no_budget_is_refused_with_what_to_write(tmp_path: Path, budget: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        load(tmp_path, budget)


def test_what_can_never_have_room_is_refused_up_front() -> None:
    budget = Budget(day=1000, goal=500)
    assert budget.refuse(500) is None
    for cents, cap in ((501, "budget.goal"), (10_000, "budget.goal")):
        refusal = budget.refuse(cents)
        assert refusal is not None
        assert refusal.reason is RefusalReason.BUDGET
        assert cap in refusal.explanation
    assert Budget(day=1000).refuse(1001) is not None
