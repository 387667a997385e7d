"""One bounded question to a store over HTTP: so many seconds, so many bytes, no credential."""

from collections.abc import Mapping
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.authorities import authorities
from connectors.errors import InvalidRequest, MalformedAnswer, Unavailable
from observability.redaction import redact

_OK: Final = 200
_REFUSED: Final = frozenset({400, 422})
_LONGEST: Final = 300
_TYPE: Final = "application/json"


class _Refusal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    error: str = ""


async def ask_store(store: str, url: str, query: Mapping[str, str], *, seconds: float, most: int) -> bytes:
    """The body of its answer.

    Args:
        store: What it is called, for people.
        url: Whole.
        query: Of the question.
        seconds: For all of it.
        most: Bytes of an answer.

    Raises:
        InvalidRequest: It does not understand the question, or the answer is too long.
        Unavailable: It does not answer.
        MalformedAnswer: It answers something else than JSON.
    """
    try:
        async with (
            httpx.AsyncClient(verify=authorities(), trust_env=False, timeout=seconds) as client,
            client.stream("GET", url, params=dict(query), headers={"Accept": _TYPE}) as answer,
        ):
            body = bytearray()
            async for part in answer.aiter_bytes(16 * 1024):
                body += part
                if len(body) > most:
                    raise InvalidRequest(f"{store} answers more than {most} bytes: ask for less at once")
    except httpx.HTTPError as error:
        raise Unavailable(f"{store} cannot be asked ({type(error).__name__}); it is tried again") from error
    if answer.status_code in _REFUSED:
        raise InvalidRequest(f"{store} refuses the question: {_why(bytes(body))}")
    if answer.status_code != _OK:
        raise Unavailable(f"{store} answers {answer.status_code}; it is tried again")
    if not answer.headers.get("content-type", "").startswith(_TYPE):
        raise MalformedAnswer(f"{store} answers no JSON; is its address right?")
    return bytes(body)


def _why(body: bytes) -> str:
    """Prometheus says it in JSON, and Loki as plain text."""
    try:
        said = _Refusal.model_validate_json(body).error
    except ValidationError:
        said = body.decode("utf-8", "replace")
    return redact.head(" ".join(said.split()), _LONGEST) or "it does not say why"
