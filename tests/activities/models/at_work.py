"""The models worker's steps behind its guard, as a worker runs them: a real file, a real server, a played Vault."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.guard.audit import AuditLog
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.guard.who_asked import Origin, Requesters
from activities.models.asking import ModelActivities
from activities.models.budget import ModelBudget
from activities.models.contracts import REQUEST, ModelAnswered, RequestModel
from activities.models.rules import ModelRules
from activities.models.served import ServedModels
from activities.models.transcripts import DataKeys, Transcripts
from connectors.artifacts import ArtifactStore, DatedStore
from connectors.models.client import ModelClient
from connectors.models.messages import Prompt
from hitl.approval.approvers import People
from tests.activities.played_book import PlayedBook
from tests.activities.played_vault import PlayedVault
from tests.connectors.models.compatible import Compatible
from tests.connectors.models.deployed import FILE, asks, deployed

KEY = "sk-canary-of-the-lab-4711"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
POLICY = "environments: {local: {phase: read_only}}\n"


class _Call(ActivityInboundInterceptor):
    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


@dataclass
class House:
    """One models worker.

    Attributes:
        folder: For its files.
        server: Every backend.
        url: Where that is.
        told: What is different of the step's own info.
        now: What time it is.
        asked_by: Who is vouched for as having asked, where the guard finds out; may raise.
        installation: Whose delivery began each goal, where the guard finds out.
        looked: How often that was looked up.
    """

    folder: Path
    server: Compatible
    url: str
    policy: str = POLICY
    file: str = FILE
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])
    now: datetime = NOON
    asked_by: Callable[[], str] | None = None
    installation: str | None = None

    def __post_init__(self) -> None:
        self.vault = PlayedVault({"models/lab": {"key": SecretStr(KEY)}})
        self.artifacts = ArtifactStore(str(self.folder / "artifacts"))
        self.client = ModelClient(deployed(self.folder, self.url, self.file))
        self.book = PlayedBook()
        self.budget = ModelBudget(self.book, self.client.models, environment="local", clock=lambda: self.now)
        self.transcripts = self.transcripts_of(self.vault)
        self.served = ServedModels(self.book, environment="local")
        self.steps = ModelActivities(
            self.vault, self.client, self.artifacts, self.transcripts, budget=self.budget, served=self.served
        )
        (self.folder / "policy.yaml").write_text(self.policy)
        self.looked = 0
        self.log = self.folder / "audit.jsonl"
        self._guard = GuardInterceptor(
            PolicySource(self.folder / "policy.yaml", environment="local"),
            AuditLog(self.log),
            role="models",
            own=ModelRules(self.client.models),
            requesters=Requesters(self._find) if self.asked_by is not None else None,
        )

    async def _find(self, workflow_id: str, run_id: str, people: People) -> Origin:
        assert self.asked_by
        self.looked += 1
        return Origin(requester=self.asked_by(), installation=self.installation)

    def transcripts_of(self, keys: DataKeys, environment: str = "local") -> Transcripts:
        """As this worker keeps them, or another one."""
        store = DatedStore(self.artifacts.location, "transcripts")
        return Transcripts(keys, store, environment=environment, days=30, clock=lambda: self.now)

    async def ask(self, request: object) -> ModelAnswered:
        """The step, guarded."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, activity_type=REQUEST.name, **self.told)
        call = ExecuteActivityInput(fn=self.steps.request, args=[request], executor=None, headers={})
        answer = await environment.run(self._guard.intercept_activity(_Call()).execute_activity, call)
        assert isinstance(answer, ModelAnswered)
        return answer

    def events(self) -> list[Mapping[str, Any]]:
        """The audit log."""
        return [json.loads(one) for one in self.log.read_text().splitlines()]


def request(prompt: Prompt | None = None, **more: Any) -> RequestModel:
    """To the lab's lamp, of data that may go there."""
    told: dict[str, Any] = {"backend": "lab", "model": "lamp-1", "labels": ("public",), "requester": "slack:U0ALICE"}
    return RequestModel(**{**told, **more}, prompt=prompt or asks())
