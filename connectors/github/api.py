"""How this package talks to GitHub: PyGithub's requester in threads, with types, on one connection.

PyGithub is blocking; each call runs in a thread with the caller's context, so that its HTTP span belongs to the step.
Its retries and its throttle are off: Temporal retries the step. Its objects are not used: they ask for more by
themselves when an answer lacks a field, and a lazy second request would hide that the first answer was garbage.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from github import GithubException
from github.Auth import Auth
from github.Requester import (
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    Requester,
    RequestsResponse,
)
from pydantic import TypeAdapter
from typing_extensions import override

from connectors.errors import ConnectorError, RateLimited, Unavailable
from connectors.github.mapping import mapped
from connectors.github.pace import Pace
from connectors.limits import Allowance
from connectors.metrics import REQUESTS, SECONDS
from observability.exemplars import exemplar

API_VERSION: Final = "2022-11-28"
JSON: Final = "application/vnd.github+json"
_NOT_A_RESULT: Final = 300
_NOT_YET: Final = 202
_ELSEWHERE: Final = 301
_ERROR_BODY: Final = TypeAdapter(dict[str, object])

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request, and the words for what may go wrong with it.

    Attributes:
        what: What is asked for, as an error names it.
        path: From the API's root; what comes from outside is already quoted.
        missing: What a 404 says.
        denied: What a 403 says.
        unauthorized: What a 401 says; as `denied` when empty.
        accept: The media type wanted.
        at_any_rate: Asked also of an account that GitHub has closed for a while.
        content: Makes or changes what people read, of which GitHub takes only so much in a while.
    """

    what: str
    path: str
    missing: str
    denied: str
    unauthorized: str = ""
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, object] | None = None
    accept: str = JSON
    at_any_rate: bool = False
    content: bool = False


class _Plain(HTTPRequestsConnectionClass):
    moved = ""

    @override
    def getresponse(self) -> RequestsResponse:
        response = _ready(self.verb, super().getresponse())
        self.moved = _moved(response, self.moved)
        return response


class _Secure(HTTPSRequestsConnectionClass):
    moved = ""

    @override
    def getresponse(self) -> RequestsResponse:
        response = _ready(self.verb, super().getresponse())
        self.moved = _moved(response, self.moved)
        return response


def _ready(verb: str, response: RequestsResponse) -> RequestsResponse:
    """Without this PyGithub would sleep and ask again for as long as GitHub answers that it is not ready."""
    if response.status == _NOT_YET and verb == "GET":
        raise Unavailable("GitHub has not got its answer ready yet; it is tried again")
    return response


def _moved(response: RequestsResponse, before: str) -> str:
    """Where the thing is now; PyGithub goes there by itself, as often as it is sent, and does not say so."""
    if response.status != _ELSEWHERE:
        return before
    if before:
        raise Unavailable("GitHub sends us from one address to another, and on; it is tried again")
    headers = {name.lower(): str(value) for name, value in response.getheaders()}
    return urlsplit(headers.get("location", "")).path


class Answered(NamedTuple):
    """What GitHub says around an answer.

    Attributes:
        link: The header `Link`, with other pages; empty where it says nothing.
        moved: The path that the question was redirected to; empty where it was not.
    """

    link: str
    moved: str


class _Requester(Protocol):
    """The part of PyGithub's requester used here, typed."""

    def requestJson(  # noqa: N802, PLR0913 - PyGithub's name and parameters
        self,
        verb: str,
        url: str,
        *,
        parameters: Mapping[str, str],
        headers: dict[str, str],
        input: Mapping[str, object] | None,  # noqa: A002 - PyGithub's name
        cnx: _Plain | _Secure,
    ) -> tuple[int, dict[str, str], str]: ...


class _Bearer(Auth):
    """Who asks: first the App by its JWT, then the installation by its token, on the same connection."""

    def __init__(self) -> None:
        self.bearer = ""

    @property
    @override
    def token_type(self) -> str:
        return "Bearer"

    @property
    @override
    def token(self) -> str:
        return self.bearer

    @override
    def authentication(self, headers: dict[str, object]) -> None:
        if self.bearer:  # without one nobody is said to ask: GitHub refuses an empty name
            super().authentication(headers)


class Api:
    """One connection to GitHub's API.

    Args:
        base_url: The API's root.
        timeout: Seconds to connect, and to wait for each part of an answer.
        allowance: Of the account that is asked for, shared by all that ask for it.
        pace: How much is written for it, likewise.
    """

    def __init__(self, *, base_url: str, timeout: int, allowance: Allowance, pace: Pace | None = None) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._allowance = allowance
        self._pace = pace or Pace()
        self._identity = _Bearer()
        self._requester = self._asking()
        self._connection = self._connect()
        self._turn = asyncio.Lock()

    def authenticate(self, bearer: str) -> None:
        """From now on ask with this JWT or token."""
        self._identity.bearer = bearer

    async def ask(self, question: Question, parse: Callable[[str], T]) -> T:
        """Ask, and read the answer.

        Raises:
            ConnectorError: By the tree; a body that `parse` cannot read is `Unavailable`.
        """
        answer, _ = await self.ask_around(question, parse)
        return answer

    async def ask_around(self, question: Question, parse: Callable[[str], T]) -> tuple[T, Answered]:
        """The same, with what GitHub says around the answer.

        Raises:
            ConnectorError: Likewise.
        """
        outcome, start = "cancelled", time.monotonic()
        try:
            if not question.at_any_rate:
                self._allowance.require(question.what)
            if question.content:
                self._pace.require(question.what)
            try:
                with mapped(question.what, question):
                    text, around = await self._send(question)
                    answer = parse(text)
            except RateLimited as limited:
                self._allowance.close(limited.retry_after)
                raise
            outcome = "ok"
        except ConnectorError as error:
            outcome = type(error).__name__
            raise
        finally:
            REQUESTS.labels(provider="github", outcome=outcome).inc(exemplar=exemplar())
            SECONDS.labels(provider="github").observe(time.monotonic() - start, exemplar())
        return answer, around

    @property
    def bearer(self) -> str:
        """What it asks with now; git takes a token as its password."""
        return self._identity.bearer

    @property
    def timeout(self) -> int:
        """Seconds to connect, and to wait for each part of an answer."""
        return self._timeout

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def _send(self, question: Question) -> tuple[str, Answered]:
        # PyGithub keeps the request in the connection between two calls: one at a time.
        async with self._turn:
            sending = asyncio.create_task(asyncio.to_thread(_exchange, self._requester, self._connection, question))
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                if not sending.done():
                    self._abandon(sending)
                raise

    def _abandon(self, sending: "asyncio.Task[tuple[str, Answered]]") -> None:
        """Leave the connection to the thread that still waits on it, and go on with another."""
        abandoned, self._connection = self._connection, self._connect()

        def ended(task: "asyncio.Task[tuple[str, Answered]]") -> None:
            if not task.cancelled():
                task.exception()
            abandoned.close()

        sending.add_done_callback(ended)

    def _connect(self) -> _Plain | _Secure:
        place = urlsplit(self._base_url)
        kind = _Secure if place.scheme == "https" else _Plain
        return kind(place.hostname or "", place.port, timeout=self._timeout, retry=None, pool_size=None, verify=True)

    def _asking(self) -> _Requester:
        # PyGithub's debug log has whole answers in it, and some answers are tokens.
        logging.getLogger("github.Requester").setLevel(logging.WARNING)
        requester = Requester(
            auth=self._identity,
            base_url=self._base_url,
            timeout=self._timeout,
            user_agent="banksman",
            per_page=100,
            verify=True,
            retry=None,
            pool_size=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=API_VERSION,
        )
        return cast("_Requester", requester)


def _exchange(requester: _Requester, connection: _Plain | _Secure, question: Question) -> tuple[str, Answered]:
    """One request, its answer, and what is said around it; blocking."""
    connection.moved = ""
    status, headers, text = requester.requestJson(
        question.method,
        question.path,
        parameters=dict(question.query),
        headers={"Accept": question.accept},
        input=question.body,
        cnx=connection,
    )
    if status >= _NOT_A_RESULT:
        raise GithubException(status, _error_body(text), headers)
    return text, Answered(headers.get("link", ""), connection.moved)


def _error_body(text: str) -> dict[str, object]:
    try:
        return _ERROR_BODY.validate_json(text)
    except ValueError:
        return {}  # not GitHub's words; the status says enough
