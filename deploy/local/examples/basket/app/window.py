"""What the shop shows."""

from html import escape

GOODS = {"Hard hat": 2900, "Signal gloves": 1450, "Shackle, 2 t": 1990}
STYLE = """
body { font: 18px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 40rem; color: #222 }
li { display: flex; justify-content: space-between; border-bottom: 1px solid #ddd; padding: .4rem 0 }
"""


BASKET = {"Signal gloves": 2}
"""What is in it, as an example."""


def price(cents: int) -> str:
    """As people read it."""
    return f"${cents // 100}.{cents % 100:02}"


def total() -> int:
    """Of all that is in the basket, in cents."""
    return sum(GOODS[name] * count for name, count in BASKET.items())


def page() -> str:
    """The whole page."""
    goods = "".join(f"<li><span>{escape(name)}</span><b>{price(cents)}</b></li>" for name, cents in GOODS.items())
    basket = f"<p><b>Basket:</b> {sum(BASKET.values())} things for {price(total())}</p>"
    return f"<!doctype html><title>The shop</title><style>{STYLE}</style><h1>The shop</h1>{basket}<ul>{goods}</ul>"
