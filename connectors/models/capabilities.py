"""What a model can do, as far as it is known without asking it: by the deployment's file, else by the libraries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from connectors.models.deployment import Backend, ModelRef, Models
from connectors.models.prices import context_window
from connectors.models.raw import Kind, RawModel

_PROFILES: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.OPENAI: ("pydantic_ai.providers.openai", "OpenAIProvider"),
    Kind.OLLAMA: ("pydantic_ai.providers.ollama", "OllamaProvider"),
    Kind.ANTHROPIC: ("pydantic_ai.providers.anthropic", "AnthropicProvider"),
    Kind.BEDROCK: ("pydantic_ai.providers.bedrock", "BedrockProvider"),
    Kind.GOOGLE: ("pydantic_ai.providers.google", "GoogleProvider"),
}
_COMPATIBLE: Final = ("pydantic_ai.providers.openai_compatible", "OpenAICompatibleProvider")
_CLOUD: Final = "-cloud"
"""Ollama hands these on to its cloud, which takes a schema and holds no answer to it."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What is known.

    Attributes:
        tools: Whether it takes tools.
        enforced_schema: Whether its backend holds answers to a schema.
        context: Tokens that it takes; None where nobody knows.
    """

    tools: bool
    enforced_schema: bool
    context: int | None


def capabilities(models: Models, ref: ModelRef) -> Capabilities:
    """Of a model of the file. Imports the libraries of its kind."""
    backend, known = models.backends[ref.backend], models.known.get(ref, RawModel())
    profile = _profile(backend, ref.model) or {}
    enforced = bool(profile.get("supports_json_schema_output", False)) and not _in_ollamas_cloud(backend, ref.model)
    return Capabilities(
        tools=bool(profile.get("supports_tools", True)) if known.tools is None else known.tools,
        enforced_schema=enforced if known.enforced_schema is None else known.enforced_schema,
        context=context_window(backend, ref.model) if known.context is None else known.context,
    )


def _in_ollamas_cloud(backend: Backend, model: str) -> bool:
    return backend.kind is Kind.OLLAMA and (model.endswith(_CLOUD) or "//ollama.com" in (backend.url or ""))


def _profile(backend: Backend, model: str) -> Mapping[str, Any] | None:
    compatible = backend.kind is Kind.OPENAI and not backend.standard
    module, name = _COMPATIBLE if compatible else _PROFILES[backend.kind]
    found: Callable[[str], Mapping[str, Any] | None] = getattr(import_module(module), name).model_profile
    return found(model)
