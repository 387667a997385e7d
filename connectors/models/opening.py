"""A backend of a deployment's file as a `Model` of pydantic-ai, for one request: its own retries off, times bounded.

What a kind needs is imported when the process starts (`load`), and only for the kinds that the file has: a provider's
library takes up to 40 MB.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib import import_module
from typing import Any, Final

import httpx2
from pydantic import SecretStr
from pydantic_ai.models import Model
from pydantic_ai.profiles import ModelProfile

from connectors.authorities import authorities
from connectors.errors import AuthDenied
from connectors.http.api import AGENT
from connectors.models.deployment import Backend
from connectors.models.raw import Key, Kind

Fields = Mapping[str, SecretStr]
_CONNECT: Final = 10.0
_NO_KEY: Final = "none"
"""What a backend without a key is sent, because the libraries want one."""
_LIBRARIES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.OPENAI: ("pydantic_ai.models.openai", "pydantic_ai.providers.openai_compatible"),
    Kind.OLLAMA: ("pydantic_ai.models.ollama", "pydantic_ai.providers.ollama"),
    Kind.ANTHROPIC: ("pydantic_ai.models.anthropic", "pydantic_ai.providers.anthropic"),
    Kind.BEDROCK: ("pydantic_ai.models.bedrock", "pydantic_ai.providers.bedrock", "boto3"),
    Kind.GOOGLE: ("pydantic_ai.models.google", "pydantic_ai.providers.google"),
}


def load(kinds: Collection[Kind]) -> None:
    """Import what these kinds need, before there is an event loop that would wait for it."""
    for name in (name for kind in sorted(set(kinds)) for name in _LIBRARIES[kind]):
        import_module(name)


def opened(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AbstractAsyncContextManager[Model]:
    """The model, with connections that end with the block.

    Args:
        backend: Of the deployment's file.
        model: Its name there.
        fields: The backend's secret in Vault; nothing for one without a key.
        profile: What is known of the model better than by the library.

    Raises:
        AuthDenied: The secret lacks a field.
    """
    return _OPENED[backend.kind](backend, model, fields, profile)


def _key(backend: Backend, fields: Fields, name: str = "key") -> str:
    if backend.key is Key.NONE:
        return _NO_KEY
    if name not in fields:
        place = f"banksman/models/{backend.name}"
        raise AuthDenied(f"the secret in Vault at {place} has no field {name!r}: put the key of {backend.name!r} there")
    return fields[name].get_secret_value()


@asynccontextmanager
async def _http(backend: Backend) -> AsyncGenerator[httpx2.AsyncClient]:
    timeout = httpx2.Timeout(backend.seconds, connect=min(_CONNECT, backend.seconds))
    async with httpx2.AsyncClient(timeout=timeout, verify=authorities(), headers={"User-Agent": AGENT}) as http:
        yield http


@asynccontextmanager
async def _openai(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AsyncGenerator[Model]:
    from openai import AsyncOpenAI  # noqa: PLC0415 - see `load`
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415

    async with _http(backend) as http:
        client = AsyncOpenAI(
            api_key=_key(backend, fields),
            base_url=backend.url,
            max_retries=0,
            http_client=http,
            timeout=backend.seconds,
        )
        provider = (
            OpenAIProvider(openai_client=client)
            if backend.standard
            else OpenAICompatibleProvider(backend.name, openai_client=client)
        )
        yield OpenAIChatModel(model, provider=provider, profile=profile)


@asynccontextmanager
async def _ollama(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AsyncGenerator[Model]:
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai.models.ollama import OllamaModel  # noqa: PLC0415
    from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415
    from pydantic_ai.providers.ollama import OllamaProvider  # noqa: PLC0415

    # It overlooks `max_completion_tokens`, which the library sends by itself: an answer would have no end.
    limited: ModelProfile = OpenAIModelProfile(**profile, openai_chat_supports_max_completion_tokens=False)

    async with _http(backend) as http:
        root = f"{(backend.url or '').removesuffix('/v1')}/v1"
        client = AsyncOpenAI(
            api_key=_key(backend, fields), base_url=root, max_retries=0, http_client=http, timeout=backend.seconds
        )
        yield OllamaModel(model, provider=OllamaProvider(openai_client=client), profile=limited)


@asynccontextmanager
async def _anthropic(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AsyncGenerator[Model]:
    from anthropic import AsyncAnthropic  # noqa: PLC0415
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    async with _http(backend) as http:
        client = AsyncAnthropic(
            api_key=_key(backend, fields),
            base_url=backend.url,
            max_retries=0,
            http_client=http,
            timeout=backend.seconds,
        )
        yield AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client), profile=profile)


@asynccontextmanager
async def _google(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AsyncGenerator[Model]:
    from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415

    async with _http(backend) as http:
        provider = GoogleProvider(api_key=_key(backend, fields), base_url=backend.url, http_client=http)
        yield GoogleModel(model, provider=provider, profile=profile)


@asynccontextmanager
async def _bedrock(backend: Backend, model: str, fields: Fields, profile: ModelProfile) -> AsyncGenerator[Model]:
    from pydantic_ai.models.bedrock import BedrockConverseModel  # noqa: PLC0415
    from pydantic_ai.providers.bedrock import BedrockProvider  # noqa: PLC0415

    # It reads botocore's descriptions from disk.
    client = await asyncio.to_thread(_bedrock_client, backend, fields)
    try:
        yield BedrockConverseModel(model, provider=BedrockProvider(bedrock_client=client), profile=profile)
    finally:
        client.close()


def _bedrock_client(backend: Backend, fields: Fields) -> Any:
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=backend.seconds,
        retries={"total_max_attempts": 1},
        user_agent_extra=AGENT,
    )
    token = fields.get("session_token")
    return _session().create_client(
        "bedrock-runtime",
        region_name=backend.region,
        endpoint_url=backend.url,
        aws_access_key_id=_key(backend, fields, "access_key_id"),
        aws_secret_access_key=_key(backend, fields, "secret_access_key"),
        aws_session_token=token.get_secret_value() if token else None,
        config=config,
    )


@cache
def _session() -> Any:
    """One for the process: it keeps the descriptions, and no key."""
    import botocore.session  # noqa: PLC0415

    return botocore.session.Session()


_OPENED: Final[Mapping[Kind, Callable[[Backend, str, Fields, ModelProfile], AbstractAsyncContextManager[Model]]]] = {
    Kind.OPENAI: _openai,
    Kind.OLLAMA: _ollama,
    Kind.ANTHROPIC: _anthropic,
    Kind.BEDROCK: _bedrock,
    Kind.GOOGLE: _google,
}
