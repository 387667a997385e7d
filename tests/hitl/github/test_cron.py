"""A crontab's line is what it says, and how often it runs is never more than what was counted."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.github.cron import NotCron, is_time_zone, read_cron


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        ("* * * * *", 1),
        ("*/1 0 1 1 *", 1),
        ("*/15 * * * *", 15),
        ("0,59 * * * *", 1),
        ("0,10 3 * * *", 10),
        ("0 * * * *", 60),
        ("0 */6 * * MON", 360),
        ("30 3 * * *", 24 * 60),
        ("0 0,23 * * *", 60),
        ("59 0,23 * * *", 60),
        ("0-59/30 8-10 * * MON-FRI", 30),
        ("5/20 * * * *", 20),
    ],
)
def test_the_least_time_between_two_runs(line: str, minutes: int) -> None:
    assert read_cron(line).least_gap() == timedelta(minutes=minutes)


def test_fields_are_lists_ranges_steps_and_names() -> None:
    found = read_cron("0,30 8-10/2 1-3 jan,Mar */1")
    assert (found.minutes, found.hours, found.days, found.months) == ((0, 30), (8, 10), (1, 2, 3), (1, 3))
    assert read_cron("0 0 * * 5-7").weekdays == (0, 5, 6), "7 is Sunday, as 0 is"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "five fields"),
        ("@every 1s", "five fields"),
        ("@hourly", "five fields"),
        ("CRON_TZ=UTC 0 0 * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("60 * * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * FOO *", "'FOO' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("*/0 * * * *", "no step"),
        ("9-5 * * * *", "ends before it begins"),
        ("1,,2 * * * *", "'' is no minute"),
        ("-1 * * * *", "is no minute"),
        ("\u0661 * * * *", "is no minute"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("0 0 1 * MON", "write two schedules"),
    ],
)
def test_what_is_no_such_line_is_said_so(line: str, says: str) -> None:
    with pytest.raises(NotCron, match=says.replace("(", r"\(")):
        read_cron(line)


@given(st.text(max_size=60))
def test_whatever_is_written_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(NotCron):
        assert timedelta(minutes=1) <= read_cron(line).least_gap() <= timedelta(days=1)


def test_time_zones_are_known_by_name() -> None:
    assert is_time_zone("UTC")
    assert is_time_zone("Europe/Berlin")
    assert not is_time_zone("Europe/Nowhere")
    assert not is_time_zone("../etc/passwd")
