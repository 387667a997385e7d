"""Runs in a service's container, beside the service: takes requests from standard input to its port, and answers back.

The container has no network, so this line is the only way in. It stands between strangers on both sides and decides
nothing: who reads what it says bounds it. In and out are frames: a number, a length, and JSON.
"""

import base64
import contextlib
import http.client
import json
import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypedDict

HEAD: Final = struct.Struct(">II")
MOST_BODY: Final = 4 * 1024 * 1024
_SECONDS: Final = 20
_AT_ONCE: Final = 16


class Asked(TypedDict):
    """A request; its body in base64."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


def answer(port: int, asked: Asked) -> dict[str, int | str]:
    """What the service says to one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        body = base64.b64decode(asked["body"]) or None
        connection.request(asked["method"], asked["path"], body=body, headers=asked["headers"])
        response = connection.getresponse()
        said = response.read(MOST_BODY + 1)
        if len(said) > MOST_BODY:
            return {"error": "the answer is longer than 4 MiB"}
        kind = response.getheader("Content-Type", "application/octet-stream")
        return {"status": response.status, "kind": kind, "body": base64.b64encode(said).decode()}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"error": type(error).__name__}
    finally:
        connection.close()


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
    turn = threading.Lock()

    def serve(number: int, text: bytes) -> None:
        said = json.dumps(answer(port, json.loads(text))).encode()
        with turn, contextlib.suppress(BrokenPipeError):
            sys.stdout.buffer.write(HEAD.pack(number, len(said)) + said)
            sys.stdout.buffer.flush()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while head := _read_exactly(HEAD.size):
            number, size = HEAD.unpack(head)
            pool.submit(serve, number, _read_exactly(size))


if __name__ == "__main__":
    main(int(sys.argv[1]))
