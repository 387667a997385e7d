"""When a schedule of a repository's runs: five fields as in a crontab, and how soon after another it ever does. Pure.

It is taken apart here and given to Temporal as a calendar, so that what was counted against the policy is what runs:
Temporal's own crontabs can say more, as in `@every 1s`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import available_timezones

_PART: Final = re.compile(r"(?:(\*)|([0-9]{1,2}|[A-Za-z]{3})(?:-([0-9]{1,2}|[A-Za-z]{3}))?)(?:/([0-9]{1,2}))?")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY: Final = 24 * 60
_LONGEST_MONTH: Final = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


class NotCron(ValueError):
    """It is no such line. The message says what to write."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """When it runs: all of the values that each field may have. Weekdays begin with Sunday, which is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def least_gap(self) -> timedelta:
        """The shortest time between two runs, on two days after one another at the least."""
        times = [60 * hour + minute for hour in self.hours for minute in self.minutes]
        later = [*times[1:], times[0] + _DAY]
        return timedelta(minutes=min(after - before for before, after in zip(times, later, strict=True)))


@dataclass(frozen=True)
class _Field:
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """What a number or a word stands for."""
        if text.upper() in self.words:
            return self.words.index(text.upper()) + self.first
        if not text.isdigit() or not self.first <= int(text) <= self.last:
            raise NotCron(f"{text!r} is no {self.name}: write {self.first} to {self.last}")
        return int(text)


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


def read_cron(text: str) -> Cron:
    """Read the five fields.

    Raises:
        NotCron: They are none, or never come, or say days of the month and of the week at once.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise NotCron("write five fields, as in `30 3 * * MON-FRI`: minute, hour, day of the month, month, weekday")
    minutes, hours, days, months, weekdays = (
        tuple(sorted(set(_values(part, of)))) for part, of in zip(parts, _FIELDS, strict=True)
    )
    weekdays = tuple(sorted({one % 7 for one in weekdays}))
    if len(days) < _FIELDS[2].last and len(weekdays) < len(_DAYS):
        raise NotCron("says days of the month and of the week; crontabs differ in what that means: write two schedules")
    if days[0] > max(_LONGEST_MONTH.get(one, 31) for one in months):
        raise NotCron("never comes: no such month has that day")
    return Cron(minutes=minutes, hours=hours, days=days, months=months, weekdays=weekdays)


def _values(text: str, of: _Field) -> Iterator[int]:
    for one in text.split(","):
        found = _PART.fullmatch(one)
        if found is None:
            raise NotCron(f"{one[:40]!r} is no {of.name}: write `*`, `5`, `1-5`, `*/15`, or several with commas")
        every, first, last, step = found.groups()
        begin = of.first if every else of.number(first)
        end = of.last if every or (step and not last) else of.number(last or first)
        if step is not None and int(step) < 1:
            raise NotCron(f"{one!r} has no step: write 1 at least after the slash")
        if end < begin:
            raise NotCron(f"{one!r} ends before it begins")
        yield from range(begin, end + 1, int(step or 1))


def is_time_zone(name: str) -> bool:
    """Whether there is a time zone of this name; where this machine knows none, the server tells later."""
    known = _zones()
    return name == "UTC" or not known or name in known


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
