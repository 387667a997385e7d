"""What people ask of a plan of goals, and in words."""

import pytest
from pydantic import ValidationError

from tests.workflows.agent.running import WRITES
from workflows.agent.goals import AskForInput, RunPlanInput


def test_the_same_plan_is_asked_for_once() -> None:
    one, other = RunPlanInput(plan=WRITES), RunPlanInput(plan=WRITES, lists={"branch": ("a",)})
    assert one.business_key() == RunPlanInput(plan=dict(reversed(WRITES.items()))).business_key()
    assert one.business_key() != other.business_key()
    assert RunPlanInput(plan=WRITES, break_glass=True).business_key().startswith("run-plan-break-glass/")
    assert one.summary() == "Run the plan: Copy the motto"


def test_hidden_and_empty_words_are_refused() -> None:
    for text in ("read\u200bme", " \n ", "", "x" * 4_001):
        with pytest.raises(ValidationError):
            AskForInput(text=text)
    assert AskForInput(text="two\nlines").summary() == "Asked for: two lines"


def test_the_same_words_are_asked_for_once() -> None:
    assert AskForInput(text="a").business_key() == AskForInput(text="a", corrections=1).business_key()
    assert AskForInput(text="a").business_key() != AskForInput(text="a", answers=("b",)).business_key()
