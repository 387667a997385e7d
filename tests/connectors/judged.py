"""A twin whose every exchange is held against its provider's published description, and schemathesis's requests to it.

    with judged_twin(create_twin(CONFIG), PUBLISHED) as twin: ...

At the end of the block all that passed is judged: every request that our client sent or that the twin accepted, and
every answer that no planted fault made up.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.core.result import Ok
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.http.api import AGENT
from connectors.twins.app import Twin
from connectors.twins.faults import FAULT
from tests.connectors.description import Description, Exchange, Published
from tests.connectors.serving import ServedTwin, served

_UNKNOWN: Final = 501


@dataclass
class Recorder:
    """ASGI middleware in front of a twin: judges each exchange with it, and keeps the verdicts."""

    app: ASGIApp
    judge: Description
    problems: list[str] = field(default_factory=list[str])

    def require_none(self) -> None:
        """Fail, with every problem once, where there is one."""
        if self.problems:
            raise AssertionError("\n".join(sorted(set(self.problems))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_twin/"):
            await self.app(scope, receive, send)
            return
        sent, received, start = bytearray(), bytearray(), list[Message]()

        async def taking() -> Message:
            message = await receive()
            received.extend(message.get("body", b""))
            return message

        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
            sent.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, taking, giving)
        finally:
            self._judge(scope, start, request=bytes(received), response=bytes(sent))

    def _judge(self, scope: Scope, start: list[Message], *, request: bytes, response: bytes) -> None:
        told = {name.lower(): value.decode() for name, value in start[0]["headers"]} if start else {}
        exchange = Exchange(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            request_body=request,
            status=start[0]["status"] if start else 0,
            content_type=told.get(b"content-type", ""),
            body=response,
        )
        faulty = scope.get(FAULT) is not None
        accepted = not faulty and 0 < exchange.status < httpx.codes.BAD_REQUEST
        headers = dict(scope["headers"])
        # A fault that answers at once leaves the body unread: nothing can be said of it.
        unread = faulty and len(request) < int(headers.get(b"content-length", b"0"))
        if accepted or (headers.get(b"user-agent") == AGENT.encode() and not unread):
            self.problems += self.judge.request_problems(exchange)
        if start and not faulty and exchange.status != _UNKNOWN:
            self.problems += self.judge.response_problems(exchange)


@contextmanager
def judged_twin(app: Starlette, published: Published) -> Generator[ServedTwin]:
    """A twin that runs until the block ends, and is then judged; it only runs where the description is not at hand."""
    judge = published.description
    recorder = Recorder(app, judge) if judge is not None else None
    with served(recorder or app) as url, httpx.Client(base_url=url, timeout=10) as http:
        yield ServedTwin(url, http)
    if recorder is not None:
        recorder.require_none()


def fuzz(app: Starlette, published: Published, *, headers: Mapping[str, str], examples: int = 20) -> int:
    """Send what schemathesis makes of the description to each operation that a twin knows, and judge the answers.

    Its own checks are not used: they refuse every status that a description does not list, and few list a 404.

    Args:
        app: The twin; `app.state.twin` says what it knows.
        published: Where the description is; it must be there.
        headers: Of every request, with the credential.
        examples: How many requests each operation is sent.

    Returns:
        How many requests there were.
    """
    judge = published.description
    assert judge is not None
    known = [(one.method, one.path) for one in cast("Twin", app.state.twin).operations]
    schema = schemathesis.openapi.from_dict(judge.trimmed(known))
    recorder = Recorder(app, judge)
    found = list(schema.get_all_operations())
    asked = 0
    with served(recorder) as url:

        @settings(
            max_examples=examples * len(known),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(case=st.one_of([one.ok().as_strategy() for one in found if isinstance(one, Ok)]))
        def ask(case: Case[Any]) -> None:
            nonlocal asked
            asked += 1
            answer = case.call(base_url=url, headers=dict(headers))
            assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR, case.as_curl_command()

        ask()
    recorder.require_none()
    return asked
