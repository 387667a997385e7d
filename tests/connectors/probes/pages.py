"""A service to look at: a real server on loopback, which notes what it was asked."""

import contextlib
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Service:
    """One that answers what it is told to.

    Attributes:
        asked: Path and headers of each request.
    """

    port: int = 0
    status: int = 200
    body: bytes = b"all is well"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hangs: threading.Event | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])


@contextlib.contextmanager
def serving(service: Service) -> Generator[Service]:
    """Serve it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if service.hangs is not None:
                service.hangs.wait(30)
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked has hung up
                self.wfile.write(service.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base's
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        service.port = server.server_address[1]
        try:
            yield service
        finally:
            if service.hangs is not None:
                service.hangs.set()
            server.shutdown()
            thread.join()
