"""What one consumer of a database may do: its own keys, read or read and written, and nothing besides.

One text serves all: it is what `ACL SETUSER` takes and what Redis Cloud calls a rule.
"""

import re
from enum import StrEnum
from typing import Final

_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._{}-]{0,63}")
_CATEGORIES: Final = {"read": "+@read", "write": "+@read +@write"}
# `scan` and `randomkey` count as reading and tell the names of everybody's keys.
_TAKEN: Final = "-@dangerous -scan -randomkey"


class Access(StrEnum):
    """How far a consumer's rights go on its keys."""

    READ = "read"
    WRITE = "write"
    """Reads them, too."""


def rule(prefix: str, access: Access) -> str:
    """The rights on all keys that begin so, in the syntax of Redis.

    Raises:
        ValueError: The prefix has characters that mean something in a pattern.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} is no beginning of keys; write for example session:")
    return f"{_CATEGORIES[access]} +@connection {_TAKEN} ~{prefix}*"
