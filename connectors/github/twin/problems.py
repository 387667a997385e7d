"""Refusals in GitHub's form."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

NOT_FOUND: Final = "Not Found"
FORBIDDEN: Final = "Resource not accessible by integration"
_DOCS: Final = "https://docs.github.com/rest"


class Problem(HTTPException):
    """An error, in GitHub's form."""

    def __init__(self, status: int, message: str, *, code: str | None = None) -> None:
        super().__init__(status, message)
        self.code = code


async def answer_problem(request: Request, error: Exception) -> Response:
    """Any error of the twin's as GitHub would tell it."""
    del request
    if not isinstance(error, HTTPException):
        return refusal(500, "Server Error")
    code = error.code if isinstance(error, Problem) else None
    return refusal(error.status_code, error.detail, code=code, headers=error.headers)


def refusal(
    status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error as an answer; `code` names what is wrong with a blob."""
    body: dict[str, object] = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    if code is not None:
        body["errors"] = [{"resource": "Blob", "field": "data", "code": code}]
    return JSONResponse(body, status_code=status, headers=headers)
