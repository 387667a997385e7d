"""One provider's API: a session with one credential asks, in its turn, and is told by the one tree of errors."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Final, Generic, NamedTuple

import httpx
from opentelemetry import propagate
from pydantic import ValidationError

from connectors.authorities import authorities
from connectors.errors import RateLimited
from connectors.http.dialect import Dialect
from connectors.http.observed import observed
from connectors.http.operation import NOTHING, Answer, Call
from connectors.limits import Allowance, Turns
from connectors.metrics import TURN_SECONDS
from observability.exemplars import exemplar
from observability.names import ATTR_HTTP_STATUS

AGENT: Final = "banksman"
"""How we name ourselves."""


class Answered(NamedTuple, Generic[Answer]):
    """A yes: what was read of it, and its headers."""

    read: Answer
    headers: httpx.Headers


class Api:
    """A provider's API as this process calls it, by one account. It lives as long as the process.

    Args:
        dialect: How the provider speaks.
        base_url: The API's root, or its twin's.
        turns: Gives out the account's turns; by default this process alone counts them.
    """

    def __init__(self, dialect: Dialect, *, base_url: str, turns: Turns | None = None) -> None:
        self._dialect = dialect
        self._base_url = base_url.rstrip("/")
        self._turns = turns or Allowance(dialect.rate)

    @asynccontextmanager
    async def open(self, auth: httpx.Auth) -> AsyncGenerator["Session"]:
        """Connections that end with the block.

        Args:
            auth: Puts the credential into each request.
        """
        async with httpx.AsyncClient(
            base_url=self._base_url,
            auth=auth,
            timeout=self._dialect.timeout,
            verify=authorities(),
            headers={"User-Agent": AGENT, "Accept": "application/json"},
        ) as http:
            yield Session(http, self._dialect, self._turns)


class HeaderAuth(httpx.Auth):
    """A credential as headers: `HeaderAuth({"Authorization": f"Bearer {key}"})`.

    Args:
        headers: With their secrets; they go into requests, and nowhere else.
    """

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        request.headers.update(self._headers)
        yield request


class Session:
    """One credential, for as long as `Api.open` lasts."""

    def __init__(self, http: httpx.AsyncClient, dialect: Dialect, turns: Turns) -> None:
        self._http, self._dialect, self._turns = http, dialect, turns

    @property
    def provider(self) -> str:
        """The name of whoever is asked."""
        return self._dialect.provider.name

    async def ask(self, call: Call[Answer]) -> Answer:
        """Make one call, in its turn.

        Raises:
            ConnectorError: By the tree. `OutcomeUnknown` only where something may have happened.
        """
        return (await self.exchange(call)).read

    async def exchange(self, call: Call[Answer]) -> Answered[Answer]:
        """The same with the answer's headers, for those who read pages."""
        with observed(self.provider, call.operation) as span:
            began = time.monotonic()
            try:
                await self._turns.turn(call.what)
            finally:
                TURN_SECONDS.labels(provider=self.provider).observe(time.monotonic() - began, exemplar())
            try:
                answer = await self._send(call)
                span.set_attribute(ATTR_HTTP_STATUS, answer.status_code)
                if not answer.is_success:
                    raise self._dialect.refused(call, answer)
            except RateLimited as limited:
                self._turns.close(limited.retry_after)
                raise
            return Answered(self._read(call, answer.content), answer.headers)

    async def _send(self, call: Call[Answer]) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if call.body is not None else dict[str, str]()
        propagate.inject(headers)
        try:
            return await self._http.request(
                call.operation.method, call.url, params=call.query, content=call.content, headers=headers
            )
        except httpx.HTTPError as error:
            raise self._dialect.silent(call, error) from error

    def _read(self, call: Call[Answer], content: bytes) -> Answer:
        adapter = call.operation.answer
        if adapter is NOTHING:
            return adapter.validate_python(None)
        # Raised after the block: an error within one keeps pydantic's, which quotes the answer, and with it secrets.
        try:
            return adapter.validate_json(content)
        except ValidationError as error:
            problems = error.error_count()
        raise self._dialect.malformed(call, problems)
