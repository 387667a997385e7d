"""What the shop asks of others: its database, its cache and its collection, by the names in `banksman.yaml`.

The platform asks them for the service, with logins that it alone holds: all that is known here is a port.
"""

# ruff: noqa: TID251 - a program of its own, which is told its ports by the environment
import json
import os
import urllib.request
from collections.abc import Sequence
from typing import cast

SECONDS = 10


class NotThere(Exception):
    """What was asked does not answer, or there is none here."""


def ask(need: str, question: object, path: str = "") -> dict[str, object]:
    """What one of the needs answers.

    Raises:
        NotThere: It does not.
    """
    port = os.environ.get("NEEDS_PORT")
    if port is None:
        raise NotThere(need)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{need}{path}", data=json.dumps(question).encode())
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the address is its own
            return dict(json.load(answer))
    except (OSError, ValueError) as error:
        raise NotThere(need) from error


def products(columns: Sequence[str]) -> list[list[object]]:
    """All goods: id, name, price in cents, and these columns.

    Raises:
        NotThere: The database does not answer.
    """
    told = ", ".join(("id", "name", "cents", *columns))
    rows = ask("products", {"query": f"SELECT {told} FROM products ORDER BY id"})["rows"]  # noqa: S608 - its own columns
    return cast("list[list[object]]", rows)


def visits() -> int:
    """How often the page was seen, with this time.

    Raises:
        NotThere: The cache does not answer.
    """
    return int(str(ask("storefront-cache", ["INCR", "storefront:visits"])["result"]))


def similar(product: int) -> list[int]:
    """The goods that are most like one, by their ids.

    Raises:
        NotThere: The collection does not answer.
    """
    path = "/collections/products/points/query"
    found = cast(
        "dict[str, list[dict[str, int]]]", ask("storefront-search", {"query": product, "limit": 8}, path)["result"]
    )
    return [one["id"] for one in found["points"]]
