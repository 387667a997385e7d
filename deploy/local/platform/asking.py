"""Runs in a service's container, beside the service: takes what it asks of its needs, and has the platform ask them.

The container has no network, so this line is the only way out, and it leads to the platform alone. Out go frames: a
number, a length, and JSON with a path and a body in base64; in come frames with a status and a body. The first frame
out is number 0 and empty: it says that the service can ask.
"""

import base64
import contextlib
import itertools
import json
import os
import struct
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

HEAD: Final = struct.Struct(">II")
MOST_BODY: Final = 1024 * 1024
_SECONDS: Final = 20


class Line:
    """The way out."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: dict[int, Future[bytes]] = {}
        self._numbers = itertools.count(1)

    def send(self, number: int, text: bytes) -> None:
        """One frame; nothing where the platform has gone."""
        with self._turn, contextlib.suppress(BrokenPipeError):
            sys.stdout.buffer.write(HEAD.pack(number, len(text)) + text)
            sys.stdout.buffer.flush()

    def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """What the platform answers: a status and a body."""
        number, answer = next(self._numbers) % 2**32, Future[bytes]()
        self._waiting[number] = answer
        try:
            self.send(number, json.dumps({"path": path, "body": base64.b64encode(body).decode()}).encode())
            told = json.loads(answer.result(_SECONDS))
            return int(told["status"]), base64.b64decode(told["body"])
        except (TookTooLong, TimeoutError):
            return 504, b'{"error": "the platform does not answer"}'
        finally:
            self._waiting.pop(number, None)

    def listen(self) -> None:
        """Hand out answers, until standard input ends."""
        while head := _read_exactly(HEAD.size):
            number, size = HEAD.unpack(head)
            text, waiting = _read_exactly(size), self._waiting.get(number)
            if waiting is not None and not waiting.done():
                waiting.set_result(text)


def _read_exactly(size: int) -> bytes:
    """So many bytes; none at the end."""
    parts: list[bytes] = []
    while size:
        part = os.read(0, min(size, 65536))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main(port: int) -> None:
    """Until standard input ends."""
    line = Line()

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not size.isdigit() or int(size) > MOST_BODY:
                status, body = 413, b'{"error": "say its length, 1 MiB at most"}'
            else:
                status, body = line.ask(self.path, self.rfile.read(int(size)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    line.send(0, b"")
    line.listen()


if __name__ == "__main__":
    main(int(sys.argv[1]))
