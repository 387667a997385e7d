"""Go: `go.mod`. It fixes every version, and a version made of a commit says when that was."""

import re
from datetime import UTC, datetime
from typing import Final

from activities.dependencies.found import FileFound, Notes, shown

_REQUIRED: Final = re.compile(r"(\S+)\s+(v\S+)")
_OF_A_COMMIT: Final = re.compile(r"[-.](\d{14})-[0-9a-f]{12}")


def read_go_mod(path: str, text: str) -> FileFound:
    """The module's name, and what it requires."""
    notes, block = Notes(path, "go"), ""
    for line in text.splitlines():
        said, _, remark = line.partition("//")
        words = said.split()
        if not words:
            continue
        if words == [")"]:
            block = ""
        elif len(words) == 2 and words[1] == "(":  # noqa: PLR2004 - `require (`
            block = words[0]
        elif words[0] == "module" and len(words) > 1:
            notes.make(words[1].strip('"'))
        elif block == "require" or (not block and words[0] == "require"):
            _require(notes, said.strip() if block else said.strip().removeprefix("require").strip(), remark)
    return notes.found()


def _require(notes: Notes, said: str, remark: str) -> None:
    found = _REQUIRED.fullmatch(said)
    if found is None:
        notes.mistake(f"requires '{shown(said)}', which is no module with a version; it is left out")
        return
    direct = remark.strip() != "indirect"
    notes.use(
        found[1].strip('"'),
        wanted=found[2],
        version=found[2],
        pinned=True,
        direct=direct,
        released=_committed(found[2]),
    )


def _committed(version: str) -> datetime | None:
    found = _OF_A_COMMIT.search(version)
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
