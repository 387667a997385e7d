"""Asks a language model once. Own retries are off: who asks again, and whom, is for a goal to say, step by step."""

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import (
    UnexpectedModelBehavior,
    UnsupportedSettingWarning,
    UsageExtractionFailedWarning,
)
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings

from connectors.errors import RateLimited
from connectors.limits import Allowance, Rate, Turns
from connectors.models import metrics
from connectors.models.capabilities import capabilities
from connectors.models.deployment import Backend, ModelRef, Models
from connectors.models.failures import ContextTooLong, Filtered, mapped
from connectors.models.messages import Answer, Ended, Prompt, Tokens, words
from connectors.models.opening import Fields, load, opened
from connectors.models.prices import cost
from connectors.models.progress import Listening, Tell
from connectors.models.raw import Kind
from connectors.models.translation import answer, conversation, parameters, settings

_MINUTE: Final = 60.0
_LETTERS: Final = 8
"""For a token, and more than any text of ours has: prose has four or five, code and JSON three."""


class ModelClient:
    """The backends of a deployment, as this process asks them. Lives as long as the process.

    Args:
        models: The deployment's file. Libraries for its kinds are imported here, once.
    """

    def __init__(self, models: Models) -> None:
        load({one.kind for one in models.backends.values()})
        # It leaves out what a model does not take, and warns each time: nobody here could do better.
        warnings.simplefilter("ignore", UnsupportedSettingWarning)
        # Whether an answer was counted stands in the answer.
        warnings.simplefilter("ignore", UsageExtractionFailedWarning)
        self.models = models
        self._turns: Mapping[str, Turns] = {name: Allowance(_rate(one)) for name, one in models.backends.items()}

    async def ask(
        self,
        ref: ModelRef,
        prompt: Prompt,
        fields: Fields,
        *,
        goes_on: bool = False,
        tell: Tell | None = None,
    ) -> Answer:
        """Ask once.

        Args:
            ref: A model of the file.
            prompt: With every text inline.
            fields: The backend's secret in Vault; nothing for one without a key.
            goes_on: Whether a next turn will tell all of this again, so that the backend's cache is worth its price.
            tell: Told how far an answer is that comes piece by piece.

        Returns:
            What was said. A request that does not fit, or that a filter refuses, is an answer that says so; so is one
            of which Ollama has forgotten much.

        Raises:
            ConnectorError: By the tree. `OutcomeUnknown` only where it may have been billed.
            KeyError: The file does not name that backend.
        """
        backend, turns = self.models.backends[ref.backend], self._turns[ref.backend]
        with metrics.waited(backend.name):
            await turns.turn(f"the model {str(ref)!r}")
        try:
            with metrics.counted(ref):
                hears = Listening(tell) if tell is not None and backend.stream else None
                found = await self._ask(backend, ref, prompt, fields, goes_on=goes_on, hears=hears)
        except RateLimited as limited:
            turns.close(limited.retry_after)
            raise
        except ContextTooLong:
            return Answer(ended=Ended.CONTEXT_TOO_LONG, tokens=Tokens())
        except Filtered:
            return Answer(ended=Ended.CONTENT_FILTER, tokens=Tokens())
        if found.tokens is not None:
            metrics.count_answer(ref, found.tokens, cost(self.models, ref, found.tokens))
        if backend.kind is Kind.OLLAMA and _was_cut(prompt, found.tokens):
            return Answer(ended=Ended.CONTEXT_TOO_LONG, tokens=found.tokens, answered_by=found.answered_by)
        return found

    async def _ask(  # noqa: PLR0913 - all that is known of one request
        self,
        backend: Backend,
        ref: ModelRef,
        prompt: Prompt,
        fields: Fields,
        *,
        goes_on: bool,
        hears: Listening | None,
    ) -> Answer:
        enforced = capabilities(self.models, ref).enforced_schema
        profile = ModelProfile(supports_json_schema_output=enforced)
        told = _Told(
            conversation(prompt),
            settings(prompt, seconds=backend.seconds, goes_on=goes_on),
            parameters(prompt, enforced=enforced),
        )
        async with opened(backend, ref.model, fields, profile) as model:
            with mapped(ref):
                async with asyncio.timeout(backend.seconds):
                    found = await (_whole(model, told) if hears is None else _pieces(model, told, hears))
                return answer(found, prompt)


@dataclass(frozen=True)
class _Told:
    """One request in the library's words."""

    messages: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters


async def _whole(model: Model, told: _Told) -> ModelResponse:
    return await model_request(
        model,
        told.messages,
        model_settings=told.settings,
        model_request_parameters=told.parameters,
        instrument=False,
    )


async def _pieces(model: Model, told: _Told, hears: Listening) -> ModelResponse:
    """The same piece by piece.

    Raises:
        UnexpectedModelBehavior: It ended without saying why: it was cut.
    """
    async with model_request_stream(
        model,
        told.messages,
        model_settings=told.settings,
        model_request_parameters=told.parameters,
        instrument=False,
    ) as stream:
        await hears.through(stream)
        found = stream.get()
    if "finish_reason" not in (found.provider_details or {}):  # the library takes the end of a stream for one
        raise UnexpectedModelBehavior("it ended without saying why")
    return found


def _was_cut(prompt: Prompt, counted: Tokens | None) -> bool:
    """Whether far less was counted than was told: Ollama forgets in silence what does not fit, instructions included.

    It counts what it has kept of an earlier request, too. Its usual context is 4,096 tokens, whatever the model takes: https://docs.ollama.com/context-length.
    """
    return counted is not None and sum(map(len, words(prompt))) > _LETTERS * counted.input


def _rate(backend: Backend) -> Rate | None:
    if backend.requests_per_minute is None:
        return None
    return Rate(per_second=backend.requests_per_minute / _MINUTE, burst=max(1, backend.requests_per_minute // 6))
