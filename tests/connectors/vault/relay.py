"""Servers between a client and Vault that answer wrongly, hang up, or hold a request back."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass
class Seen:
    """What passed through a relay."""

    address: str = ""
    paths: list[str] = field(default_factory=list[str])
    arrived: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@contextmanager
def answering(status: int, body: bytes) -> Generator[str]:
    """A server that always gives this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    with serving(Handler) as address:
        yield address


@contextmanager
def relay(target: str, *, drop: str = "", hold: str = "") -> Generator[Seen]:
    """Passes requests on; hangs up after the one at `drop` was done, holds the answer to the one at `hold` back."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            seen.paths.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            names = ("X-Vault-Token", "X-Vault-Request", "Content-Type")
            headers = {name: self.headers[name] for name in names if self.headers[name]}
            answer = httpx.request(self.command, f"{target}{self.path}", content=body, headers=headers)
            if self.path == hold:
                seen.arrived.set()
                seen.go_on.wait(20)
            if self.path == drop:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)
            if self.path == hold:
                seen.done.set()

        do_POST = do_PUT = do_GET = _pass  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    with serving(Handler) as address:
        seen.address = address
        yield seen


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
