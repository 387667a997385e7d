"""The shop's server: a page, and a word on its health."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# ruff: noqa: TID251 - a program of its own, which is told its port by the environment
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

from app import stores
from app.window import FACTS, page

Found = TypeVar("Found")


class Shop(BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        """The page at `/`, and `ok` at `/healthz`."""
        match self.path.partition("?")[0]:
            case "/":
                self._answer(200, "text/html; charset=utf-8", shown())
            case "/healthz":
                self._answer(200, "text/plain; charset=utf-8", "ok\n")
            case _:
                self._answer(404, "text/plain; charset=utf-8", "there is no such page\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def shown() -> str:
    """The page as it is now. One part that does not answer takes none of the others with it."""
    products = had(lambda: stores.products(list(FACTS)))
    similar = had(lambda: stores.similar(int(str(products[0][0])))) if products else None
    return page(products, had(stores.visits), similar)


def had(part: Callable[[], Found]) -> Found | None:
    """What a part answers; None where it does not."""
    try:
        return part()
    except stores.NotThere:
        return None


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shop).serve_forever()
