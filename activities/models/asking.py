"""Steps that ask language models. What one says is handed on as it is: nothing here reads, runs or obeys it."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr
from temporalio import activity

from activities.guard.error_types import policy_denied
from activities.guard.who_asked import asked_by, installation
from activities.models.answering import Answering
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
from activities.models.served import ServedModels
from activities.models.transcripts import Conversation, Transcripts
from activities.models.whole import whole
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
    Answer,
    Message,
    Prompt,
    Text,
    ToolCall,
)
from connectors.models.prices import MICROS, cost, priced
from connectors.models.progress import Progress
from connectors.models.raw import Key
from hitl.protocol import Denial, Refusal

_LOG: Final = logging.getLogger(__name__)


class ModelActivities:
    """The steps.

    Args:
        vault: Makes the token that reads a backend's key.
        client: Asks the backends of the deployment's file.
        artifacts: Where texts lie that are too long for a history.
        transcripts: Where lies what was said before.
        budget: Keeps what goals use to the file's limits.
        served: Which backends machines of goals serve now.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        vault: StepTokens,
        client: ModelClient,
        artifacts: ArtifactStore,
        transcripts: Transcripts,
        *,
        budget: ModelBudget,
        served: ServedModels,
    ) -> None:
        self._vault, self._client, self._artifacts = vault, client, artifacts
        self._transcripts, self._budget, self._served = transcripts, budget, served
        self._rules = ModelRules(client.models)

    @implements(REQUEST)
    async def request(self, request: RequestModel) -> ModelAnswered:
        """Ask one model once.

        Raises:
            ApplicationError: `PolicyDenied`: it may cost more than the file's limits leave.
        """
        ref = ModelRef(request.backend, request.model)
        before = await self._before(request)
        prompt, left_out = await whole(request.prompt, self._artifacts, before.messages if before else ())
        key = await self._key(ref)
        held = await self._hold(_asked(request), prompt)
        answer = await self._ask(ref, prompt, key, held, goes_on=request.keep)
        micros = self._cost(ref, answer)
        if held is not None:
            await self._budget.settle(held, micros)
        return ModelAnswered(
            backend=ref.backend,
            model=ref.model,
            answer=await self._short(answer, request.inline),
            cost_micros=micros,
            instructions=_digest(prompt.instructions.text),
            transcript=await self._after(before, request, answer),
            left_out=left_out,
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
            if await self._is_away(ref):
                why = f"No machine serves {ref.backend!r} now; the goal ServeModel has one."
                left_out.append(ModelLeftOut(backend=ref.backend, model=ref.model, why=why))
                continue
            found.append(await asyncio.to_thread(self._found, ref))
        return ModelsFound(models=tuple(found), left_out=tuple(left_out), limits=_limits(self._client.models.limits))

    def _cost(self, ref: ModelRef, answer: Answer) -> int | None:
        if answer.recorded:
            return 0
        return cost(self._client.models, ref, answer.tokens) if answer.tokens is not None else None

    async def _is_away(self, ref: ModelRef) -> bool:
        """Whether it is a backend that machines of goals serve, and none does now."""
        if ref.backend not in self._client.models.served:
            return False
        return not await self._served.answers(ref.backend)

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
        found = await self._budget.hold(activity.info(), request, prompt, installation=installation())
        if isinstance(found, Refusal):
            denial = Denial(
                reason=found.reason,
                action=REQUEST.name,
                effect=REQUEST.effect,
                environment=self._budget.environment,
                explanation=found.explanation,
            )
            raise policy_denied(denial)
        return found

    async def _ask(
        self, ref: ModelRef, prompt: Prompt, key: Mapping[str, SecretStr], held: Held | None, *, goes_on: bool
    ) -> Answer:
        """The answer. What was surely not billed is given back; what nobody answered may have been."""
        begun = Answering(
            backend=ref.backend,
            model=ref.model,
            since=datetime.now(UTC),
            characters=0 if self._client.models.backends[ref.backend].stream else None,
        )
        activity.heartbeat(begun)

        def tell(now: Progress) -> None:
            told = {"characters": now.characters, "first_after": now.first_after}
            activity.heartbeat(begun.model_copy(update=told))

        try:
            return await self._client.ask(ref, prompt, key, goes_on=goes_on, tell=tell)
        except OutcomeUnknown:
            raise
        except ConnectorError:
            if held is not None:
                await self._budget.release(held)
            raise

    async def _before(self, request: RequestModel) -> Conversation | None:
        """What was said before, of data that the request names: else the guard would have looked at less.

        Raises:
            InvalidRequest: The labels of the request are not all that the conversation has, or it is none of this goal.
            NotFound: It is gone.
        """
        goal = activity.info().workflow_id or ""
        if request.transcript is None:
            return await self._transcripts.begin(goal) if request.keep else None
        found = await self._transcripts.read(request.transcript, goal)
        if more := sorted({*found.labels} - {*request.labels}):
            told = f"{request.transcript!r} has data that is {' and '.join(map(repr, more))}"
            raise InvalidRequest(f"{told}, and the labels of the request do not say so: name them, too")
        return found

    async def _after(self, before: Conversation | None, request: RequestModel, answer: Answer) -> str | None:
        """What is said now is added. Never raises: the answer was had."""
        said = [*answer.parts, *([answer.output] if answer.output is not None else [])]
        if before is None or not request.keep or not said:
            return None
        parts = tuple([one if isinstance(one, Text) else _short_call(one) for one in said])
        messages = (*request.prompt.messages, Message(role="assistant", parts=parts))
        try:
            return await self._transcripts.keep(before, messages, request.labels)
        except ConnectorError:
            _LOG.exception("what was said to a language model is not kept; the goal cannot go on from this answer")
            return None

    async def _key(self, ref: ModelRef) -> Mapping[str, SecretStr]:
        if self._client.models.backends[ref.backend].key is Key.NONE:
            return {}
        async with secret_for_step(self._vault, KEY, ref.backend) as fields:
            return fields

    async def _short(self, answer: Answer, most: int) -> Answer:
        """The same with what is too long for a history as artifacts."""
        parts = [await self._kept(one, most) if isinstance(one, Text) else _short_call(one) for one in answer.parts]
        output = await self._kept(answer.output, most) if answer.output is not None else None
        return answer.model_copy(update={"parts": tuple(parts), "output": output})

    async def _kept(self, text: Text, most: int) -> Text:
        if len(text.text) <= most:
            return text
        return Text(reference=await self._artifacts.put(text.text.encode()))


def _short_call(call: ToolCall) -> ToolCall:
    if len(call.arguments) <= MOST_INLINE:
        return call
    # No tool of ours takes so much: the model is told so by what it gets back.
    return call.model_copy(update={"arguments": "{}", "well_formed": False})


def _asked(request: RequestModel) -> RequestModel:
    """The same with who asked, as the guard found out."""
    requester = asked_by()
    return request if requester is None else request.model_copy(update={"requester": requester})


def _digest(text: str) -> str | None:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" if text else None


def _limits(limits: Limits) -> UseLimits:
    return UseLimits(
        goal_micros=None if limits.goal_usd is None else round(limits.goal_usd * MICROS),
        goal_requests=limits.goal_requests,
        goal_minutes=limits.goal_minutes,
        goal_decisions=limits.goal_decisions,
        day_micros=None if limits.day_usd is None else round(limits.day_usd * MICROS),
        day_decisions=limits.day_decisions,
        day_per=limits.day_per,
    )
