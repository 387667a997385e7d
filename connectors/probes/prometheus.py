"""One question to the deployment's own Prometheus, at this moment."""

import math
from typing import Final, Literal

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from connectors.authorities import authorities
from connectors.errors import InvalidRequest, MalformedAnswer, Unavailable
from observability.redaction import redact

_MOST_BYTES: Final = 256 * 1024
_OK: Final = 200
_REFUSED: Final = frozenset({400, 422})
_LONGEST: Final = 200


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Series(_Answer):
    value: tuple[float, str]


class _Vector(_Answer):
    resultType: Literal["vector"]  # noqa: N815 - Prometheus's name
    result: tuple[_Series, ...]


class _Scalar(_Answer):
    resultType: Literal["scalar"]  # noqa: N815 - Prometheus's name
    result: tuple[float, str]


class _Other(_Answer):
    resultType: Literal["matrix", "string"]  # noqa: N815 - Prometheus's name


class _Success(_Answer):
    status: Literal["success"]
    data: _Vector | _Scalar | _Other


class _Refusal(_Answer):
    error: str = ""


_SUCCESS: Final = TypeAdapter(_Success)


class Prometheus:
    """Where numbers are asked for.

    Args:
        base_url: Its address.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")

    async def query(self, expression: str, *, seconds: float) -> tuple[float | None, str]:
        """The one finite number that an expression gives now; or None, and why there is none.

        Raises:
            InvalidRequest: Prometheus does not understand it.
            Unavailable: It does not answer.
            MalformedAnswer: Its answer makes no sense.
        """
        status, body = await self._ask(expression, seconds)
        if status in _REFUSED:
            raise InvalidRequest(f"Prometheus refuses the expression: {_why(body)}")
        if status != _OK:
            raise Unavailable(f"Prometheus answers {status}; it is tried again")
        try:
            found = _SUCCESS.validate_json(body).data
        except ValidationError as error:
            raise MalformedAnswer("Prometheus's answer makes no sense; it is tried again") from error
        return _number(found)

    async def _ask(self, expression: str, seconds: float) -> tuple[int, bytes]:
        asked = {"query": expression, "timeout": f"{seconds:g}s"}
        try:
            async with (
                httpx.AsyncClient(verify=authorities(), trust_env=False, timeout=seconds) as client,
                client.stream("GET", f"{self._base_url}/api/v1/query", params=asked) as answer,
            ):
                body = bytearray()
                async for part in answer.aiter_bytes(16 * 1024):
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise InvalidRequest("the expression gives too many numbers: write one that gives one")
                return answer.status_code, bytes(body)
        except httpx.HTTPError as error:
            raise Unavailable(f"Prometheus cannot be asked ({type(error).__name__}); it is tried again") from error


def _number(found: _Vector | _Scalar | _Other) -> tuple[float | None, str]:
    if isinstance(found, _Other):
        return None, f"the expression gives a {found.resultType} and not one number"
    if isinstance(found, _Vector) and len(found.result) != 1:
        return None, f"the expression gives {len(found.result) or 'no'} numbers and not one"
    text = found.result[0].value[1] if isinstance(found, _Vector) else found.result[1]
    try:
        value = float(text)
    except ValueError:
        return None, "what the expression gives is no number"
    return (value, "") if math.isfinite(value) else (None, f"the expression gives {value}")


def _why(body: bytes) -> str:
    try:
        said = _Refusal.model_validate_json(body).error
    except ValidationError:
        said = ""
    return redact.head(said, _LONGEST) or "it does not say why"
