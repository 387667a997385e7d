"""What the shop shows."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# ruff: noqa: PT009 - a program of its own, on what every Python has
import unittest

from app.window import FACTS, page, price, total

GOODS = [[1, "Hard hat", 2900], [2, "Nuts & bolts", 1450]]
"""As the database has them, without what FACTS names."""


def goods() -> list[list[object]]:
    """With something for each of FACTS."""
    return [[*one, *FACTS] for one in GOODS]


class TestWindow(unittest.TestCase):
    """The page."""

    def test_a_price_is_in_dollars(self) -> None:
        """With both digits of the cents."""
        self.assertEqual(price(1905), "$19.05")

    def test_all_goods_are_on_the_page(self) -> None:
        """Each with its price, and with what is like it."""
        shown = page(goods(), 3, [1, 9, 2])
        self.assertIn("<td>Hard hat</td><td>$29.00</td>", shown)
        self.assertIn("<td>Nuts &amp; bolts</td><td>$14.50</td>", shown)
        self.assertIn("Like Hard hat: Nuts &amp; bolts<", shown)
        self.assertIn("seen 3 times", shown)

    def test_what_does_not_answer_is_said(self) -> None:
        """And nothing else is missing for it."""
        shown = page(None, None, None)
        for words in ("The goods cannot be shown", "nobody counts", "What is similar cannot be told"):
            self.assertIn(words, shown)
        self.assertIn("Hard hat", page(goods(), None, None))

    def test_the_basket_is_on_the_page_with_its_total(self) -> None:
        """Of all that is in it."""
        sold: list[list[object]] = [[2, "Signal gloves", 1450, *FACTS]]
        self.assertEqual(total(sold), 2900)
        self.assertIn("2 things for $29.00", page(sold, 1, []))


if __name__ == "__main__":
    unittest.main()
