"""A stack's deployments, as `pulumi stack history --json` prints them, and the message by which ours are known again.

With CLI 3.200 the file, object-store and PostgreSQL backends give every entry the version 0. There the oldest is
counted as 1: as long as nobody removes history, an entry keeps its number.
"""

import re
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from connectors.pulumi.events import Part

MOST: Final = 100
"""Entries that are given out, the newest."""

_MADE: Final = re.compile(
    r"Banksman: (?P<repository>[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}) at "
    r"(?P<commit>[0-9a-f]{40}(?:[0-9a-f]{24})?) in (?P<folder>.{1,500})"
)


class Made(Part):
    """What Banksman deployed."""

    repository: str
    commit: str
    folder: str


class PastDeployment(Part):
    """One entry of a history.

    Attributes:
        kind: `update`, `destroy`, `refresh`, `import`, …
        result: `succeeded`, `failed`, `in-progress`, …
        made: By Banksman; None where somebody else made it, as far as its message says.
        changes: Resources by what was done to them.
    """

    version: int
    kind: str
    result: str
    started: datetime | None = None
    message: str = ""
    made: Made | None = None
    changes: dict[str, int] = Field(default_factory=dict[str, int])


class _Entry(BaseModel):
    """As the CLI prints it; the configuration that stands beside it is not taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = 0
    kind: str = ""
    result: str = ""
    started: datetime | None = Field(default=None, alias="startTime")
    message: str = ""
    changes: dict[str, int] | None = Field(default=None, alias="resourceChanges")


_ENTRIES: Final = TypeAdapter(list[_Entry])


def made_message(made: Made) -> str:
    """One line for a history."""
    return f"Banksman: {made.repository} at {made.commit} in {made.folder}"


def read_message(message: str) -> Made | None:
    """What Banksman wrote there; None where it wrote nothing. Whoever may write the state may have written it."""
    found = _MADE.fullmatch(message.strip())
    return Made.model_validate(found.groupdict()) if found else None


def read_history(printed: bytes) -> tuple[PastDeployment, ...]:
    """The newest first, `MOST` at most.

    Raises:
        ValueError: That is no history.
    """
    try:
        entries = _ENTRIES.validate_json(printed)
    except ValidationError as error:
        raise ValueError("this is not what `pulumi stack history --json` prints") from error
    counted = any(one.version for one in entries)
    return tuple(
        PastDeployment(
            version=one.version if counted else len(entries) - position,
            kind=one.kind,
            result=one.result,
            started=one.started,
            message=one.message[:500],
            made=read_message(one.message),
            changes=one.changes or {},
        )
        for position, one in enumerate(entries[:MOST])
    )
