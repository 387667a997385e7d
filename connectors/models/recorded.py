"""Answers that were had before, for evaluations and rehearsals: the same request gets the same answer, for nothing.

Never for work: what a model said of yesterday's files is no answer about today's. Which processes may, their settings
say. A request is known by everything in it (backend, model, parameters, each word), as a digest.
"""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef, Models
from connectors.models.messages import Answer, Ended, Prompt
from connectors.models.opening import Fields
from connectors.models.progress import Tell

_WORTH: Final = frozenset({Ended.STOP, Ended.TOOL_CALL, Ended.LENGTH})
"""Ends of answers that are kept: the others say something of the backend, and not of the request."""


class RecordingClient(ModelClient):
    """Asks each thing once, and knows the answer from then on.

    Args:
        models: The deployment's file.
        folder: Where answers lie, one in a file; made where it is not there. Nobody else may read it.
        only: Ask nobody: what is not there is refused.
    """

    def __init__(self, models: Models, folder: Path, *, only: bool = False) -> None:
        super().__init__(models)
        self._folder, self._only = folder, only

    async def ask(
        self,
        ref: ModelRef,
        prompt: Prompt,
        fields: Fields,
        *,
        goes_on: bool = False,
        tell: Tell | None = None,
    ) -> Answer:
        """See `ModelClient.ask`; an answer that was had before says so.

        Raises:
            NotFound: Nobody may be asked, and there is no such answer.
            InvalidRequest: What lies there is no answer.
            Unavailable: The folder cannot be read or written.
        """
        path = self._folder / f"{digest(ref, prompt)}.json"
        if (found := await asyncio.to_thread(_read, path)) is not None:
            return found.model_copy(update={"recorded": True})
        if self._only:
            raise NotFound(
                f"no answer of {str(ref)!r} to this request is recorded in {str(self._folder)!r}, and nobody may be "
                "asked: record it first, without BANKSMAN_MODEL_ANSWERS_ONLY"
            )
        answer = await super().ask(ref, prompt, fields, goes_on=goes_on, tell=tell)
        if answer.ended in _WORTH:
            await asyncio.to_thread(_write, path, answer)
        return answer


def digest(ref: ModelRef, prompt: Prompt) -> str:
    """By which a request is known: SHA-256 of all of it, in hexadecimal."""
    return hashlib.sha256(f"{ref.backend}\0{ref.model}\0{prompt.model_dump_json()}".encode()).hexdigest()


def _read(path: Path) -> Answer | None:
    try:
        return Answer.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"the recorded answer {str(path)!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidRequest(f"{str(path)!r} is no recorded answer of this release: delete it") from error


def _write(path: Path, answer: Answer) -> None:
    """Whole or not at all."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(answer.model_dump_json())
        new.replace(path)
    except OSError as error:
        raise Unavailable(f"the answer {str(path)!r} cannot be recorded: {error.strerror}") from error
