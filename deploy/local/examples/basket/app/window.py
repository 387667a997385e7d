"""What the shop shows."""

from collections.abc import Sequence
from html import escape

FACTS: dict[str, str] = {}
"""What is said of each product besides its name and its price: a column of the database, and what people read."""
BASKET = {"Signal gloves": 2}
"""What is in it, as an example."""
LIKE = 2
STYLE = """
body { font: 18px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 46rem; color: #222 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; border-bottom: 1px solid #ddd; padding: .4rem .6rem .4rem 0 }
footer { color: #777 }
"""


def price(cents: int) -> str:
    """As people read it."""
    return f"${cents // 100}.{cents % 100:02}"


def total(products: Sequence[Sequence[object]]) -> int:
    """Of all that is in the basket, in cents."""
    return sum(int(str(one[2])) * BASKET.get(str(one[1]), 0) for one in products)


def page(products: Sequence[Sequence[object]] | None, visits: int | None, similar: Sequence[int] | None) -> str:
    """The whole page. What is None could not be had, and the page says so.

    Args:
        products: Id, name, price in cents, and what FACTS names, of each.
        visits: How often it was seen.
        similar: What is most like the first of them, by their ids.
    """
    things = sum(BASKET.values())
    basket = f"<p><b>Basket:</b> {things} things for {price(total(products or ()))}</p>"
    goods = "<p>The goods cannot be shown now.</p>" if products is None else table(products)
    seen = "nobody counts who sees it" if visits is None else f"seen {visits} times"
    return (
        f"<!doctype html><title>The shop</title><style>{STYLE}</style><h1>The shop</h1>{basket}{goods}"
        f"<p>{like_the_first(products or (), similar)}</p><footer>This page: {seen}.</footer>"
    )


def table(products: Sequence[Sequence[object]]) -> str:
    """All goods."""
    heads = "".join(f"<th>{escape(one)}</th>" for one in ("Product", "Price", *FACTS.values()))
    return f"<table><tr>{heads}</tr>{''.join(map(row, products))}</table>"


def row(product: Sequence[object]) -> str:
    """One of them."""
    _, name, cents, *facts = product
    cells = (str(name), price(int(str(cents))), *("" if one is None else str(one) for one in facts))
    return f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in cells)}</tr>"


def like_the_first(products: Sequence[Sequence[object]], similar: Sequence[int] | None) -> str:
    """What people may like who like the first product."""
    names = {int(str(one[0])): str(one[1]) for one in products}
    first = next(iter(names), 0)
    found = [names[one] for one in similar or () if one in names and one != first][:LIKE]
    return (
        f"Like {escape(names[first])}: {escape('; '.join(found))}" if found else "What is similar cannot be told now."
    )
