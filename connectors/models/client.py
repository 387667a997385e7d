"""Asks a language model once. Own retries are off: who asks again, and whom, is for a goal to say, step by step."""

import asyncio
import warnings
from collections.abc import Mapping
from typing import Final

from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import UnsupportedSettingWarning, UsageExtractionFailedWarning
from pydantic_ai.profiles import ModelProfile

from connectors.errors import RateLimited
from connectors.limits import Allowance, Rate, Turns
from connectors.models import metrics
from connectors.models.capabilities import capabilities
from connectors.models.deployment import Backend, ModelRef, Models
from connectors.models.failures import ContextTooLong, Filtered, mapped
from connectors.models.messages import Answer, Ended, Prompt, Tokens
from connectors.models.opening import Fields, load, opened
from connectors.models.prices import cost
from connectors.models.translation import answer, conversation, parameters, settings

_MINUTE: Final = 60.0


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

    async def ask(self, ref: ModelRef, prompt: Prompt, fields: Fields, *, goes_on: bool = False) -> Answer:
        """Ask once.

        Args:
            ref: A model of the file.
            prompt: With every text inline.
            fields: The backend's secret in Vault; nothing for one without a key.
            goes_on: Whether a next turn will tell all of this again, so that the backend's cache is worth its price.

        Returns:
            What was said. A request that does not fit, or that a filter refuses, is an answer that says so.

        Raises:
            ConnectorError: By the tree. `OutcomeUnknown` only where it may have been billed.
            KeyError: The file does not name that backend.
        """
        backend, turns = self.models.backends[ref.backend], self._turns[ref.backend]
        with metrics.waited(backend.name):
            await turns.turn(f"the model {str(ref)!r}")
        try:
            with metrics.counted(ref):
                found = await self._ask(backend, ref, prompt, fields, goes_on=goes_on)
        except RateLimited as limited:
            turns.close(limited.retry_after)
            raise
        except ContextTooLong:
            return Answer(ended=Ended.CONTEXT_TOO_LONG, tokens=Tokens())
        except Filtered:
            return Answer(ended=Ended.CONTENT_FILTER, tokens=Tokens())
        if found.tokens is not None:
            metrics.count_answer(ref, found.tokens, cost(self.models, ref, found.tokens))
        return found

    async def _ask(self, backend: Backend, ref: ModelRef, prompt: Prompt, fields: Fields, *, goes_on: bool) -> Answer:
        enforced = capabilities(self.models, ref).enforced_schema
        profile = ModelProfile(supports_json_schema_output=enforced)
        told, form = conversation(prompt), parameters(prompt, enforced=enforced)
        async with opened(backend, ref.model, fields, profile) as model:
            with mapped(ref):
                async with asyncio.timeout(backend.seconds):
                    found = await model_request(
                        model,
                        told,
                        model_settings=settings(prompt, seconds=backend.seconds, goes_on=goes_on),
                        model_request_parameters=form,
                        instrument=False,
                    )
                return answer(found, prompt)


def _rate(backend: Backend) -> Rate | None:
    if backend.requests_per_minute is None:
        return None
    return Rate(per_second=backend.requests_per_minute / _MINUTE, burst=max(1, backend.requests_per_minute // 6))
