"""A twin's refusals, and the checks of who calls that nearly all twins need."""

import base64
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.requests import Request

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Problem(Exception):
    """A refusal. The twin tells it in its provider's form.

    Args:
        status: Of the answer.
        message: The provider's words.
        code: The provider's short code, where it has one.
        headers: Of the answer.
    """

    def __init__(self, status: int, message: str, *, code: str = "", headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers


def carries(request: Request, header: str, value: str) -> bool:
    """Whether a request has exactly this header, compared in constant time."""
    return secrets.compare_digest(request.headers.get(header, "").encode(), value.encode())


def bearer(token: str) -> str:
    """The header `Authorization` with a token."""
    return f"Bearer {token}"


def basic(user: str, password: str) -> str:
    """The header `Authorization` with a name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
