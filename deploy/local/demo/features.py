"""The next feature of the sample service: a column of its database that people read on its page, and what is wrong.

Each says one thing more of every product; when the page has enough, the oldest is shown no longer. So there is always a
next one, and none takes from the database what an older release still reads.
"""

import ast
import pprint
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from deploy.local.demo.terminal import DemoFailed

WINDOW: Final = "app/window.py"
SERVER: Final = "app/main.py"
TEST: Final = "tests/test_newest.py"
MANIFEST: Final = "banksman.yaml"
MIGRATIONS: Final = "migrations"
READ: Final = (WINDOW, SERVER, MANIFEST)
"""The files that a change is made from, besides its migrations."""

_SHOWN: Final = 4
_NEXT: Final = (
    ("weight", "Weight", ("380 g", "95 g", "210 g", "5.2 kg", "640 g", "450 g")),
    ("colour", "Colour", ("yellow", "orange", "zinc", "steel", "violet", "amber")),
    ("warranty", "Warranty", ("5 years", "1 year", "2 years", "2 years", "1 year", "3 years")),
    ("origin", "Made in", ("Sweden", "Portugal", "Spain", "Austria", "Poland", "France")),
    ("delivery", "Delivered in", ("1 day", "1 day", "2 days", "4 days", "2 days", "3 days")),
    ("norm", "Norm", ("EN 397", "EN 388", "EN 13889", "EN 12385", "EN 1492", "EN 60598")),
    ("material", "Material", ("ABS", "leather", "steel", "steel", "polyester", "glass")),
    ("size", "Size", ("52-63 cm", "7-11", "2 t", "10 m", "2 m", "12 cm")),
    ("stock", "In stock", ("41", "260", "73", "12", "55", "19")),
    ("packed", "Packed by", ("1", "12 pairs", "10", "1", "5", "2")),
)
"""Column, what people read, and what it says of each product."""
_FACTS: Final = re.compile(r"^FACTS: dict\[str, str\] = (\{.*?\})$", re.DOTALL | re.MULTILINE)
_NUMBERED: Final = re.compile(MIGRATIONS + r"/(\d{4})-[a-z0-9-]+\.sql")
_PAGE: Final = 'self._answer(200, "text/html; charset=utf-8", shown())'
_ILL: Final = 'self._answer(500, "text/html; charset=utf-8", "<h1>Something went wrong</h1>")'
_WITHIN: Final = re.compile(r"^( +within: ).*$", re.MULTILINE)
_NO_TABLE: Final = "ALTER TABLE products ADD COLUMN bought_by bigint REFERENCES customers (id);\n"
"""What comes before it is well, and there is no table `customers`: half-done, if it were not tried first."""
_TEST: Final = '''"""What is new in the window."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# ruff: noqa: PT009 - a program of its own, on what every Python has
import unittest

from app.window import FACTS, page


class TestNewest(unittest.TestCase):
    """The page."""

    def test_the_window_shows_what_is_new(self) -> None:
        """{title}."""
        self.assertEqual(FACTS, {facts})
        self.assertIn("{sees}", page([[1, "Hard hat", 2900, *FACTS]], 1, []))


if __name__ == "__main__":
    unittest.main()
'''


@dataclass(frozen=True)
class Change:
    """A feature, as a pull request has it.

    Attributes:
        title: In a person's words.
        files: Their new contents by their paths.
        sees: What the page shows with it.
        facts: What the page says of each product with it.
        migration: The path of its migration, among the files.
    """

    title: str
    files: Mapping[str, str]
    sees: str
    facts: Mapping[str, str]
    migration: str


def facts_of(files: Mapping[str, str]) -> dict[str, str]:
    """What the page says of each product: what people read, by column.

    Raises:
        DemoFailed: Somebody has written the page anew.
    """
    found = _FACTS.search(files[WINDOW])
    try:
        facts: object = ast.literal_eval(found[1]) if found else None
    except (ValueError, SyntaxError):
        facts = None
    if not isinstance(facts, dict):
        raise DemoFailed(
            f"{WINDOW} of the sample service has no `FACTS: dict[str, str] = {{…}}` any more, which each demonstration "
            "changes: put it back, or begin anew with another BANKSMAN_HOME"
        )
    return {str(column): str(told) for column, told in facts.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] - a literal


def next_feature(files: Mapping[str, str]) -> Change:
    """The next one, from the files of the main branch.

    Raises:
        DemoFailed: Somebody has written the page anew.
    """
    number = 1 + max((int(found[1]) for path in files if (found := _NUMBERED.fullmatch(path))), default=0)
    name, told, values = _NEXT[number % len(_NEXT)]
    column = f"{name}_{number}"
    kept = list(facts_of(files).items())[1 - _SHOWN :]
    facts = {**dict(kept), column: told}
    shown = pprint.pformat(facts, sort_dicts=False, width=100)
    title, sees = f"Say of each thing: {told.lower()}", f"<th>{told}</th>"
    migration = f"{number:04}-{name}.sql"
    changed = {
        WINDOW: _FACTS.sub(lambda _: f"FACTS: dict[str, str] = {shown}", files[WINDOW], count=1),
        TEST: _TEST.format(title=title, facts=shown, sees=sees),
        f"{MIGRATIONS}/{migration}": _up(column, values),
        f"{MIGRATIONS}/down/{migration}": f"ALTER TABLE products DROP COLUMN {column};\n",
    }
    return Change(title=title, files=changed, sees=sees, facts=facts, migration=f"{MIGRATIONS}/{migration}")


def with_a_letter_lost(change: Change) -> Change:
    """The same, and people would read something else: its own test says so."""
    told = list(change.facts.values())[-1]
    window = change.files[WINDOW].replace(repr(told), repr(told[:-1]))
    return replace(change, files={**change.files, WINDOW: window})


def with_a_migration_that_fails(change: Change) -> Change:
    """The same, and its migration cannot be carried out, which nobody knows who does not try."""
    return replace(change, files={**change.files, change.migration: change.files[change.migration] + _NO_TABLE})


def with_a_page_that_fails(change: Change, files: Mapping[str, str]) -> Change:
    """The same, and its server answers wrong, which no test looks at: only who looks at the page sees it.

    The manifest gives it a little time only, so that nobody waits for minutes until it is sure.
    """
    if _PAGE not in files[SERVER]:
        raise DemoFailed(f"{SERVER} of the sample service was written anew: the demonstration cannot break it")
    ill = {SERVER: files[SERVER].replace(_PAGE, _ILL), MANIFEST: _WITHIN.sub(r"\g<1>15s", files[MANIFEST], count=1)}
    return replace(change, files={**change.files, **ill})


def _up(column: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN {number} THEN '{value}'" for number, value in enumerate(values, start=1))
    return f"ALTER TABLE products ADD COLUMN {column} text;\nUPDATE products SET {column} = CASE id {cases} END;\n"
