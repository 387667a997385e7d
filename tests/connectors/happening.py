"""What may happen to any request of a client: its worker dies before or after it, or the provider has a bad day."""

import contextlib
from collections.abc import Generator, Iterator
from typing import Any, Final

import pytest

from connectors.http import Call, Session
from connectors.http.api import Answered
from tests.connectors.serving import ServedTwin

FAULTS: Final[dict[str, dict[str, object]]] = {
    "drop": {"kind": "drop"},
    "drop_after_effect": {"kind": "drop_after_effect"},
    "garbage": {"kind": "garbage"},
    "rate_limit": {"kind": "rate_limit", "seconds": 0},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
}
KILLS: Final = ("killed_before", "killed_after")


class Killed(Exception):
    """The worker is gone."""


@contextlib.contextmanager
def happening(twin: ServedTwin, events: Iterator[str]) -> Generator[None]:
    """The next of these happens at each request of any session: `ok`, one of `KILLS` or of `FAULTS`.

    Args:
        twin: Where faults are planted.
        events: Once there are no more, all is well.
    """
    exchange = Session.exchange

    async def eventful(session: Session, call: Call[Any]) -> Answered[Any]:
        event = next(events, "ok")
        if event == "killed_before":
            raise Killed
        if event in FAULTS:
            twin.plant(**FAULTS[event])
        answered = await exchange(session, call)
        if event == "killed_after":
            raise Killed
        return answered

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session, "exchange", eventful)
        yield
