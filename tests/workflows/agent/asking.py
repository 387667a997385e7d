"""What is asked in words, on the real server, with real goals and checker; the model, people and GitHub are played."""

import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Interceptor, Worker

from activities.agent.binding import PlanBinding
from activities.agent.planning import Planning
from activities.agent.reading import Reading
from activities.agent.running import UnaskedPlans
from activities.approvals.rules import ApprovalRuleActivities
from activities.github.contracts import READ_FILE, FileRead, ReadFileRequest
from activities.github.name_contracts import (
    FIND_BRANCHES,
    FIND_REPOSITORIES,
    BranchesFound,
    FindBranchesRequest,
    FindRepositoriesRequest,
    RepositoriesFound,
)
from activities.guard.error_types import ErrorType, application_error
from activities.guard.policy_source import PolicySource
from activities.models.contracts import (
    FIND_MODELS,
    REQUEST,
    FindModelsRequest,
    ModelAnswered,
    ModelFound,
    ModelsFound,
    RequestModel,
)
from activities.models.decisions import DecisionBook, DecisionsPage
from activities.queues import TaskQueue
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.models.deployment import Limits, Models
from connectors.models.messages import Answer, Ended, Text, Tokens
from connectors.models.raw import Use
from tests.activities.played_book import PlayedBook
from tests.workflows.agent.running import PlanHouse
from tests.workflows.scripted import CONTENT, Steps, next_answer
from workflows.agent.goals import AskForInput, AskForResult
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType
from workflows.manifest.manifest import FILE_NAME

READS: Final = "Read MOTTO.md of acme/shop."
OPENS: Final = "Copy MOTTO.md of acme/shop into acme/site."
FOUND: Final = ModelsFound(
    models=(ModelFound(backend="one", model="large", input_micros=3_000_000, output_micros=15_000_000),)
)
TWO: Final = ModelsFound(models=(*FOUND.models, ModelFound(backend="two", model="small")))


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that a model is told in one request.

    Attributes:
        request: As the step was asked.
        instructions: Rules and catalogue.
        messages: Who said what, the newest last.
    """

    request: RequestModel
    instructions: str
    messages: tuple[tuple[str, str], ...]

    @property
    def asked(self) -> dict[str, Any]:
        """What people wrote, and the names."""
        return json.loads(self.messages[0][1])

    @property
    def whole(self) -> str:
        """Every letter of it."""
        return "\n".join((self.instructions, *(text for _, text in self.messages)))


Say = Callable[[Told], JsonValue | str | Exception]
"""What a model answers: JSON, a text as it is, or how the request fails."""


def answers(*said: JsonValue | str | Exception) -> Say:
    """One after the other; the last one stays."""
    left: list[JsonValue | str | Exception] = list(said)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def planned(plan: JsonValue, says: str = "I planned it.") -> dict[str, JsonValue]:
    return {"answer": "plan", "says": says, "plan": plan}


def asks(question: str) -> dict[str, JsonValue]:
    return {"answer": "question", "says": question, "plan": None}


def refuses(why: str) -> dict[str, JsonValue]:
    return {"answer": "refusal", "says": why, "plan": None}


@dataclass
class Model:
    """The models worker's steps, over a model that says what a test wrote.

    Attributes:
        artifacts: Where what it is told lies, and what it says is put.
        say: What it answers.
        says: The same for other uses than plans, by the use.
        found: What `models.find_models` answers.
        ended: Why it says no more.
        cost: What each request costs.
    """

    artifacts: ArtifactStore
    say: Say
    says: dict[Use | None, Say] = field(default_factory=dict[Use | None, Say])
    found: ModelsFound = FOUND
    ended: Ended = Ended.STOP
    cost: int | None = 1_500
    told: list[Told] = field(default_factory=list[Told])
    sought: list[FindModelsRequest] = field(default_factory=list[FindModelsRequest])

    @implements(FIND_MODELS)
    async def find_models(self, request: FindModelsRequest) -> ModelsFound:
        assert request.use is not Use.PLAN or request.labels == ("repository",)
        self.sought.append(request)
        return self.found

    @implements(REQUEST)
    async def request(self, request: RequestModel) -> ModelAnswered:
        prompt = request.prompt
        messages = [(one.role, await self._text(part)) for one in prompt.messages for part in one.parts]
        told = Told(request=request, instructions=await self._text(prompt.instructions), messages=tuple(messages))
        self.told.append(told)
        said = self.says.get(request.use, self.say)(told)
        if isinstance(said, Exception):
            raise said
        text = said if isinstance(said, str) else json.dumps(said)
        answer = Answer(
            output=Text(reference=await self.artifacts.put(text.encode())),
            ended=self.ended,
            tokens=Tokens(input=9_000, output=100),
        )
        return ModelAnswered(
            backend=request.backend,
            model=request.model,
            answer=answer,
            cost_micros=self.cost,
            instructions=prompt.instructions.reference,
        )

    async def _text(self, part: object) -> str:
        assert isinstance(part, Text)
        return (await self.artifacts.get(part.reference)).decode() if part.reference else part.text


@dataclass
class Names:
    """GitHub's lists, and the manifests that are read beside them.

    Attributes:
        files: Answers for every other file.
        repositories: Of `github.find_repositories`.
        branches: Of `github.find_branches`.
        manifests: The text of `banksman.yaml`, or why there is none, by the repository; elsewhere is none.
    """

    files: Steps
    repositories: list[RepositoriesFound | Exception]
    branches: list[BranchesFound | Exception]
    manifests: dict[str, str | FileRead | Exception] = field(default_factory=dict[str, str | FileRead | Exception])
    asked: list[str] = field(default_factory=list[str])
    read: list[ReadFileRequest] = field(default_factory=list[ReadFileRequest])

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        if request.path != FILE_NAME:
            return await self.files.read_file(request)
        self.read.append(request)
        none = application_error(ErrorType.NOT_FOUND, f"{request.repository} has no {FILE_NAME}")
        found = self.manifests.get(request.repository, none)
        if isinstance(found, Exception):
            raise found
        return CONTENT.model_copy(update={"content": found}) if isinstance(found, str) else found

    @implements(FIND_REPOSITORIES)
    async def find_repositories(self, request: FindRepositoriesRequest) -> RepositoriesFound:
        return next_answer(self.repositories)

    @implements(FIND_BRANCHES)
    async def find_branches(self, request: FindBranchesRequest) -> BranchesFound:
        self.asked.append(request.repository)
        return next_answer(self.branches)


class AskingHouse(PlanHouse):
    """The house of plans, with a models worker, and what plans are made of."""

    def __init__(
        self, client: Client, folder: Path, say: Say, *, unasked: bool = False, decisions_of_a_day: int = 1000
    ) -> None:
        super().__init__(client, folder, unasked=unasked)
        self.book = PlayedBook()
        limits = Limits(day_decisions=decisions_of_a_day)
        models = Models(source="models.yaml", backends={}, tiers={}, routes={}, data={}, limits=limits)
        self.decisions = DecisionBook(self.book, models, environment="live")
        self.artifacts = ArtifactStore(str(folder / "artifacts"))
        self.model = Model(self.artifacts, say)
        self.names = Names(
            self.steps,
            [RepositoriesFound(repositories=("acme/shop", "acme/site"))],
            [BranchesFound(branches=("main", "old", "banksman/old-idea"))],
        )

    def _connectors_worker(self) -> Worker:
        policy, steps = PolicySource(self.path, environment="live"), self.steps
        planning, reading = Planning(lambda: self.catalogue, self.artifacts), Reading(self.artifacts)
        ours = (
            ApprovalRuleActivities(policy).resolve_rule,
            PlanBinding(lambda: self.catalogue).bind_plan,
            UnaskedPlans(policy, lambda: self.catalogue).run_unasked,
            planning.brief_planner,
            planning.read_answer,
            reading.brief_reader,
            reading.look_at_answers,
        )
        github = (steps.look_at_branch, steps.commit_files, steps.open_pull_request)
        names = (self.names.find_repositories, self.names.find_branches, self.names.read_file)
        return Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=[*ours, *github, *names])

    @contextlib.asynccontextmanager
    async def workers(
        self,
        *,
        destructive: bool = True,
        gateway: bool = False,
        interceptors: Sequence[Interceptor] = (),
        few: bool = False,
    ) -> AsyncGenerator[None]:
        steps = [self.model.find_models, self.model.request, self.decisions.count_decisions]
        async with (
            Worker(self.client, task_queue=TaskQueue.MODELS, activities=steps),
            super().workers(destructive=destructive, gateway=gateway, interceptors=interceptors, few=few),
        ):
            yield

    @property
    def decided(self) -> int:
        """How many of people's decisions the book has."""
        return sum(DecisionsPage.read(text).sum for text in self.book.pages.values())

    async def begin(self, goal: GoalType, request: GoalInput) -> WorkflowHandle[Any, Any]:
        """Start any goal."""
        return await self.client.start_workflow(
            goal.name,
            request,
            id=f"{goal.name}-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=goal.result,
            execution_timeout=timedelta(minutes=2),
        )

    async def ask_for(self, text: str, *, name: str = "", **more: Any) -> WorkflowHandle[Any, AskForResult]:
        """Ask in words."""
        return await self.client.start_workflow(
            "AskFor",
            AskForInput(text=text, **more),
            id=name or f"ask-for-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=AskForResult,
            execution_timeout=timedelta(minutes=2),
        )
