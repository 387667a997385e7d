"""`ServeModel` with its real steps: Lambda's judged twin, the real relay and a real machine's end, a model that obeys.

What is played is Vault, and the gateway's message.
"""

import contextlib
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.models.asking import ModelActivities
from activities.models.budget import ModelBudget
from activities.models.contracts import FindModelsRequest, ModelsFound
from activities.models.served import ServedModels
from activities.models.transcripts import Transcripts
from activities.models.watching import ServingActivities
from activities.queues import TaskQueue
from activities.step import implemented
from connectors.artifacts import ArtifactStore, DatedStore
from connectors.models.client import ModelClient
from connectors.models.deployment import Models
from connectors.models.file import load_models
from connectors.models.raw import Use
from tests.activities.lambdalabs.at_work import Vault
from tests.connectors.served.tunnelled import CALLER, HERE, Tunnelled, until
from tests.connectors.serving import served
from tests.workflows.lambdalabs.at_lambda import AtLambda, at_lambda
from tests.workflows.leases.leasing import LeaseTeller, MappedErrors
from workflows.implementations import WORKFLOWS
from workflows.serving.goals import SERVE_MODEL, ServeModelInput, ServeModelResult

WANTED = ServeModelInput(backend="gpu", types=("gpu_1x_a10",), regions=("us-west-1",), hours=1, most_usd=1)


@dataclass
class Model:
    """A model server that does as a test tells it.

    Attributes:
        status: What it answers with.
        lies: It says that it is well, and answers no question.
        holds: It begins to answer, and then does not.
        asked: How often it was asked.
    """

    status: int = 200
    lies: bool = False
    holds: bool = False
    asked: int = 0
    begun: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        health = Route("/health", lambda _: JSONResponse({"status": "ok"}))
        return Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"]), health])

    async def _answer(self, request: Request) -> Response:
        told = await request.json()
        self.asked += 1
        if self.holds and told["max_tokens" if "max_tokens" in told else "max_completion_tokens"] > 1:
            self.begun.set()
            await request.receive()
        if self.lies:
            return JSONResponse({"status": "ok", "choices": []})
        choice = {"index": 0, "message": {"role": "assistant", "content": "lit"}, "finish_reason": "stop"}
        used = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        said = {"id": "c-1", "object": "chat.completion", "created": 1_790_000_000, "model": "lamp-1"}
        return JSONResponse({**said, "choices": [choice], "usage": used}, status_code=self.status)


def written(folder: Path, place: Tunnelled) -> Models:
    """A deployment whose small tier begins with a backend that machines serve."""
    told = {
        "backends": {
            "gpu": {"kind": "openai", "url": f"{place.url}/gpu/v1", "seconds": 20},
            "lab": {"kind": "ollama", "url": "http://127.0.0.1:1"},
        },
        "models": {
            "gpu/lamp-1": {"context": 8192, "price": {"input": 0, "output": 0}},
            "lab/attic": {"price": {"input": 0, "output": 0}},
        },
        "tiers": {"small": ["gpu/lamp-1", "lab/attic"]},
        "routes": {"read": "small"},
        "data": {"gpu": ["public", "log"], "lab": ["public"]},
        "limits": {"goal": {"usd": 1}},
        "served": {
            "gpu": {"relay": f"{HERE}:{place.port}", "authority": place.authority, "run": ["serve", "lamp-1"]},
        },
    }
    path = folder / "models.yaml"
    path.write_text(yaml.safe_dump(told))
    return load_models(path)


@dataclass
class ServingHouse:
    """All that a test acts on."""

    cloud: AtLambda
    place: Tunnelled
    model: Model
    models: Models
    folder: Path
    teller: LeaseTeller = field(default_factory=LeaseTeller)

    def __post_init__(self) -> None:
        self.vault: Vault = self.cloud.vault
        self.vault.held["models/gpu"] = {"key": SecretStr(CALLER)}
        self.served: ServedModels = self.place.served
        client = ModelClient(self.models)
        artifacts = ArtifactStore(str(self.folder / "artifacts"))
        store = DatedStore(artifacts.location, "transcripts")
        self.asking = ModelActivities(
            self.vault,
            client,
            artifacts,
            Transcripts(self.vault, store, environment="local", days=1),
            budget=ModelBudget(self.place.book, self.models, environment="local"),
            served=self.served,
        )
        self.serving = ServingActivities(self.vault, self.models, self.served, looks_every=timedelta(milliseconds=100))

    def quiet_for(self, time: timedelta) -> None:
        """As if nobody had asked for so long."""
        machine = self.place.relay._machines["gpu"]
        machine.used_at = self.place.relay._now() - time.total_seconds()

    async def offered(self, *labels: str) -> list[str]:
        """What may be asked now, the first first."""
        found: ModelsFound = await self.asking.find_models(
            FindModelsRequest(use=Use.READ, labels=labels or ("public",))
        )
        return [f"{one.backend}/{one.model}" for one in found.models]

    @contextlib.asynccontextmanager
    async def at_work(self, client: Client) -> AsyncGenerator[None]:
        """Goals, steps on Lambda Labs and on models, and who tells people."""
        vault = self.vault
        cloud = [*implemented(vault.looking), *implemented(vault.making), *implemented(vault.changing)]
        models = [*implemented(self.serving), *implemented(self.asking)]
        async with contextlib.AsyncExitStack() as running:
            for worker in (
                Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
                Worker(client, task_queue=TaskQueue.CONNECTORS, activities=cloud, interceptors=[MappedErrors()]),
                Worker(client, task_queue=TaskQueue.MODELS, activities=models, interceptors=[MappedErrors()]),
                Worker(client, task_queue=TaskQueue.POSTS, activities=[self.teller.tell]),
                Worker(client, task_queue=TaskQueue.HITL, activities=[self.teller.tell]),
            ):
                await running.enter_async_context(worker)
            yield

    async def start(
        self, client: Client, goal_id: str, wanted: ServeModelInput = WANTED
    ) -> WorkflowHandle[Any, ServeModelResult]:
        """Begin the goal."""
        return await client.start_workflow(
            SERVE_MODEL.name, wanted, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ServeModelResult
        )

    async def until_offered(self, *, offered: bool = True) -> None:
        """Wait until it is in its tier; or out of it."""

        async def so() -> bool:
            self.cloud.known.clock.run()
            return ("gpu/lamp-1" in await self.offered()) is offered

        await until(so)


@contextlib.asynccontextmanager
async def serving_house(
    folder: Path, place: Tunnelled, model: Model, **changes: object
) -> AsyncGenerator[ServingHouse]:
    """All of it, until the block ends."""
    with served(model.app()) as url:
        port = int(url.rpartition(":")[2])
        with at_lambda(model_port=port, **changes) as cloud:
            yield ServingHouse(cloud, place, model, written(folder, place), folder)
