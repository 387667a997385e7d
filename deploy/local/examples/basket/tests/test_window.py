"""What the shop shows."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# ruff: noqa: PT009 - a program of its own, on what every Python has
import unittest

from app.window import GOODS, page, price, total


class TestWindow(unittest.TestCase):
    """The page."""

    def test_a_price_is_in_dollars(self) -> None:
        """With both digits of the cents."""
        self.assertEqual(price(1905), "$19.05")

    def test_all_goods_are_on_the_page(self) -> None:
        """Each with its price."""
        for name, cents in GOODS.items():
            self.assertIn(name.replace("&", "&amp;"), page())
            self.assertIn(price(cents), page())

    def test_the_basket_is_on_the_page_with_its_total(self) -> None:
        """Of all that is in it."""
        self.assertEqual(total(), 2900)
        self.assertIn("2 things for $29.00", page())


if __name__ == "__main__":
    unittest.main()
