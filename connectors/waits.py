"""How long a provider asks us to wait: `Retry-After`, in seconds or as a date."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = timedelta(hours=1)
"""More comes from a clock that is off; a provider that means it says it again."""

# Not `isdigit`, which takes `²` for one; and few enough for a number of seconds.
_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """What the answer asks for, from no time to an hour; None where it asks for nothing that can be read.

    A date is held against the answer's own `Date`, so that a provider's clock that is a day off does no harm.

    Args:
        headers: Of the answer, by names in any case that `get` finds in lower case.
    """
    said = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(said):
        return min(timedelta(seconds=float(said)), LONGEST_WAIT)
    if (until := _moment(said)) is None:
        return None
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return min(max(until - now, timedelta()), LONGEST_WAIT)


def _moment(said: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(said)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
