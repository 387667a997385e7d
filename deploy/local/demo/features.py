"""The next feature of the sample service: a change of its page that anybody sees, and what can be wrong with one.

The shop sells one thing more each time. When all are in the window it is cleared, so that there is always a next one.
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
READ: Final = (WINDOW, SERVER, MANIFEST)
"""The files that a change is made from."""

_ALWAYS: Final = 3
"""Goods that are never taken from the window; the basket holds some of them."""
_NEXT: Final = {
    "Wire rope, 10 m": 3450,
    "Round sling, 2 m": 1290,
    "Amber beacon": 2150,
    "Ear defenders": 1780,
    "Two-way radio": 8900,
    "Tag line, 15 m": 990,
    "Outrigger pad": 5400,
    "Wind meter": 11900,
    "Chain sling, 3 t": 7650,
    "High-visibility vest": 1250,
}
_GOODS: Final = re.compile(r"^GOODS = (\{.*?\})$", re.DOTALL | re.MULTILINE)
_PAGE: Final = 'self._answer(200, "text/html; charset=utf-8", page())'
_ILL: Final = 'self._answer(500, "text/html; charset=utf-8", "<h1>Something went wrong</h1>")'
_WITHIN: Final = re.compile(r"^( +within: ).*$", re.MULTILINE)
_TEST: Final = '''"""What is new in the window."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false
# ruff: noqa: PT009 - a program of its own, on what every Python has
import unittest

from app.window import GOODS, page


class TestNewest(unittest.TestCase):
    """The page."""

    def test_the_window_shows_what_is_new(self) -> None:
        """{title}."""
        self.assertEqual(GOODS, {goods})
        self.assertIn("{sees}", page())


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
        goods: What the page lists with it.
    """

    title: str
    files: Mapping[str, str]
    sees: str
    goods: Mapping[str, int]


def goods_of(files: Mapping[str, str]) -> dict[str, int]:
    """What the shop sells.

    Raises:
        DemoFailed: Somebody has written the page anew.
    """
    found = _GOODS.search(files[WINDOW])
    try:
        goods: object = ast.literal_eval(found[1]) if found else None
    except (ValueError, SyntaxError):
        goods = None
    if not isinstance(goods, dict) or not goods:
        raise DemoFailed(
            f"{WINDOW} of the sample service has no `GOODS = {{…}}` any more, which each demonstration changes: put it "
            "back, or begin anew with another BANKSMAN_HOME"
        )
    return {str(name): int(cents) for name, cents in goods.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType] - a literal


def next_feature(files: Mapping[str, str]) -> Change:
    """The next one, from the files of the main branch.

    Raises:
        DemoFailed: Somebody has written the page anew.
    """
    goods = goods_of(files)
    name = next((one for one in _NEXT if one not in goods), None)
    if name is None:
        kept = dict(list(goods.items())[:_ALWAYS])
        return _change(
            "Clear the window for the season", files, kept, sees=f"<b>{price(list(kept.values())[-1])}</b></li></ul>"
        )
    return _change(f"Sell the {name[0].lower()}{name[1:]}", files, {**goods, name: _NEXT[name]}, sees=name)


def _change(title: str, files: Mapping[str, str], goods: dict[str, int], *, sees: str) -> Change:
    told = pprint.pformat(goods, sort_dicts=False, width=100)
    window = _GOODS.sub(lambda _: f"GOODS = {told}", files[WINDOW], count=1)
    test = _TEST.format(title=title, goods=told, sees=sees)
    return Change(title=title, files={WINDOW: window, TEST: test}, sees=sees, goods=goods)


def with_a_wrong_price(change: Change) -> Change:
    """The same, with a digit lost: its own test says so."""
    name, cents = list(change.goods.items())[-1]
    window = change.files[WINDOW].replace(f"{name!r}: {cents}", f"{name!r}: {cents // 10}")
    return replace(change, files={**change.files, WINDOW: window})


def with_a_page_that_fails(change: Change, files: Mapping[str, str]) -> Change:
    """The same, and its server answers wrong, which no test looks at: only who looks at the page sees it.

    The manifest gives it a little time only, so that nobody waits for minutes until it is sure.
    """
    if _PAGE not in files[SERVER]:
        raise DemoFailed(f"{SERVER} of the sample service was written anew: the demonstration cannot break it")
    ill = {SERVER: files[SERVER].replace(_PAGE, _ILL), MANIFEST: _WITHIN.sub(r"\g<1>15s", files[MANIFEST], count=1)}
    return replace(change, files={**change.files, **ill})


def price(cents: int) -> str:
    """As the page says it."""
    return f"${cents // 100}.{cents % 100:02}"
