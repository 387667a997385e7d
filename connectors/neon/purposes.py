"""What a login to a database is for. Light enough for workflow code."""

from enum import StrEnum


class Purpose(StrEnum):
    """What a login is for."""

    READ = "read"
    """Every table may be read."""
    WRITE = "write"
    """Rows may be written, too."""
    MIGRATE = "migrate"
    """The schema may be changed, as its owner may."""
