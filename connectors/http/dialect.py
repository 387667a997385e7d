"""What a provider's answers mean: by its own codes where it has them, by the status otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple, cast

import httpx
from pydantic import JsonValue, TypeAdapter

from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    Locked,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.http.operation import Answer, Call
from connectors.limits import Rate
from connectors.provider import Provider, Secret
from connectors.waits import retry_after
from observability.redaction import redact

_LONGEST_MESSAGE: Final = 300
_SERVER_ERROR: Final = 500
_TIMED_OUT: Final = 408
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_JSON: Final[TypeAdapter[JsonValue]] = TypeAdapter(JsonValue)
_BY_STATUS: Final[Mapping[int, type[ConnectorError]]] = {
    401: AuthDenied,
    402: QuotaExhausted,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    423: Locked,
    429: RateLimited,
    503: Unavailable,
}
_SENTENCES: Final[Mapping[type[ConnectorError], str]] = {
    Forbidden: "{title} does not allow {what}{words}: give the credential in {place} more rights",
    AuthDenied: "{title} refuses the credential: put {holds} into {place}",
    NotFound: "{title} has not got {what}, or does not show it to this credential",
    RateLimited: "{title} asks to slow down at {what}; it waits",
    Locked: "{title} is busy with {what}{words}; it is tried again",
    Unavailable: "{title} answers {status} to {what}{words}; it is tried again",
    OutcomeUnknown: "{title} answers {status} to {what}, which may have happened: look whether it is there",
    ConnectorError: "{title} refuses {what} with {status}{words}",
}


class Problem(NamedTuple):
    """What the body of a refusal says: the provider's short code, and its words for people."""

    code: str = ""
    message: str = ""


def flat(body: JsonValue) -> Problem:
    """The most common form: `{"code": …, "message": …}`."""
    if not isinstance(body, dict):
        return Problem()
    return Problem(*(str(body.get(name) or "") for name in ("code", "message")))


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one provider speaks.

    Attributes:
        provider: Its manifest.
        secret: What it is called with, for the sentence that says what to replace.
        problem: Reads the body of a refusal.
        meanings: Errors by the provider's code, as a pattern (`provider/*`), or by a status; the first that fits goes
            before what the status alone would say. Whoever names an error here vouches for it: of a change it says
            that nothing happened.
        rate: How many requests the account may make, where that is known beforehand.
        timeout: Seconds for each part of a call.
    """

    provider: Provider
    secret: Secret
    problem: Callable[[JsonValue], Problem] = flat
    meanings: Mapping[str | int, type[ConnectorError]] = field(default_factory=dict[str | int, type[ConnectorError]])
    rate: Rate | None = None
    timeout: float = 10.0

    def refused(self, call: Call[Answer], answer: httpx.Response) -> ConnectorError:
        """What an answer means that does not say yes."""
        problem = self._problem(answer)
        kind = self._kind(call, answer.status_code, problem.code, waits="retry-after" in answer.headers)
        text = self._text(kind, call, answer.status_code, redact.head(problem.message, _LONGEST_MESSAGE))
        return kind(text, code=redact.head(problem.code, _LONGEST_MESSAGE), retry_after=retry_after(answer.headers))

    def silent(self, call: Call[Answer], error: httpx.HTTPError) -> ConnectorError:
        """What it means that no answer came."""
        why = type(error).__name__
        if call.operation.repeatable or isinstance(error, _NOT_SENT):
            return Unavailable(f"{self.provider.title} does not answer to {call.what} ({why}); it is tried again")
        return OutcomeUnknown(
            f"{self.provider.title} was asked for {call.what} and its answer was lost ({why}): look whether it is there"
        )

    def malformed(self, call: Call[Answer], problems: int) -> ConnectorError:
        """What it means that an answer says yes, and not what its description says."""
        if call.operation.repeatable:
            return MalformedAnswer(
                f"{self.provider.title}'s answer to {call.what} is not as described ({problems} problems); "
                "it is tried again"
            )
        return OutcomeUnknown(
            f"{self.provider.title} took {call.what} and answered what cannot be read ({problems} problems): look "
            "whether it is there"
        )

    def _problem(self, answer: httpx.Response) -> Problem:
        try:
            return self.problem(_JSON.validate_json(answer.content))
        except ValueError:
            return Problem()  # a proxy's words, not the provider's; the status says enough

    def _kind(self, call: Call[Answer], status: int, code: str, *, waits: bool) -> type[ConnectorError]:
        for pattern, kind in self.meanings.items():
            if status == pattern or (code and isinstance(pattern, str) and fnmatchcase(code, pattern)):
                return kind
        if status in _BY_STATUS:
            return _BY_STATUS[status]
        if status >= _SERVER_ERROR or status == _TIMED_OUT:
            return Unavailable if call.operation.repeatable else OutcomeUnknown
        if httpx.codes.is_redirect(status) and waits:
            return Unavailable
        return InvalidRequest

    def _text(self, kind: type[ConnectorError], call: Call[Answer], status: int, said: str) -> str:
        if issubclass(kind, NotFound) and call.missing:
            return call.missing
        sentence = next(_SENTENCES[cls] for cls in kind.__mro__ if cls in _SENTENCES)
        return sentence.format(
            title=self.provider.title,
            what=call.what,
            status=status,
            words=f": {said}" if said else "",
            holds=self.secret.holds,
            place=f"Vault at banksman/{self.secret.path}",
        )


def member(body: JsonValue, name: str) -> JsonValue:
    """A member of an object; None where it is none, for readers of nested refusals."""
    return cast("dict[str, JsonValue]", body).get(name) if isinstance(body, dict) else None
