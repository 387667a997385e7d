"""The arithmetic behind the bench's table."""

import math

import pytest

from bench.ratios import Hold, Ratio, pairwise, percentile, spread


@pytest.mark.parametrize(("share", "expected"), [(0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.5, 3.0), (0.9, 4.6), (1, 5.0)])
def test_a_percentile_lies_between_its_neighbours_in_proportion(share: float, expected: float) -> None:
    assert percentile([5, 1, 4, 2, 3], share) == pytest.approx(expected)


def test_every_percentile_of_one_value_is_that_value() -> None:
    assert {percentile([7.5], share) for share in (0, 0.1, 0.5, 0.99, 1)} == {7.5}


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_there_is_no_percentile_of_nothing_nor_beyond_the_ends(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, share)


def test_a_spread_is_not_moved_by_one_wild_value() -> None:
    calm = spread([10.0] * 20)
    wild = spread([10.0] * 19 + [1000.0])
    assert calm == wild
    assert (calm.low, calm.median, calm.high) == (10, 10, 10)


def test_pairs_share_their_minute() -> None:
    # The machine is four times slower in the second half; ours takes a fifth longer throughout.
    other = [1.0, 1.0, 4.0, 4.0]
    ours = [1.2, 1.2, 4.8, 4.8]
    assert pairwise(ours, other) == pytest.approx([1.2] * 4)


@pytest.mark.parametrize(
    ("ours", "other", "problem"),
    [
        ([1.0, 2.0], [1.0], "make no pairs"),
        ([1.0], [0.0], "finite number above 0"),
        ([-1.0], [1.0], "finite number above 0"),
        ([math.nan], [1.0], "finite number above 0"),
        ([1.0], [math.inf], "finite number above 0"),
    ],
)
def test_what_no_measurement_gives_is_refused(ours: list[float], other: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        pairwise(ours, other)


@pytest.mark.parametrize(
    ("hold", "value", "met"),
    [
        (Hold(sense="at most", limit=1.3), 1.29, True),
        (Hold(sense="at most", limit=1.3), 1.3, True),
        (Hold(sense="at most", limit=1.3), 1.31, False),
        (Hold(sense="at least", limit=0.8), 0.81, True),
        (Hold(sense="at least", limit=0.8), 0.8, True),
        (Hold(sense="at least", limit=0.8), 0.79, False),
    ],
)
def test_a_hold_has_a_side(hold: Hold, value: float, *, met: bool) -> None:
    assert hold.met(value) is met


@pytest.mark.parametrize(("limit", "held"), [(1.3, True), (1.1, False), (None, None)])
def test_a_ratio_is_held_by_its_median(limit: float | None, held: bool | None) -> None:
    ours, other = [1.0, 1.2, 9.0], [1.0, 1.0, 1.0]
    hold = None if limit is None else Hold(sense="at most", limit=limit)
    ratio = Ratio(
        what="latency",
        against="bare",
        unit="s",
        pairs=3,
        ours=spread(ours),
        other=spread(other),
        ratio=spread(pairwise(ours, other)),
        hold=hold,
    )
    assert ratio.held is held
