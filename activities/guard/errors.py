"""Turns what a connector raised into what Temporal is told. The guard applies it to every step; no step repeats it.

Two things decide what reaches a workflow's history. Messages of our own tree are written to be read, and pass; where
they quote a provider, its words are redacted. Messages of foreign exceptions are not (an HTTP library may put the URL
with its token there), and Temporal's failure converter writes the whole chain of causes into history: of a foreign
cause only its type and stack pass. Bugs pass as they are, but for secrets and their length.

The failure converter (`workflows.failures`) redacts once more whatever comes to it from elsewhere.
"""

import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, NoReturn

from pydantic import ValidationError
from temporalio.exceptions import ApplicationError, FailureError

from activities.guard.error_types import MAX_RETRY_AFTER, ErrorType, application_error, bounded
from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from sandbox.errors import SandboxError, SpecRefused

_SPREAD: Final = 0.2
_LONGEST_SPREAD: Final = 60.0

_SANDBOX_TYPES: Final[Mapping[type[SandboxError], ErrorType]] = {
    SpecRefused: ErrorType.INVALID_REQUEST,
    SandboxError: ErrorType.SANDBOX_UNAVAILABLE,
}
_TYPES: Final[Mapping[type[ConnectorError], ErrorType]] = {
    Unavailable: ErrorType.UNAVAILABLE,
    RateLimited: ErrorType.RATE_LIMITED,
    AuthDenied: ErrorType.AUTH_DENIED,
    NotFound: ErrorType.NOT_FOUND,
    InvalidRequest: ErrorType.INVALID_REQUEST,
    Conflict: ErrorType.CONFLICT,
    OutcomeUnknown: ErrorType.OUTCOME_UNKNOWN,
    QuotaExhausted: ErrorType.QUOTA_EXHAUSTED,
}


def error_type_of(exc: ConnectorError) -> ErrorType | None:
    """The row for this error or its nearest ancestor; None for the root of the tree, which is nobody's to raise."""
    return next((_TYPES[cls] for cls in type(exc).__mro__ if cls in _TYPES), None)


def raise_mapped(exc: Exception) -> NoReturn:
    """Raise what Temporal is told about `exc`, chained to it.

    Raises:
        ApplicationError: For an error of the connectors' or the sandbox's tree, by the table.
        Exception: `exc` itself for all else, with a message of bounded length.
    """
    if isinstance(exc, ConnectorError) and (error := error_type_of(exc)) is not None:
        retry_after = _apart(exc.retry_after) if exc.retry_after else None
        raise application_error(error, str(exc), retry_after=retry_after) from _outline(exc)
    if isinstance(exc, SandboxError):
        error = next(_SANDBOX_TYPES[cls] for cls in type(exc).__mro__ if cls in _SANDBOX_TYPES)
        raise application_error(error, str(exc)) from _outline(exc)
    _raise_bounded(exc)


def _apart(wait: timedelta) -> timedelta:
    """As the provider asks and a little longer, so that all whom it refused do not come back at one moment."""
    longest = min(max(_SPREAD * wait.total_seconds(), 1.0), _LONGEST_SPREAD)
    return min(wait, MAX_RETRY_AFTER) + timedelta(
        seconds=random.uniform(0.0, longest)  # noqa: S311 - no secret: it sets steps apart
    )


@contextmanager
def mapped_errors() -> Generator[None]:
    """Run a block under `raise_mapped`. Cancellation passes untouched."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - every exception of a step passes here on its way to Temporal
        raise_mapped(exc)


def _raise_bounded(exc: Exception) -> NoReturn:
    if isinstance(exc, FailureError) or _text(exc) == str(exc):
        raise exc from _rest(exc)
    raise _named(exc, _text(exc)) from _rest(exc)


def _text(exc: BaseException) -> str:
    """A message that may be kept; pydantic's is made anew because it quotes the values it refused."""
    if isinstance(exc, ValidationError):
        found = exc.errors(include_input=False, include_context=False, include_url=False)
        return bounded("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found))
    return bounded(str(exc))


def _rest(exc: BaseException) -> BaseException | None:
    """What `exc` was raised from, outlined."""
    below = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return _outline(below) if below is not None else None


def _outline(exc: BaseException) -> BaseException:
    """The same error as history may show it: type, stack, and the message only where it is one of ours."""
    if isinstance(exc, FailureError):
        return exc
    kept = _text(exc) if isinstance(exc, ConnectorError) else "its message is not kept, for it may quote a secret"
    outlined = _named(exc, kept)
    outlined.__cause__ = _rest(exc)
    return outlined


def _named(exc: BaseException, message: str) -> ApplicationError:
    """An error that Temporal shows under `exc`'s own type name, with its stack."""
    error = ApplicationError(message, type=type(exc).__name__)
    return error.with_traceback(exc.__traceback__)
