"""Looks whether a machine serves what it says: not by its word, but by an answer of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from connectors.authorities import authorities

PROBE: Final = "x-banksman-probe"
"""The header of a request that only looks: it counts for nobody's use."""
_ANSWERS_WITHIN: Final = 20.0
_MOST_BYTES: Final = 256 * 1024


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _State(_Told):
    lines: int
    asked: int
    quiet_seconds: float | None = None


class _Message(_Told):
    role: str = "assistant"


class _Choice(_Told):
    message: _Message


class _Answer(_Told):
    choices: tuple[_Choice, ...]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What there was to see.

    Attributes:
        answers: Whether the model answered.
        why: What was wrong; empty where it did.
        asked: Requests so far, but for looks.
        quiet_seconds: How long nobody has asked; None where nobody ever has.
    """

    answers: bool
    why: str = ""
    asked: int = 0
    quiet_seconds: float | None = None


class _Wrong(Exception):
    """It is not as it should be; the message says what."""


async def look(url: str, model: str, key: SecretStr) -> Look:
    """Ask the relay for the machine's lines, and the model for one word. Never raises: what cannot be asked is wrong.

    Args:
        url: The backend's, as the models' file has it.
        model: Its name there.
        key: What the relay knows the models worker by.
    """
    header = {"authorization": f"Bearer {key.get_secret_value()}", PROBE: "1"}
    state = _State(lines=0, asked=0)
    timeout = httpx.Timeout(_ANSWERS_WITHIN)
    async with httpx.AsyncClient(timeout=timeout, verify=authorities(), headers=header, trust_env=False) as http:
        try:
            state = _State.model_validate_json(await _told(http, "GET", f"{url.removesuffix('/v1')}/-/state"))
            await _require_answer(http, state, url, model)
        except _Wrong as wrong:
            return Look(answers=False, why=str(wrong), asked=state.asked, quiet_seconds=state.quiet_seconds)
        except ValidationError:
            return Look(answers=False, why="what it answers is no answer of a model", asked=state.asked)
        except httpx.HTTPError as error:
            return Look(answers=False, why=f"it does not answer ({type(error).__name__})", asked=state.asked)
    return Look(answers=True, asked=state.asked, quiet_seconds=state.quiet_seconds)


async def _require_answer(http: httpx.AsyncClient, state: _State, url: str, model: str) -> None:
    """Raises `_Wrong`, or what reading the answer raises."""
    if not state.lines:
        raise _Wrong("its machine has not dialled in")
    word = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "Say yes."}]}
    answer = _Answer.model_validate_json(await _told(http, "POST", f"{url}/chat/completions", word))
    if not answer.choices:
        raise _Wrong("the model answers nothing")


async def _told(http: httpx.AsyncClient, method: str, url: str, body: Mapping[str, object] | None = None) -> bytes:
    """Raises `_Wrong` for anything but a good answer, of bounded length."""
    async with http.stream(method, url, json=body) as answer:
        found = b""
        async for chunk in answer.aiter_bytes():
            found += chunk
            if len(found) > _MOST_BYTES:
                raise _Wrong("its answer to one word is longer than 256 kB")
        if answer.is_success:
            return found
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise _Wrong("the relay refuses the key in Vault: the name was claimed with another one")
        raise _Wrong(f"it answers {answer.status_code}")
