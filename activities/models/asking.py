"""Steps that ask language models. What one says is handed on as it is: nothing here reads, runs or obeys it."""

import asyncio
import hashlib
from collections.abc import Mapping

from pydantic import SecretStr
from temporalio import activity

from activities.guard.error_types import policy_denied
from activities.models.budget import Held, ModelBudget
from activities.models.contracts import (
    FIND_MODELS,
    REQUEST,
    FindModelsRequest,
    ModelAnswered,
    ModelFound,
    ModelLeftOut,
    ModelsFound,
    RequestModel,
    UseLimits,
)
from activities.models.rules import ModelRules
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import ConnectorError, InvalidRequest, OutcomeUnknown
from connectors.models.capabilities import capabilities
from connectors.models.client import ModelClient
from connectors.models.deployment import Limits, ModelRef
from connectors.models.manifest import REQUEST as KEY
from connectors.models.messages import (
    MOST_INLINE,
    MOST_LOADED,
    Answer,
    Ended,
    Message,
    Part,
    Prompt,
    Text,
    ToolCall,
    ToolResult,
    texts,
)
from connectors.models.prices import MICROS, cost, priced
from connectors.models.raw import Key
from hitl.protocol import Denial, Refusal


class ModelActivities:
    """The steps.

    Args:
        vault: Makes the token that reads a backend's key.
        client: Asks the backends of the deployment's file.
        artifacts: Where texts lie that are too long for a history.
        budget: Keeps what goals use to the file's limits.
        environment: Of this deployment, as refusals name it.
    """

    def __init__(
        self,
        vault: StepTokens,
        client: ModelClient,
        artifacts: ArtifactStore,
        *,
        budget: ModelBudget,
        environment: str,
    ) -> None:
        self._vault, self._client, self._artifacts = vault, client, artifacts
        self._budget, self._environment = budget, environment
        self._rules = ModelRules(client.models)

    @implements(REQUEST)
    async def request(self, request: RequestModel) -> ModelAnswered:
        """Ask one model once.

        Raises:
            ApplicationError: `PolicyDenied`: it may cost more than the file's limits leave.
        """
        ref = ModelRef(request.backend, request.model)
        prompt, key = await self._whole(request.prompt), await self._key(ref)
        held = await self._hold(request, prompt)
        answer = await self._ask(ref, prompt, key, held)
        micros = cost(self._client.models, ref, answer.tokens) if answer.tokens is not None else None
        if held is not None:
            await self._budget.settle(held, 0 if answer.ended is Ended.CONTEXT_TOO_LONG else micros)
        return ModelAnswered(
            backend=ref.backend,
            model=ref.model,
            answer=await self._short(answer, request.inline),
            cost_micros=micros,
            instructions=_digest(prompt.instructions.text),
        )

    @implements(FIND_MODELS)
    async def find_models(self, request: FindModelsRequest) -> ModelsFound:
        """Tell which models may be asked, and which of the tier may not."""
        found: list[ModelFound] = []
        left_out: list[ModelLeftOut] = []
        for ref in self._client.models.route(request.use):
            refusal = self._rules.refuse_model(ref) or self._rules.refuse_data(ref, request.labels)
            if refusal is not None:
                left_out.append(ModelLeftOut(backend=ref.backend, model=ref.model, why=refusal.explanation))
                continue
            found.append(await asyncio.to_thread(self._found, ref))
        return ModelsFound(models=tuple(found), left_out=tuple(left_out), limits=_limits(self._client.models.limits))

    def _found(self, ref: ModelRef) -> ModelFound:
        known, price = capabilities(self._client.models, ref), priced(self._client.models, ref)
        return ModelFound(
            backend=ref.backend,
            model=ref.model,
            tools=known.tools,
            enforced_schema=known.enforced_schema,
            context=known.context,
            input_micros=price.input_micros if price else None,
            output_micros=price.output_micros if price else None,
        )

    async def _hold(self, request: RequestModel, prompt: Prompt) -> Held | None:
        found = await self._budget.hold(activity.info(), request, prompt)
        if isinstance(found, Refusal):
            denial = Denial(
                reason=found.reason,
                action=REQUEST.name,
                effect=REQUEST.effect,
                environment=self._environment,
                explanation=found.explanation,
            )
            raise policy_denied(denial)
        return found

    async def _ask(self, ref: ModelRef, prompt: Prompt, key: Mapping[str, SecretStr], held: Held | None) -> Answer:
        """The answer. What was surely not billed is given back; what nobody answered may have been."""
        try:
            return await self._client.ask(ref, prompt, key)
        except OutcomeUnknown:
            raise
        except ConnectorError:
            if held is not None:
                await self._budget.release(held)
            raise

    async def _key(self, ref: ModelRef) -> Mapping[str, SecretStr]:
        if self._client.models.backends[ref.backend].key is Key.NONE:
            return {}
        async with secret_for_step(self._vault, KEY, ref.backend) as fields:
            return fields

    async def _whole(self, prompt: Prompt) -> Prompt:
        """The same with every text inline.

        Raises:
            InvalidRequest: It is too long as a whole, or an artifact is no text.
        """
        references = dict.fromkeys(one.reference for one in texts(prompt) if one.reference)
        loaded: dict[str, str] = {}
        for reference in references:
            loaded[reference] = _decoded(reference, await self._artifacts.get(reference))
        whole = prompt.model_copy(
            update={
                "instructions": _inline(prompt.instructions, loaded),
                "messages": tuple(_inline_message(one, loaded) for one in prompt.messages),
            }
        )
        if (size := sum(len(one.text) for one in texts(whole))) > MOST_LOADED:
            raise InvalidRequest(f"the request comes to {size} characters, and {MOST_LOADED} is the most: shorten it")
        return whole

    async def _short(self, answer: Answer, most: int) -> Answer:
        """The same with what is too long for a history as artifacts."""
        parts = [
            await self._kept(one, most) if isinstance(one, Text) else await self._kept_call(one) for one in answer.parts
        ]
        output = await self._kept(answer.output, most) if answer.output is not None else None
        return answer.model_copy(update={"parts": tuple(parts), "output": output})

    async def _kept(self, text: Text, most: int) -> Text:
        if len(text.text) <= most:
            return text
        return Text(reference=await self._artifacts.put(text.text.encode()))

    async def _kept_call(self, call: ToolCall) -> ToolCall:
        if len(call.arguments) <= MOST_INLINE:
            return call
        # No tool of ours takes so much: the model is told so by what it gets back.
        return call.model_copy(update={"arguments": "{}", "well_formed": False})


def _digest(text: str) -> str | None:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" if text else None


def _inline(text: Text, loaded: Mapping[str, str]) -> Text:
    return Text(text=loaded[text.reference]) if text.reference else text


def _inline_message(message: Message, loaded: Mapping[str, str]) -> Message:
    return message.model_copy(update={"parts": tuple(_inline_part(one, loaded) for one in message.parts)})


def _inline_part(part: Part, loaded: Mapping[str, str]) -> Part:
    match part:
        case Text():
            return _inline(part, loaded)
        case ToolResult(reference=str() as reference):
            return part.model_copy(update={"text": loaded[reference], "reference": None})
        case _:
            return part


def _decoded(reference: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the artifact {reference!r} is no text: it cannot be told to a model") from error


def _limits(limits: Limits) -> UseLimits:
    return UseLimits(
        goal_micros=None if limits.goal_usd is None else round(limits.goal_usd * MICROS),
        goal_requests=limits.goal_requests,
        goal_minutes=limits.goal_minutes,
        day_micros=None if limits.day_usd is None else round(limits.day_usd * MICROS),
        day_per=limits.day_per,
    )
