"""What GitHub's refusals mean, in one place.

Order for 403 and 429, from GitHub's documentation of its rate limits: `retry-after` first; then, with
`x-ratelimit-remaining: 0`, the time in `x-ratelimit-reset`; else, for a secondary limit, at least a minute.
"""

import contextlib
import re
import time
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Final, Protocol, cast

import requests  # noqa: TID251 - what PyGithub is built on; its exceptions are PyGithub's own interface
from github import GithubException

from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
)
from connectors.waits import LONGEST_WAIT, retry_after
from observability.redaction import redact

_SECONDARY_WAIT: Final = timedelta(seconds=60)
# Not `isdigit`, which takes `²` for one; and few enough for a number of seconds.
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_SERVER_ERROR: Final = 500
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_LONGEST_MESSAGE: Final = 300


class Words(Protocol):
    """What the errors that depend on the request say."""

    @property
    def missing(self) -> str:
        """To a 404."""
        ...

    @property
    def denied(self) -> str:
        """To a 403."""
        ...

    @property
    def unauthorized(self) -> str:
        """To a 401; `denied` when empty."""
        ...


@contextlib.contextmanager
def mapped(what: str, words: Words) -> Generator[None]:
    """Turn what PyGithub, requests and the reading of an answer raise into the connectors' tree.

    Args:
        what: What is asked for, as the message names it.
        words: The sentences for 401, 403 and 404.

    Raises:
        ConnectorError: By the tree.
    """
    try:
        yield
    except ConnectorError:
        raise
    except GithubException as error:
        raise _by_status(error, what, words) from error
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        raise Unavailable(f"GitHub cannot be reached for {what}: {type(error).__name__}; it is tried again") from error
    except (ValueError, KeyError, TypeError, AssertionError, AttributeError) as error:
        raise Unavailable(
            f"GitHub's answer to {what} makes no sense ({type(error).__name__}); it is tried again"
        ) from error
    except RuntimeError as error:
        # PyGithub's word for a redirection to another host or scheme.
        raise InvalidRequest(
            f"GitHub's address redirects {what} elsewhere: correct the API's address in the settings"
        ) from error


def _by_status(error: GithubException, what: str, words: Words) -> ConnectorError:
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    if error.status in {_FORBIDDEN, _TOO_MANY}:
        return _forbidden(error, what, words=words, headers=headers)
    match error.status:
        case 401:
            return AuthDenied(words.unauthorized or words.denied)
        case 404:
            return NotFound(words.missing)
        case 405 | 409 | 412:  # 405: what is asked for cannot be merged
            return Conflict(f"GitHub refuses {what}: {_message(error)}")
        case status if status >= _SERVER_ERROR:
            return Unavailable(f"GitHub answers {status} to {what}; it is tried again")
        case _:
            return InvalidRequest(f"GitHub does not accept {what}: {_message(error)}")


def _forbidden(error: GithubException, what: str, *, words: Words, headers: Mapping[str, str]) -> ConnectorError:
    if error.status == _TOO_MANY or _is_limit(error, headers):
        return RateLimited(f"GitHub limits our rate at {what}; it waits as GitHub asks", retry_after=_wait(headers))
    if _is_too_large(error):
        return InvalidRequest(f"{what} is larger than the 100 MB that GitHub's API gives: clone the repository")
    if "archived" in _message(error).lower():
        return InvalidRequest(f"GitHub does not accept {what}: the repository is archived, so that it is only read")
    if "suspended" in _message(error).lower():
        return AuthDenied(f"GitHub refuses {what}: the App is suspended there, and its owner can unsuspend it")
    return AuthDenied(words.denied)


def _is_limit(error: GithubException, headers: Mapping[str, str]) -> bool:
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in _message(error).lower()
    )


def _wait(headers: Mapping[str, str]) -> timedelta:
    if (after := retry_after(headers)) is not None:
        return after
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and _SECONDS.fullmatch(reset):
        return min(timedelta(seconds=max(1, int(reset) - int(time.time()))), LONGEST_WAIT)
    return _SECONDARY_WAIT


def _is_too_large(error: GithubException) -> bool:
    problems = _body(error).get("errors")
    if not isinstance(problems, list):
        return False
    return any(
        cast("dict[str, object]", one).get("code") == "too_large"
        for one in cast("list[object]", problems)
        if isinstance(one, dict)
    )


def _message(error: GithubException) -> str:
    return redact.head(str(_body(error).get("message") or f"status {error.status}"), _LONGEST_MESSAGE)


def _body(error: GithubException) -> Mapping[str, object]:
    data: object = error.data
    return cast("dict[str, object]", data) if isinstance(data, dict) else {}
