"""A comparison of a manifest, and what it holds of."""

import math

import pytest

from workflows.manifest.verify import holds


@pytest.mark.parametrize(
    ("comparison", "value", "held"),
    [
        ("< 0.01", 0.009, True),
        ("< 0.01", 0.01, False),
        ("<= 0.01", 0.01, True),
        (">-2.5", -2, True),
        (">= 3", 2.9, False),
        ("== 0", -0.0, True),
        ("!= 1", 1, False),
        ("!= 1", None, False),
        ("< 5", math.nan, False),
        ("!= 5", math.nan, False),
        ("> 5", math.inf, False),
    ],
)
def test_a_comparison_holds_of_finite_numbers_alone(comparison: str, value: float | None, held: bool) -> None:
    assert holds(comparison, value) is held
