"""Secrets that a provider quotes back at us, and a look at every place that an error of it ends up in."""

import json
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from activities.guard.errors import mapped_errors
from observability.logs import redact_event
from observability.redaction import redact
from workflows.converter import data_converter

# Made here, for a stack shows the source's lines and must not be what the search finds.
_MARK: Final = "CaN4ry" + secrets.token_hex(3)
KNOWN: Final = SecretStr(f"{_MARK}/no-shape/of-its-own")
"""One that has no shape; the process has it from Vault."""
redact.register(KNOWN)

SHAPED: Final = {
    "github": f"ghs_{_MARK}" + "a1B2" * 6,
    "github stateless": f"ghs_123456_eyJ{_MARK}hbGciOiJSUzI1NiJ9.{_MARK}eyJpc3Mi.{_MARK}-{'q_9' * 40}",
    "vault": f"hvs.{_MARK}" + "a1B2" * 6,
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\n{_MARK}{'MIIE' * 12}\n{_MARK}\n-----END RSA PRIVATE KEY-----",
    "slack": f"xoxb-{_MARK}-1234567890",
    "jwt": f"eyJ{_MARK}hbGciOiJIUzI1NiJ9.eyJ{_MARK}.{_MARK}abcdefgh",
    "pulumi": f"pul-{_MARK}{'0f' * 16}",
    "header": f"Authorization: Bearer {_MARK}abcdefgh12345",
    "url": f"https://user:{_MARK}@provider.test/",
    "known": KNOWN.get_secret_value(),
}
ALL: Final = " and ".join(SHAPED.values())
"""Every one of them, as a provider might quote it."""

AT_THE_CUT: Final = [f"{'x' * before} {SHAPED[form]}" for before, form in ((190, "github"), (270, "github stateless"))]
"""Half a secret has no shape, and messages are cut."""


class _Nothing(PayloadCodec):
    """Encrypts nothing, so that what would have been encrypted can be looked at."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


def clean(error: BaseException, *, keeps: str = "") -> str:
    """All that is kept of an error: by a history, with and without encryption, and by the log. No canary is in it."""
    failure, encoded = Failure(), Failure()
    converter = data_converter()
    converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    encrypted = data_converter(_Nothing())
    encrypted.failure_converter.to_failure(error, encrypted.payload_converter, encoded)
    kept = f"{failure}\n{encoded}\n{_log_of(error)}"
    assert _MARK not in kept
    assert keeps in failure.message
    return kept


async def failing(call: Callable[[], Awaitable[object]], *, keeps: str = "") -> ApplicationError:
    """What a step that does this ends with; what it raised itself is clean in the log."""
    with pytest.raises(ApplicationError) as caught, mapped_errors():
        await _logged(call)
    error = caught.value
    below: BaseException | None = error
    while below is not None:
        assert _MARK not in str(below)
        assert _MARK not in repr(getattr(below, "details", ""))
        below = below.__cause__
    clean(error, keeps=keeps)
    return error


async def _logged(call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except Exception as error:
        if _MARK in _log_of(error):
            pytest.fail("a canary is in the log")
        raise


def _log_of(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    return json.dumps(redact_event(logging.getLogger(), "error", {"event": str(error), "exception": text}))


@contextmanager
def telling(status: int, body: bytes, *, kind: str = "application/json", **headers: str) -> Generator[str]:
    """A server that answers everything like this; its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - http.server's name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
