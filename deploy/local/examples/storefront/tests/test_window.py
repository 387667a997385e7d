"""What the shop shows."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# ruff: noqa: PT009 - a program of its own, on what every Python has
import unittest

from app.window import GOODS, page, price


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


if __name__ == "__main__":
    unittest.main()
