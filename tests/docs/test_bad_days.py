"""The table of bad days names tests that there are, each of them once."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.endpoints import ROOT

_PAGE: Final = ROOT / "docs" / "how-to" / "github-operate.md"
_LINE: Final = re.compile(
    r"^\| (?P<what>[^|]+) \| [^|]+ \| `(?P<file>tests/[\w/]+\.py)(?:::(?P<test>\w+))?` \|$", re.MULTILINE
)
LINES: Final = [one.groupdict() for one in _LINE.finditer(_PAGE.read_text(encoding="utf-8"))]


def test_every_line_of_the_table_is_read() -> None:
    rows = [one for one in _PAGE.read_text(encoding="utf-8").splitlines() if one.endswith("` |") and "`tests/" in one]
    assert len(rows) == len(LINES)
    assert len({one["what"] for one in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda one: one["what"])
def test_a_bad_day_has_its_test(line: dict[str, str | None]) -> None:
    file = ROOT / Path(line["file"] or "")
    assert file.is_file()
    assert line["test"] is None or f"def {line['test']}(" in file.read_text(encoding="utf-8")
