"""The tools of an investigator: each is one read of the catalogue, and none can be anything else.

A model chooses a tool and its inputs, and nothing besides. Inputs are checked here, the repository against what people
named, and the guard looks at the step as at every other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from activities.github.contracts import (
    LOOK_AT_BRANCH,
    LOOK_AT_PULL_REQUEST,
    READ_FILE,
    FileRead,
    LookAtBranchRequest,
    LookAtPullRequestRequest,
    ReadFileRequest,
)
from activities.github.listing_contracts import LIST_FILES, FilesListed, ListFilesRequest
from activities.step import Step
from activities.telemetry.contracts import (
    MOST_LINES,
    MOST_MINUTES,
    QUERY_METRICS,
    SEARCH_LOGS,
    QueryMetricsRequest,
    SearchLogsRequest,
    TelemetryFound,
    Words,
)
from connectors.models.messages import Tool, ToolCall
from hitl.hidden import visible
from hitl.plan_language.grounds import stands_in
from hitl.protocol import Effect
from sandbox.tools.rules import Glob
from workflows.agent.history_contracts import (
    FIND_GOALS,
    READ_HISTORY,
    FindGoalsRequest,
    ReadHistoryRequest,
    Short,
    WorkflowId,
)
from workflows.coding.goals import SEARCH_REPOSITORY, SearchRepositoryInput
from workflows.contracts import GitRef, GoalInput, RepositoryName, RepositoryPath
from workflows.goal_type import GoalType
from workflows.pulumi.goals import INSPECT_STACK, InspectStackInput

MOST_INLINE: Final = 8_000
"""Characters of a result that has no artifact: it stands in the history."""
MOST_ARGUMENTS: Final = 4_000
"""Characters of a tool's inputs, as the model writes them."""
_MOST_HITS: Final = 50
Given = TypeVar("Given", bound=BaseModel)


class ToolRefused(Exception):
    """A call that is not made. The message is for the model."""


class Inputs(BaseModel):
    """What a model may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OfRepository(Inputs):
    """Of one that people named."""

    repository: RepositoryName
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch without.")


class ListFilesInputs(OfRepository):
    """Which files."""

    contains: Annotated[str, Field(max_length=200)] = Field(default="", description="Words in the path.")


class ReadFileInputs(OfRepository):
    """Which file."""

    path: RepositoryPath
    from_line: int = Field(default=1, ge=1, le=10**6)


class SearchInputs(OfRepository):
    """For what."""

    pattern: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="A POSIX extended regular expression; with `fixed` the text itself."
    )
    paths: tuple[Glob, ...] = Field(default=(), max_length=20, description="As in src/**/*.py; everywhere without.")
    fixed: bool = False
    any_case: bool = False


class BranchInputs(Inputs):
    """Which branch."""

    repository: RepositoryName
    branch: GitRef


class PullRequestInputs(Inputs):
    """Which pull request."""

    repository: RepositoryName
    number: int = Field(ge=1)


class HistoryInputs(Inputs):
    """Which goal."""

    goal: WorkflowId = Field(description="Its workflow id.")


class FindGoalsInputs(Inputs):
    """Which goals; all that is given must be so."""

    name: Short = Field(default="", description="As in PreviewAndUp.")
    state: Short = Field(default="", description="As in failed, parked, completed, denied.")
    repository: Short = ""
    hours: int = Field(default=24, ge=1, le=720)


class LogsInputs(Inputs):
    """Which lines; all that is given must be so."""

    contains: Words = Field(default="", description="Words that the line has, as they are.")
    service: Words = Field(default="", description="As in worker-connectors.")
    goal: Words = Field(default="", description="A workflow id that the line tells of.")
    minutes: int = Field(default=60, ge=1, le=MOST_MINUTES, description="Back from now.")
    lines: int = Field(default=50, ge=1, le=MOST_LINES)


class MetricsInputs(Inputs):
    """Which numbers."""

    expression: str = Field(min_length=1, max_length=2000, description="PromQL.")
    minutes: int = Field(default=60, ge=1, le=MOST_MINUTES, description="Back from now.")


class StackInputs(Inputs):
    """Which stack."""

    repository: RepositoryName
    stack: Annotated[str, Field(max_length=100)]
    folder: RepositoryPath | None = Field(default=None, description="Where its Pulumi.yaml lies; the root without.")


@dataclass(frozen=True, kw_only=True)
class Gave:
    """What a tool gave: a text that is short, or an artifact."""

    text: str = ""
    reference: str | None = None
    failed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class StepTool:
    """A tool that is one step.

    Attributes:
        name: As the model says it.
        does: For the model, in a sentence.
        takes: What it says besides.
        step: Of the catalogue.
        asks: The step's request, from what the model said.
        gives: What the model is told, from the step's answer.
        needs: What the deployment must have.

    Raises:
        ValueError: The step may do more than read.
    """

    name: str
    does: str
    takes: type[Inputs]
    step: Step[Any, Any]
    asks: Callable[[Any], BaseModel]
    gives: Callable[[Any], Gave]
    needs: Literal["logs", "metrics"] | None = None

    def __post_init__(self) -> None:
        """Refuse what does more."""
        _require_read(self.name, self.step.name, self.step.effect)


@dataclass(frozen=True, kw_only=True, eq=False)
class GoalTool:
    """A tool that is one goal, run as a child.

    Attributes:
        name: As the model says it.
        does: For the model, in a sentence.
        takes: What it says besides.
        goal: Of the catalogue.
        asks: The goal's input, from what the model said.

    Raises:
        ValueError: The goal may do more than read.
    """

    name: str
    does: str
    takes: type[Inputs]
    goal: GoalType
    asks: Callable[[Any], GoalInput]

    @property
    def needs(self) -> Literal["sandbox"] | None:
        """What the deployment must have; goals on stacks run there, too."""
        return None if self.goal.needs is None else "sandbox"

    def __post_init__(self) -> None:
        """Refuse what does more."""
        _require_read(self.name, self.goal.name, self.goal.effect)


AnyTool: TypeAlias = StepTool | GoalTool


def _require_read(tool: str, of: str, effect: Effect) -> None:
    if effect is not Effect.READ:
        raise ValueError(f"the tool {tool!r} would be {of!r}, which is {effect}: an investigator's tools only read")


def gave(answer: BaseModel) -> Gave:
    """What a short answer says, as JSON; without what it does not say."""
    return Gave(text=within(answer.model_dump_json(indent=1, exclude_defaults=True)))


def within(text: str) -> str:
    """A text that may stand in a history."""
    return text if len(text) <= MOST_INLINE else f"{text[:MOST_INLINE]}\n[… the rest is left out]"


def _file(found: FileRead) -> Gave:
    return Gave(text=found.content or "", reference=found.artifact)


def _artifact(found: TelemetryFound | FilesListed) -> Gave:
    return Gave(reference=found.artifact)


def _asks(made: type[Given]) -> Callable[[Any], Given]:
    """The step's own request from inputs that have the same names."""
    return lambda given: made.model_validate(given.model_dump())


TOOLS: Final[tuple[AnyTool, ...]] = (
    StepTool(
        name="list_files",
        does="List the files of a repository, with their sizes.",
        takes=ListFilesInputs,
        step=LIST_FILES,
        asks=_asks(ListFilesRequest),
        gives=_artifact,
    ),
    StepTool(
        name="read_file",
        does="Read a text file of a repository.",
        takes=ReadFileInputs,
        step=READ_FILE,
        asks=lambda given: ReadFileRequest(repository=given.repository, path=given.path, ref=given.ref, inline=0),
        gives=_file,
    ),
    GoalTool(
        name="search_files",
        does="Find the lines of a repository's files that match, in the sandbox.",
        takes=SearchInputs,
        goal=SEARCH_REPOSITORY,
        asks=lambda given: SearchRepositoryInput.model_validate({**given.model_dump(), "most": _MOST_HITS}),
    ),
    StepTool(
        name="look_at_branch",
        does="Tell where a branch stands, and which commits only it holds.",
        takes=BranchInputs,
        step=LOOK_AT_BRANCH,
        asks=_asks(LookAtBranchRequest),
        gives=gave,
    ),
    StepTool(
        name="look_at_pull_request",
        does="Tell a pull request's state, reviews and checks.",
        takes=PullRequestInputs,
        step=LOOK_AT_PULL_REQUEST,
        asks=_asks(LookAtPullRequestRequest),
        gives=gave,
    ),
    StepTool(
        name="read_history",
        does="Tell what a goal did: its steps, how each ended, and why.",
        takes=HistoryInputs,
        step=READ_HISTORY,
        asks=_asks(ReadHistoryRequest),
        gives=gave,
    ),
    StepTool(
        name="find_goals",
        does="List goals that were started lately, with their ids and states.",
        takes=FindGoalsInputs,
        step=FIND_GOALS,
        asks=_asks(FindGoalsRequest),
        gives=gave,
    ),
    StepTool(
        name="search_logs",
        does="Find the newest log lines of Banksman's own processes and sandboxes.",
        takes=LogsInputs,
        step=SEARCH_LOGS,
        asks=_asks(SearchLogsRequest),
        gives=_artifact,
        needs="logs",
    ),
    StepTool(
        name="query_metrics",
        does="Ask Prometheus for numbers over a time.",
        takes=MetricsInputs,
        step=QUERY_METRICS,
        asks=_asks(QueryMetricsRequest),
        gives=_artifact,
        needs="metrics",
    ),
    GoalTool(
        name="inspect_stack",
        does="Tell a Pulumi stack's outputs, its deployments, and who holds its lock.",
        takes=StackInputs,
        goal=INSPECT_STACK,
        asks=_asks(InspectStackInput),
    ),
    GoalTool(
        name="look_for_drift",
        does="Tell what stands outside otherwise than a Pulumi stack's state says. Takes minutes.",
        takes=StackInputs,
        goal=INSPECT_STACK,
        asks=lambda given: InspectStackInput.model_validate({**given.model_dump(), "drift": True}),
    ),
)


def offered(*, logs: bool, metrics: bool, sandbox: bool) -> Mapping[str, AnyTool]:
    """The tools that this deployment can answer, by their names."""
    there = {None: True, "logs": logs, "metrics": metrics, "sandbox": sandbox}
    return {one.name: one for one in TOOLS if there[one.needs]}


def told(tools: Mapping[str, AnyTool]) -> tuple[Tool, ...]:
    """As a model is told them."""
    return tuple(
        Tool(name=one.name, description=one.does, parameters=_schema(one.takes.model_json_schema()))
        for one in tools.values()
    )


def called(call: ToolCall, tools: Mapping[str, AnyTool], *, words: Sequence[str]) -> tuple[AnyTool, BaseModel, Inputs]:
    """The tool, what it is asked, and what the model said.

    Args:
        call: As the model wrote it.
        tools: Those that it was told.
        words: What people wrote: a repository has to stand there.

    Raises:
        ToolRefused: There is no such tool, the inputs are none of its own, or nobody named the repository.
    """
    tool = tools.get(call.tool)
    if tool is None:
        raise ToolRefused(f"there is no tool {visible(call.tool)!r}; there are: {', '.join(tools)}. Each only reads.")
    if not call.well_formed or len(call.arguments) > MOST_ARGUMENTS:
        raise ToolRefused(f"the inputs have to be one JSON object of {MOST_ARGUMENTS} characters at most")
    try:
        given = tool.takes.model_validate_json(call.arguments)
        asked = tool.asks(given)
    except ValidationError as error:
        raise ToolRefused(_wrong(error)) from error
    repository = str(getattr(given, "repository", ""))
    if repository and tool.name != FIND_GOALS_TOOL and not stands_in(words, repository):
        raise ToolRefused(f"nobody named {repository!r}: only repositories that people named may be looked into")
    return tool, asked, given


FIND_GOALS_TOOL: Final = "find_goals"


def _wrong(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[:5]
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the inputs'}: {one['msg']}" for one in found)


def _schema(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Without what says nothing to a model: it stands in every request."""
    clean: dict[str, JsonValue] = json.loads(json.dumps(schema))
    clean.pop("description", None)
    clean.pop("title", None)
    properties = clean.get("properties")
    for one in properties.values() if isinstance(properties, dict) else ():
        if isinstance(one, dict):
            one.pop("title", None)
            _without_null(one)
    return clean


def _without_null(field: dict[str, JsonValue]) -> None:
    """What may be null may be left out, and a model is told of that by its not being required."""
    match field:
        case {"anyOf": [dict(other), {"type": "null"}], "default": None}:
            del field["anyOf"], field["default"]
            field.update(other)
        case _:
            pass
