"""How a backend of language models can fail, as the one tree has it (`connectors/errors.py`).

What was never sent, or refused, is `Unavailable`, `RateLimited` and so on, and safe to try again. What was sent and
not answered may have been billed: `OutcomeUnknown`, so that nothing repeats it in silence. Words of a backend are not
quoted, for it may quote the prompt; its short code is.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import httpx2
from pydantic import ValidationError
from pydantic_ai import exceptions as theirs

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.models.deployment import ModelRef
from connectors.waits import LONGEST_WAIT

_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_NOT_SENT: Final = frozenset({"pool", "connect"})
_FORBIDDEN: Final = 403
_GATEWAY_TIMEOUT: Final = 504
_FILTERS: Final = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
_TOO_LONG: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG_WORDS: Final = re.compile(r"exceeds? the (?:available )?context (?:length|size|window)", re.IGNORECASE)
"""Ollama has no code for it: https://github.com/ollama/ollama, `the input length exceeds the context length`."""
_TOO_LONG_TEXT: Final = "the request does not fit into the context of {what}{said}: shorten it"


class ContextTooLong(InvalidRequest):
    """The request does not fit into the model's context."""


class Filtered(InvalidRequest):
    """The backend's filter refused the request."""


@contextmanager
def mapped(ref: ModelRef) -> Generator[None]:
    """Run one request to this model; whatever the library raises is raised as our tree has it.

    Raises:
        ConnectorError: By the tree.
    """
    try:
        yield
    except theirs.ModelAPIError as error:
        raise _of_api(ref, error) from error
    except theirs.ContentFilterError as error:
        raise Filtered(f"the filter of {str(ref)!r} refused the request: change it") from error
    except (theirs.UnexpectedModelBehavior, ValidationError, ValueError) as error:
        raise OutcomeUnknown(
            f"{str(ref)!r} answered what cannot be read ({type(error).__name__}); it may have been billed",
            code="malformed",
        ) from error
    except theirs.UserError as error:
        raise InvalidRequest(
            f"{str(ref)!r} cannot be asked so: its model lacks what the request wants; choose another model"
        ) from error
    except (httpx2.HTTPError, httpx2.StreamError, OSError, TimeoutError) as error:
        raise _lost(ref, type(error).__name__) from error


_ROWS: Final[tuple[tuple[type[theirs.ModelAPIError], type[ConnectorError], str], ...]] = (
    (theirs.ModelQuotaExceededError, QuotaExhausted, "the account of {what} has no credit left{said}: add some"),
    (theirs.ModelRateLimitError, RateLimited, "{what} asks to slow down{said}; it waits"),
    (theirs.ModelUnavailableError, Unavailable, "{what} is overloaded or down{said}; it is tried again"),
    (theirs.ModelServerError, Unavailable, "{what} failed{said}; it is tried again"),
    (theirs.ModelConnectionError, Unavailable, "{what} cannot be reached; it is tried again"),
    (theirs.ModelContextWindowExceededError, ContextTooLong, _TOO_LONG_TEXT),
    (theirs.ModelAuthenticationError, AuthDenied, "{what} refuses the key: put a good one into Vault at {place}"),
    (theirs.ModelNotFoundError, NotFound, "there is no model {what}, or not for the key in Vault at {place}{said}"),
    (theirs.ModelRequestRejectedError, InvalidRequest, "{what} refuses the request{said}: it is none for this model"),
)
"""By the library's error, the first that fits."""


def _of_api(ref: ModelRef, error: theirs.ModelAPIError) -> ConnectorError:
    code, status = _code(error), error.status_code if isinstance(error, theirs.ModelHTTPError) else None
    row = next(((ours, text) for kind, ours, text in _ROWS if isinstance(error, kind)), None)
    if row is None or _maybe_billed(error, status):
        return _lost(ref, type(error).__name__)
    kind, text = _closer(*row, code=code, status=status)
    if kind is InvalidRequest and _TOO_LONG_WORDS.search(str(error)):
        kind, text = ContextTooLong, _TOO_LONG_TEXT
    said = f" ({' '.join(str(one) for one in (status, code) if one)})" if status or code else ""
    wait = min(timedelta(seconds=error.retry_after), LONGEST_WAIT) if error.retry_after else None
    told = text.format(what=repr(str(ref)), place=f"banksman/models/{ref.backend}", said=said)
    return kind(told, code=code, retry_after=wait)


def _maybe_billed(error: theirs.ModelAPIError, status: int | None) -> bool:
    """Whether the request reached the model, and nobody can say what became of it."""
    if isinstance(error, theirs.ModelConnectionError):
        return error.phase not in _NOT_SENT
    return isinstance(error, theirs.ModelServerError) and (error.in_stream or status == _GATEWAY_TIMEOUT)


def _closer(
    kind: type[ConnectorError], text: str, *, code: str, status: int | None
) -> tuple[type[ConnectorError], str]:
    """What a backend's own code says beyond the library."""
    if issubclass(kind, AuthDenied) and status == _FORBIDDEN:
        return Forbidden, "the key in Vault at {place} may not use {what}{said}: give it more rights"
    if kind is InvalidRequest and code in _FILTERS:
        return Filtered, "the filter of {what} refused the request{said}: change it"
    if kind is InvalidRequest and code in _TOO_LONG:
        return ContextTooLong, _TOO_LONG_TEXT
    return kind, text


def _lost(ref: ModelRef, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{str(ref)!r} was asked and its answer was lost ({why}); it may have been billed")


def _code(error: theirs.ModelAPIError) -> str:
    """The backend's short word, where it is short."""
    for one in (error.provider_error_code, error.provider_error_type):
        if one and _CODE.fullmatch(one):
            return one
    return ""
