"""What a manifest names: what is used, what is made, and what is wrong with it. Pure, and safe to show.

A manifest is anybody's. A name is taken only where it is one by its ecosystem's own rule, so that none holds a line
break, markup or what hides; what is no name is told as a mistake, with every such character written out.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from hitl.hidden import visible

Ecosystem = Literal["python", "npm", "go", "image", "action"]
MOST_ENTRIES: Final = 20_000
"""Of one file, and of one repository."""
MOST_MISTAKES: Final = 100
"""Of one repository."""
_LONGEST: Final = 100
_NAMES: Final[Mapping[Ecosystem, "re.Pattern[str]"]] = {
    "python": re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"),
    "npm": re.compile(r"(?:@[A-Za-z0-9._~-]{1,80}/)?[A-Za-z0-9._~-]{1,120}"),
    "go": re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/-]{0,199}"),
    "image": re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}"),
    "action": re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._/-]{1,160}"),
}
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!:~-]{0,99}")
_SEPARATORS: Final = re.compile(r"[-_.]+")


class _Found(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Used(_Found):
    """A package that a file names."""

    ecosystem: Ecosystem
    name: str = Field(description="By its ecosystem's rule for names that are the same.")
    wanted: str = Field(default="", description="As it is written there. A stranger's words.")
    version: str = Field(default="", description="The one version, where the file fixes it.")
    pinned: bool = Field(default=False, description="Whether the file fixes it: one version, digest or commit.")
    direct: bool = Field(default=True, description="Named by people, and not by a lock file for something else.")
    path: str
    released: datetime | None = Field(default=None, description="When that version came out, where the file says.")


class Made(_Found):
    """A package that the repository itself makes."""

    ecosystem: Ecosystem
    name: str
    path: str


class Mistake(_Found):
    """What is wrong with a file, or was left out of it."""

    path: str
    what: str


class FileFound(_Found):
    """All that one file names."""

    used: tuple[Used, ...] = ()
    made: tuple[Made, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    includes: tuple[str, ...] = Field(default=(), description="Paths of files that it takes in, from the root.")


class NotReadable(Exception):
    """A file that is not what its name says. The message is for people."""


class Notes:
    """What is found in one file, while it is read.

    Args:
        path: The file, made visible.
        ecosystem: Of whatever it names.
    """

    def __init__(self, path: str, ecosystem: Ecosystem) -> None:
        self.path = visible(path)[:300]
        self.ecosystem: Ecosystem = ecosystem
        self._used: dict[tuple[str, str, bool], Used] = {}
        self._made: list[Made] = []
        self._mistakes: list[Mistake] = []
        self._more = 0
        self.includes: list[str] = []

    def use(  # noqa: PLR0913 - all that a file says of one
        self,
        name: str,
        *,
        wanted: str = "",
        version: str = "",
        pinned: bool = False,
        direct: bool = True,
        released: datetime | None = None,
    ) -> None:
        """Note that it names a package. The same again is the same."""
        known = self._named(name)
        if known is None:
            return
        fixed = version if _VERSION.fullmatch(version) else ""
        key = (known, fixed or wanted, direct)
        if key in self._used:
            return
        if len(self._used) >= MOST_ENTRIES:
            self._more += 1
            return
        self._used[key] = Used(
            ecosystem=self.ecosystem,
            name=known,
            wanted=shown(wanted),
            version=fixed,
            pinned=pinned,
            direct=direct,
            path=self.path,
            released=released,
        )

    def make(self, name: str) -> None:
        """Note that the repository makes a package of that name."""
        known = self._named(name)
        if known is not None:
            self._made.append(Made(ecosystem=self.ecosystem, name=known, path=self.path))

    def mistake(self, what: str) -> None:
        """Note what is wrong; so many of one file, and no more."""
        if len(self._mistakes) < MOST_MISTAKES:
            self._mistakes.append(Mistake(path=self.path, what=what))

    def found(self) -> FileFound:
        """All of it."""
        if self._more:
            self.mistake(f"names {self._more} packages more than the {MOST_ENTRIES} that are read of a file")
        return FileFound(
            used=tuple(self._used.values()),
            made=tuple(self._made),
            mistakes=tuple(self._mistakes),
            includes=tuple(self.includes),
        )

    def _named(self, name: str) -> str | None:
        if not _NAMES[self.ecosystem].fullmatch(name):
            self.mistake(f"names '{shown(name)}', which is no name of a package; it is left out")
            return None
        return same_name(self.ecosystem, name)


def same_name(ecosystem: Ecosystem, name: str) -> str:
    """A name as everybody writes it: what its ecosystem takes for the same is the same."""
    match ecosystem:
        case "python":
            return _SEPARATORS.sub("-", name).lower()
        case "image" | "action":
            return name.lower()
        case "npm" | "go":
            return name


def shown(text: str) -> str:
    """A stranger's words, short and with nothing hidden in them."""
    short = visible(text[:_LONGEST])
    return short if len(text) <= _LONGEST else f"{short}…"
