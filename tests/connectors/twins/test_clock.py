"""What a twin plans happens in its order, at its time, and once."""

import pytest

from connectors.twins.clock import TwinClock


def test_what_is_due_happens_in_its_order_and_sees_the_time_it_was_planned_for() -> None:
    clock, seen = TwinClock(lambda: 100.0), list[tuple[str, float]]()
    clock.after(30, lambda: seen.append(("b", clock())))
    clock.after(10, lambda: seen.append(("a", clock())))
    clock.after(30, lambda: seen.append(("c", clock())))
    clock.advance(29.9)
    assert seen == [("a", 110.0)]
    clock.advance(1000)
    clock.run()
    assert seen == [("a", 110.0), ("b", 130.0), ("c", 130.0)]
    assert clock() == 100 + 29.9 + 1000


def test_what_follows_from_an_action_counts_from_it() -> None:
    clock, seen = TwinClock(lambda: 0.0, ahead=5.0), list[float]()

    def again() -> None:
        seen.append(clock())
        if len(seen) < 3:
            clock.after(10, again)

    clock.after(10, again)
    clock.advance(25)
    assert seen == [15.0, 25.0]
    clock.advance(5)
    assert seen == [15.0, 25.0, 35.0]


def test_an_action_that_fails_is_over() -> None:
    clock = TwinClock(lambda: 0.0)
    clock.after(1, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clock.advance(2)
    clock.run()
    assert clock() == 2.0
