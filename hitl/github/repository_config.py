"""`.banksman/config.yaml`: what a repository asks to be begun by itself, and what it wants less of. Pure.

It is read at the default branch alone, so that a pull request changes nothing of it before it is merged. Whoever can
merge there wrote it: it can take away what the deployment's policy allows, and add nothing (`hitl.github.rules`). What
it names for a push or a pull request is begun in the name of who caused that, so that the policy judges each one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from hitl.github.cron import NotCron, is_time_zone, read_cron
from hitl.hidden import visible
from hitl.policy.path_patterns import only_takes_away
from hitl.policy.triggers import Permission, SlashCommand
from hitl.policy.yaml import Location
from workflows.catalogue import find_goal
from workflows.converter import describe_problems
from workflows.github.deciding_contracts import CONFIG
from workflows.manifest.text import MOST_MISTAKES, Mistake, Text, TextError, find_odd_values, read_text

PATH: Final = CONFIG
_MOST: Final = 50
_SAMPLE: Final[Mapping[str, JsonValue]] = {"$repository": "owner/name", "$number": 1, "$sha": "0" * 40}
"""What stands for each placeholder when the file is checked, and no event is there yet."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(pattern=r"^[\w./:=@+-]{1,100}$")]
_Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=_MOST)]
_GoalName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]


class _Part(BaseModel):
    """Unknown keys are refused, and nothing is converted in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(_Part):
    """A goal with its input, under a name."""

    goal: _GoalName = Field(description="A goal's name, as `banksman goals` tells it.", examples=["ReadFile"])
    input: dict[str, JsonValue] = Field(
        default={},
        description="Its input. `$repository`, `$number` (of the issue or pull request) and `$sha` (the new head) "
        "stand for what the event says.",
        examples=[{"repository": "$repository", "path": "README.md"}],
    )


class TriggerOf(_Part):
    """A task, and by what it is begun."""

    event: Literal["issue", "pull_request", "push"] = Field(description="What has to happen.", examples=["push"])
    actions: (
        Annotated[
            list[Literal["opened", "reopened", "labeled", "synchronize", "ready_for_review"]], Field(min_length=1)
        ]
        | None
    ) = Field(
        default=None,
        description="Which of it, for an issue or a pull request; opened and reopened when left out.",
        examples=[["opened", "synchronize"]],
    )
    branches: _Patterns | None = Field(
        default=None,
        description="Only on these: of a push the branch, of a pull request the one that it is for. `*` stands for "
        "any characters but a slash, `**` for any.",
        examples=[["main", "release/*"]],
    )
    paths: _Patterns | None = Field(
        default=None,
        description="Only where a commit of the push, or the pull request, touches one of these, written as in "
        "`.gitignore`: `*.md` is anywhere, `/*.md` at the root, `src/` is a folder with all in it, and `!` takes away.",
        examples=[["services/cart/", "!*.md"]],
    )
    labels: _Patterns | None = Field(
        default=None, description="Only where one of these labels is put on.", examples=[["banksman"]]
    )
    permission: Permission | None = Field(
        default=None, description="What who caused it has to be allowed here at least.", examples=["maintain"]
    )
    task: Name = Field(description="The name of a task.", examples=["read-readme"])


class ScheduleOf(_Part):
    """A task, and when it is begun."""

    cron: Annotated[str, StringConstraints(max_length=200)] = Field(
        description="Minute, hour, day of the month, month, weekday, as in a crontab; numbers, names, `*`, lists, "
        "ranges and steps.",
        examples=["30 3 * * MON-FRI"],
    )
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=60)] = Field(
        default="UTC", description="By its name in the time zone database.", examples=["Europe/Berlin"]
    )
    task: Name = Field(description="The name of a task.", examples=["read-readme"])


class Output(_Part):
    """What is told."""

    comments: Literal["all", "problems", "none"] = Field(
        default="all", description="Which comments are written: all, those on what was refused, or none."
    )


class RepositoryConfig(_Part):
    """What a repository asks. All of it takes away from what the deployment allows, or chooses out of it."""

    version: Literal[1] = Field(description="Of this file's form.", examples=[1])
    commands: list[SlashCommand] | None = Field(
        default=None, description="Only these can be said here; all that the deployment allows when left out."
    )
    goals: Annotated[list[_GoalName], Field(max_length=_MOST)] | None = Field(
        default=None, description="Only these can be begun from here.", examples=[["ReadFile"]]
    )
    permission: Permission | None = Field(
        default=None, description="What who asks has to be allowed here at least.", examples=["maintain"]
    )
    test: Annotated[list[Word], Field(min_length=1, max_length=20)] | None = Field(
        default=None,
        description="How its tests are run, program and arguments: for a coding job that is asked for here without "
        "saying how. The deployment has to list the command.",
        examples=[["python3", "-m", "unittest"]],
    )
    tasks: Annotated[dict[Name, Task], Field(max_length=_MOST)] = Field(
        default={}, description="Goals with their inputs, by name."
    )
    triggers: Annotated[list[TriggerOf], Field(max_length=_MOST)] = Field(
        default=[], description="What begins which task."
    )
    schedules: Annotated[dict[Name, ScheduleOf], Field(max_length=_MOST)] = Field(
        default={}, description="When which task is begun, by name. The policy says how often, and how many."
    )
    output: Output = Field(default=Output(), description="What is told.")


@dataclass(frozen=True, kw_only=True)
class BrokenConfig:
    """A file that cannot be used. Until it is mended, nothing is begun: what it forbids nobody can tell.

    Attributes:
        mistakes: Each with its line and column, in the file's order.
    """

    mistakes: tuple[Mistake, ...]

    def __str__(self) -> str:
        """One a line, as `file:line:column: key: what`."""
        return "\n".join(f"{PATH}:{line}:{column}: {where}: {text}" for line, column, where, text in self.mistakes)


def read_config(data: bytes) -> RepositoryConfig | BrokenConfig:
    """Read the file, or say all that is wrong with it."""
    try:
        text = read_text(data)
    except TextError as error:
        return _broken(error.mistakes)
    found = [
        Mistake(one.line, one.column, text.mistake(one.location, "").where, one.message)
        for one in text.document.problems
    ]
    found += find_odd_values(text)
    if not found and not isinstance(text.document.value, dict):
        found = [Mistake(1, 1, "file", "is no mapping; begin with `version: 1`")]
    if found:
        return _broken(found)
    try:
        config = RepositoryConfig.model_validate_json(json.dumps(text.document.value), strict=True)
    except ValidationError as error:
        return _broken(_of_validator(error, text))
    wrong = [text.mistake(at, message) for at, message in _problems(config)]
    return _broken(wrong) if wrong else config


def _broken(found: Iterable[Mistake]) -> BrokenConfig:
    return BrokenConfig(mistakes=tuple(sorted(set(found))[:MOST_MISTAKES]))


def filled(task: Task, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A task's input with what an event says in the place of each placeholder. One that it does not say stays.

    Only a whole value is a placeholder: nothing of an event becomes a part of a longer text.
    """
    return {name: _filled(value, values) for name, value in task.input.items()}


def _filled(value: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    match value:
        case str():
            return values.get(value, value)
        case list():
            return [_filled(one, values) for one in value]
        case dict():
            return {name: _filled(one, values) for name, one in value.items()}
        case _:
            return value


def _problems(config: RepositoryConfig) -> Iterator[tuple[Location, str]]:
    """Names that are not there, inputs that no goal takes, and conditions that an event never meets."""
    for index, name in enumerate(config.goals or ()):
        if find_goal(name) is None:
            yield ("goals", index), f"there is no goal {name!r}; `banksman goals` tells which there are"
    for name, task in config.tasks.items():
        yield from _of_task(task, ("tasks", name))
    for name, one in config.schedules.items():
        yield from _of_schedule(one, config, ("schedules", name))
    for index, one in enumerate(config.triggers):
        yield from _of_trigger(one, config, ("triggers", index))


def _of_task(task: Task, at: Location) -> Iterator[tuple[Location, str]]:
    goal = find_goal(task.goal)
    if goal is None:
        yield (*at, "goal"), f"there is no goal {task.goal!r}; `banksman goals` tells which there are"
        return
    try:
        goal.input.model_validate_json(json.dumps(filled(task, _SAMPLE)))
    except ValidationError as error:
        yield (*at, "input"), visible(describe_problems(goal.input, error))


def _of_schedule(one: ScheduleOf, config: RepositoryConfig, at: Location) -> Iterator[tuple[Location, str]]:
    try:
        read_cron(one.cron)
    except NotCron as error:
        yield (*at, "cron"), visible(str(error))
    if not is_time_zone(one.time_zone):
        yield (*at, "time_zone"), f"there is no time zone {visible(one.time_zone)!r}; write one as in `Europe/Berlin`"
    task = config.tasks.get(one.task)
    if task is None:
        yield (*at, "task"), f"there is no task {one.task!r}; name it under `tasks`"
    elif "$number" in json.dumps(task.input):
        yield (*at, "task"), f"{one.task!r} is about an issue or a pull request, and no time is: take out `$number`"


def _of_trigger(one: TriggerOf, config: RepositoryConfig, at: Location) -> Iterator[tuple[Location, str]]:
    if one.task not in config.tasks:
        yield (*at, "task"), f"there is no task {one.task!r}; name it under `tasks`"
    pushed = one.event == "push"
    if one.paths and only_takes_away(one.paths):
        yield (*at, "paths"), "only take away; name what they take it from first, as in `**`"
    if pushed and (one.actions or one.labels):
        key = "actions" if one.actions else "labels"
        yield (*at, key), f"a push has no {key}; take them out"
    if one.event == "issue" and one.paths:
        yield (*at, "paths"), "an issue touches no files; take them out"
    if one.event == "issue":
        if one.branches:
            yield (*at, "branches"), "an issue is on no branch; take them out"
        if odd := [name for name in one.actions or () if name in {"synchronize", "ready_for_review"}]:
            yield (*at, "actions"), f"an issue is never {odd[0]}; take it out"
    if one.labels and "labeled" not in (one.actions or ()):
        yield (*at, "labels"), "are put on by the action `labeled`; add `actions: [labeled]`"


def _of_validator(error: ValidationError, text: Text) -> Iterator[Mistake]:
    for one in error.errors(include_url=False):
        at = tuple(part for part in one["loc"] if part != "[key]")
        of_key = one["type"] in {"extra_forbidden", "missing"} or one["loc"][-1:] == ("[key]",)
        yield text.mistake(at, _advice(one, at, text), key=of_key)


def _advice(error: ErrorDetails, at: Location, text: Text) -> str:
    given = f"`{text.written_at(at)}`"
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {visible(str(at[-1])[:60])!r}; the page on slash commands tells which there are"
        case "missing":
            return "is missing; add it"
        case "enum" | "literal_error":
            return f"{given} is not known here; write {error.get('ctx', {}).get('expected')}"
        case "string_pattern_mismatch":
            return f"{given} is not a name as it has to be written here"
        case "too_short" | "string_too_short":
            return "is empty; write at least one, or take it out"
        case _:
            return f"{given}: {visible(error['msg'].removeprefix('Value error, '))}"
