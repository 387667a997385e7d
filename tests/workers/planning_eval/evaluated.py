"""A deployment that plans: the guarded steps of the models and the connectors worker, on the real server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker
from typer.testing import CliRunner

from activities.agent.planning import Planning
from activities.guard.audit import AuditLog
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.guard.rules import OwnRules
from activities.heartbeat import HeartbeatInterceptor
from activities.models.asking import ModelActivities
from activities.models.budget import ModelBudget
from activities.models.rules import ModelRules
from activities.models.served import ServedModels
from activities.models.transcripts import Transcripts
from activities.queues import TaskQueue
from connectors.artifacts import ArtifactStore, DatedStore
from connectors.models.client import ModelClient
from connectors.models.file import load_models
from tests.activities.played_book import PlayedBook
from tests.activities.played_vault import PlayedVault
from tests.workflows.agent.planning.playing import KEY
from workers.cli import app
from workflows.agent.described import described

_BEAT = timedelta(minutes=1)
POLICY = "environments: {local: {phase: read_only}}\n"


@dataclass
class Deployed:
    """The deployment, and the command on it.

    Attributes:
        client: Of Temporal.
        folder: For its files.
        models: The file of language models.
    """

    client: Client
    folder: Path
    models: str

    def __post_init__(self) -> None:
        self.file, self.log = self.folder / "models.yaml", self.folder / "audit.jsonl"
        self.file.write_text(self.models)
        (self.folder / "policy.yaml").write_text(POLICY)
        self.report = self.folder / "report.json"

    @contextlib.asynccontextmanager
    async def workers(self) -> AsyncGenerator[None]:
        asks = ModelClient(load_models(self.file))
        artifacts = ArtifactStore(str(self.folder / "artifacts"))
        book = PlayedBook()
        budget = ModelBudget(book, asks.models, environment="local")
        vault = PlayedVault({"models/twin": {"key": SecretStr(KEY)}})
        store = DatedStore(artifacts.location, "transcripts")
        transcripts = Transcripts(vault, store, environment="local", days=1)
        served = ServedModels(book, environment="local")
        model = ModelActivities(vault, asks, artifacts, transcripts, budget=budget, served=served)
        planning = Planning(described, artifacts)
        guard, beats = self._guard("models", ModelRules(asks.models)), HeartbeatInterceptor(at_least_every=_BEAT)
        async with (
            Worker(
                self.client,
                task_queue=TaskQueue.MODELS,
                activities=[model.request],
                interceptors=[guard, beats],
            ),
            Worker(
                self.client,
                task_queue=TaskQueue.CONNECTORS,
                activities=[planning.brief_planner, planning.read_answer],
                interceptors=[self._guard("connectors")],
            ),
        ):
            yield

    def _guard(self, role: str, own: OwnRules | None = None) -> GuardInterceptor:
        source = PolicySource(self.folder / "policy.yaml", environment="local")
        return GuardInterceptor(source, AuditLog(self.log.with_name(f"audit-{role}.jsonl")), role=role, own=own)

    async def evaluate(self, *more: str, backend: str = "twin") -> tuple[int, str]:
        """The command, and what it says."""
        words = ["eval", "--backend", backend, "--models", str(self.file), "--out", str(self.report), *more]
        address = self.client.service_client.config.target_host
        told = {"TEMPORAL_ADDRESS": address, "ENCRYPT_PAYLOADS": "false", "DEVELOPMENT": "true"}
        env = {"COLUMNS": "200", **{f"BANKSMAN_{name}": value for name, value in told.items()}}
        done = await asyncio.to_thread(CliRunner(env=env).invoke, app, words)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def kept(self) -> Mapping[str, Any]:
        return json.loads(self.report.read_text())

    def requests(self) -> list[Mapping[str, Any]]:
        """What the audit log has of the model's answers."""
        lines = (self.folder / "audit-models.jsonl").read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["action"] == "models.request" and one.get("model")]
