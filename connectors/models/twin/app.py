"""The twin of language models: one process, one scripted score, and the wires of four providers.

Each has an address of its own below the twin's: `/openai/v1`, `/anthropic`, `/bedrock`, and `/ollama` with its `/api`
and `/v1`. Whatever is asked over one is checked as its provider does, played from the same score, and billed into the
same ledger.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.models.twin.control import Control
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.score import Score
from connectors.models.twin.stage import Model, Stage
from connectors.models.twin.wires.anthropic import AnthropicWire
from connectors.models.twin.wires.bedrock import AwsKey, BedrockWire
from connectors.models.twin.wires.ollama import OllamaCompletions, OllamaWire
from connectors.models.twin.wires.openai import OpenAIWire
from connectors.models.twin.wires.wire import Wire
from connectors.twins.clock import TwinClock
from connectors.twins.faults import FaultInjector

_asked_path: ContextVar[str] = ContextVar("asked_path", default="")
_NOWHERE: Final = "there are /openai/v1, /anthropic, /bedrock, /ollama, /ollama/v1 and /_twin"


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        openai: The API key at OpenAI.
        anthropic: The API key at Anthropic.
        bedrock: What signs at Bedrock.
        ollama: The key that a server in front of Ollama wants; empty: none.
        models: What is offered, on every wire.
        score: What they say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8311"
    openai: str = Field(repr=False)
    anthropic: str = Field(repr=False)
    bedrock: AwsKey
    ollama: str = Field(default="", repr=False)
    models: tuple[Model, ...]
    score: Score = Score()


class _Path:
    """Notes the path that is asked for, so that a planted limit is told in the words of its wire."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _asked_path.set(scope.get("path", ""))
        await self._app(scope, receive, send)


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, its wires behind its faults; `app.state.stage` is where the score is played."""
    clock = clock or TwinClock()
    stage = Stage(config.models, config.score, clock)
    wires: Sequence[tuple[str, Wire]] = (
        ("/openai", OpenAIWire(stage, config.openai)),
        ("/anthropic", AnthropicWire(stage, config.anthropic)),
        ("/bedrock", BedrockWire(stage, config.bedrock)),
        ("/ollama/v1", OllamaCompletions(stage, config.ollama)),
        ("/ollama", OllamaWire(stage, config.ollama)),
    )

    def limited(wait: float) -> Response:
        found = (wire for root, wire in wires if _asked_path.get().startswith(root))
        refused = Refusal(Kind.RATE_LIMITED, retry_after=wait)
        wire = next(found, None)
        return wire.refuse(refused) if wire else Response(status_code=429, headers=refused.headers)

    api = Starlette(routes=[Mount(root, routes=wire.routes()) for root, wire in wires] + [_nowhere()])
    app = Starlette(routes=[*Control(stage).routes(), Mount("", app=_Path(FaultInjector(api, clock, limited)))])
    app.state.stage = stage
    return app


def _nowhere() -> Mount:
    return Mount("/", app=Response(_NOWHERE, status_code=404))
