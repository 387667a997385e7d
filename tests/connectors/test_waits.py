"""`Retry-After`: seconds, dates, and clocks that are off."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connectors.waits import LONGEST_WAIT, retry_after

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("0", timedelta()),
        ("7", timedelta(seconds=7)),
        (" 1.5 ", timedelta(seconds=1.5)),
        ("999999999999", LONGEST_WAIT),
        ("", None),
        ("-1", None),
        ("²", None),
        ("soon", None),
        ("9" * 400, None),
    ],
)
def test_seconds(said: str, wait: timedelta | None) -> None:
    assert retry_after({"retry-after": said}) == wait
    assert retry_after({}) is None


@pytest.mark.parametrize("skew", [timedelta(), timedelta(days=1), timedelta(days=-1)])
@pytest.mark.parametrize(
    ("ahead", "wait"),
    [
        (timedelta(seconds=90), timedelta(seconds=90)),
        (timedelta(seconds=-90), timedelta()),
        (timedelta(days=3), LONGEST_WAIT),
    ],
)
def test_a_date_is_held_against_the_answers_own_clock(skew: timedelta, ahead: timedelta, wait: timedelta) -> None:
    theirs = MOMENT + skew
    headers = {
        "retry-after": format_datetime(theirs + ahead, usegmt=True),
        "date": format_datetime(theirs, usegmt=True),
    }
    assert retry_after(headers) == wait


def test_a_date_without_their_clock_is_held_against_ours() -> None:
    until = datetime.now(UTC) + timedelta(minutes=2)
    found = retry_after({"retry-after": format_datetime(until, usegmt=True), "date": "nonsense"})
    assert found is not None
    assert timedelta(seconds=100) < found <= timedelta(seconds=121)
