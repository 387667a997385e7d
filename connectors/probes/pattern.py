"""How a deployment writes which hosts may be looked at. Settings read it, so it holds no client."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN: Final = re.compile(
    rf"(?P<host>(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{{0,4}}))?"
)


def parts(pattern: str) -> tuple[str, int | None]:
    """The host of a pattern, without brackets, and its port where it has one.

    Raises:
        ValueError: It is no pattern; the message says how to write one.
    """
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        msg = (
            f"{pattern!r} is no host: write its name in lower case as in shop.example.com, *.example.com for all "
            "below, and a port other than that of http and https as in shop.internal:8080"
        )
        raise ValueError(msg)
    return found["host"].strip("[]"), int(found["port"]) if found["port"] else None


def _checked(pattern: str) -> str:
    parts(pattern)
    return pattern


HostPattern = Annotated[str, AfterValidator(_checked)]
"""A name, an address, or `*.` and a name for all below it; with a port, that one alone."""
