"""A change as the gate looks at it: each file, with the lines that came and went, read from git's own patch.

The patch is made from a container's tree, so it is a stranger's text. What cannot be read in it is refused, and never
passed over: a file without lines here is one that nobody has looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

_HUNK: Final = re.compile(r"@@ -\d+(?:,(?P<old>\d+))? \+(?P<first>\d+)(?:,(?P<new>\d+))? @@")
_BEGINS: Final = "diff --git "
_MODES: Final = ("new file mode ", "new mode ", "old mode ", "deleted file mode ")


class PatchUnreadable(Exception):
    """It is no patch of git's, as far as the gate can tell. The message has no word of it."""


@dataclass(frozen=True)
class Line:
    """One line that came.

    Attributes:
        number: In the file as it is now, from 1.
        text: Without its end.
    """

    number: int
    text: str


@dataclass
class Lines:
    """What a patch says of one file.

    Attributes:
        added: Lines that came.
        removed: Lines that went.
        shown: Every line of the file as it is now that the patch shows, those around included.
        binary: Whether it is no text.
        modes: As git writes them, of what is made or changed.
    """

    added: list[Line] = field(default_factory=list[Line])
    removed: list[str] = field(default_factory=list[str])
    shown: list[Line] = field(default_factory=list[Line])
    binary: bool = False
    modes: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, kw_only=True)
class Changed:
    """One file of the change.

    Attributes:
        path: From the root of the repository.
        change: What became of it.
        size: Bytes of what it is now.
        lines: What the patch says of it; None where it says nothing.
        content: What it is now; None where it is gone or was not read.
    """

    path: str
    change: Literal["added", "changed", "deleted"]
    size: int = 0
    lines: Lines | None = None
    content: bytes | None = None


def read_patch(text: str) -> dict[str, Lines]:
    """The lines by the paths of their files.

    Args:
        text: As `git diff --binary --full-index --no-renames` writes it.

    Raises:
        PatchUnreadable: A line is none of such a patch.
    """
    lines = iter(text.split("\n"))
    found: dict[str, Lines] = {}
    at: Lines | None = None
    for line in lines:
        if line.startswith(_BEGINS):
            at = Lines()
            if (same := _path_of(line)) is not None:
                found[same] = at
        elif at is None:
            if line:
                raise PatchUnreadable("the patch does not begin with a file")
        elif hunk := _HUNK.match(line):
            _read_hunk(lines, hunk, at)
        elif (name := _read_head(line, at)) is not None:
            found[name] = at
    return found


def hunk_lines(patch: str) -> Lines:
    """The lines of one file's hunks alone, as GitHub tells them.

    Raises:
        PatchUnreadable: A hunk ends too early.
    """
    lines, found = iter(patch.split("\n")), Lines()
    for line in lines:
        if hunk := _HUNK.match(line):
            _read_hunk(lines, hunk, found)
    return found


def _read_head(line: str, into: Lines) -> str | None:
    """Take a line of a file's head; the path, where that is what it says."""
    if line.startswith(_MODES):
        into.modes.add(line.rpartition(" ")[2])
    elif line.startswith(("GIT binary patch", "Binary files ")):
        into.binary = True
    elif line.startswith("--- "):
        return _name(line[4:], "a/")
    elif line.startswith("+++ "):
        return _name(line[4:], "b/")
    return None


def _read_hunk(lines: Iterator[str], hunk: re.Match[str], into: Lines) -> None:
    """By the counts of its head: so no line of a file is taken for one of the patch."""
    left_old, left_new = (int(hunk[name] if hunk[name] is not None else 1) for name in ("old", "new"))
    number = int(hunk["first"])
    while left_old > 0 or left_new > 0:
        line = next(lines, None)
        if line is None:
            raise PatchUnreadable("a part of the patch ends too early")
        kind, text = line[:1], line[1:]
        if kind == "\\":
            continue
        if kind == "-":
            into.removed.append(text)
            left_old -= 1
            continue
        if kind not in {"+", " ", ""}:
            raise PatchUnreadable("a line of the patch neither comes nor goes nor stays")
        now = Line(number, text)
        into.shown.append(now)
        if kind == "+":
            into.added.append(now)
        else:
            left_old -= 1
        left_new -= 1
        number += 1


def _path_of(line: str) -> str | None:
    """The path in a file's first line, where both sides have one: a change of mode or a binary file has no other."""
    rest = line.removeprefix(_BEGINS)
    half = (len(rest) - 1) // 2
    old, new = rest[:half], rest[half + 1 :]
    return old[2:] if old.startswith("a/") and new == f"b/{old[2:]}" else None


def _name(written: str, prefix: str) -> str | None:
    """A path; None for none. One in quotes stays in them, so that no file of the change has it."""
    name = written.removesuffix("\t")
    return None if name == "/dev/null" else name.removeprefix(prefix)
