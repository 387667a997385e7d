"""Which types of resources hold something that is lost with them: a list in a file, to be replaced by a deployment's.

    stateful:
      - types: ["aws:rds/*:*"]
        loses: the data of the database

A type is matched as a shell matches names (`*`, `?`), without regard to case. The first entry that matches counts.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from connectors.pulumi.files import read_file

SHIPPED: Final = Path(__file__).parent / "stateful.yaml"

_Pattern = Annotated[str, StringConstraints(min_length=3, max_length=200, pattern=r"^[^\s]+$")]


class StatefulEntry(BaseModel):
    """Some types, and what is lost with one of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: Annotated[tuple[_Pattern, ...], Field(min_length=1)]
    loses: Annotated[str, StringConstraints(min_length=3, max_length=100)]


class StatefulTypes(BaseModel):
    """The list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stateful: tuple[StatefulEntry, ...]

    def loses(self, type_: str) -> str:
        """What is lost with a resource of this type; empty where nothing is."""
        for entry in self.stateful:
            if any(fnmatchcase(type_.lower(), pattern.lower()) for pattern in entry.types):
                return entry.loses
        return ""


def load_stateful(path: Path = SHIPPED) -> StatefulTypes:
    """Read a list.

    Raises:
        FileProblem: It cannot be read, or is not valid.
    """
    return read_file(path, StatefulTypes)
