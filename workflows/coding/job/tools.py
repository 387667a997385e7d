"""The tools of a model that works on code: each is one step of its session, and none reaches anything else.

A model chooses a tool and its inputs, and nothing besides: the session, the repository and the rules are the job's.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from activities.sandbox.session_contracts import (
    LIST_FILES,
    LONGEST_RUN,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    FilesListed,
    FilesSearched,
    FileWritten,
    ProgramRun,
    Replacement,
    TextRead,
    ToolAnswer,
)
from activities.step import Step
from connectors.models.messages import Tool, ToolCall
from hitl.hidden import visible
from sandbox.tools.rules import Glob
from workflows.agent.tools import Inputs, ToolRefused

MOST_ARGUMENTS: Final = 32_000
"""Characters of a tool's inputs: a file that is written whole stands in them, and in the history."""
_LINES: Final = 400
_HITS: Final = 100
_ENTRIES: Final = 300
_MOST_OUTPUT: Final = 12_000
"""Characters of what a program wrote that a model is told: its beginning and its end."""
Path = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ListInputs(Inputs):
    """Which folder."""

    path: str = Field(default="", max_length=500, description="From the root; the root without.")
    depth: int = Field(default=1, ge=1, le=5, description="How many folders deep.")


class ReadInputs(Inputs):
    """Which lines."""

    path: Path
    first: int = Field(default=1, ge=1, le=10**6, description=f"The first line; {_LINES} are told.")


class FindInputs(Inputs):
    """For what."""

    pattern: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="A POSIX extended regular expression; with `fixed` the text itself."
    )
    paths: tuple[Glob, ...] = Field(default=(), max_length=20, description="As in src/**/*.py; everywhere without.")
    fixed: bool = False
    any_case: bool = False


class WriteInputs(Inputs):
    """A whole file."""

    path: Path
    content: str = Field(description="All of it.")
    executable: bool | None = Field(default=None, description="As it was without.")


class ReplaceInputs(Inputs):
    """A piece of a file."""

    path: Path
    old: str = Field(min_length=1, description="What stands there, letter by letter; it must be there once.")
    new: str = Field(description="What shall stand there.")


class DeleteInputs(Inputs):
    """Which file."""

    path: Path


class RunInputs(Inputs):
    """One program."""

    command: tuple[Annotated[str, StringConstraints(max_length=4096)], ...] = Field(
        min_length=1, max_length=100, description="Program and arguments, in the root; there is no shell."
    )
    seconds: int = Field(default=300, ge=1, le=LONGEST_RUN, description="Then it is stopped.")


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionTool:
    """A tool that is one step of the session.

    Attributes:
        name: As the model says it.
        does: For the model, in a sentence.
        takes: What it says besides.
        step: Of the session.
        asks: Of the step's request what the model chose.
        gives: What the model is told, from the step's answer.
        changes: Whether a job that only looks has it not.
    """

    name: str
    does: str
    takes: type[Inputs]
    step: Step[Any, Any]
    asks: Callable[[Any], Mapping[str, Any]]
    gives: Callable[[Any], str]
    changes: bool = False


def _listed(answer: FilesListed) -> str:
    lines = [f"{one.path}{'/' if one.kind == 'folder' else ''}" for one in answer.entries]
    return "\n".join([*lines, *(["… and more"] if answer.more else [])]) or "It is empty."


def _read(answer: TextRead) -> str:
    more = f"\n[… goes on with line {answer.following} of {answer.lines}]" if answer.following else ""
    return f"{answer.text}{more}"


def _found(answer: FilesSearched) -> str:
    lines = [f"{one.path}:{one.line}: {one.text}" for one in answer.hits]
    return "\n".join([*lines, *(["… and more"] if answer.more else [])]) or "Nothing matches."


def _written(answer: FileWritten) -> str:
    return f"{answer.made}: {answer.size} bytes"


def ran(answer: ProgramRun) -> str:
    """How a program ended, and what it wrote, its middle left out where it is long."""
    wrote = f"{answer.stdout}{answer.stderr}"
    if len(wrote) > _MOST_OUTPUT:
        half = _MOST_OUTPUT // 2
        wrote = f"{wrote[:half]}\n[… {len(wrote) - _MOST_OUTPUT} characters are left out …]\n{wrote[-half:]}"
    ended = f"exit status {answer.exit_code}" if answer.ended == "exit" else f"stopped: {answer.ended}"
    return f"{ended}\n{wrote}"


TOOLS: Final = (
    SessionTool(
        name="list_files",
        does="List what lies in a folder.",
        takes=ListInputs,
        step=LIST_FILES,
        asks=lambda given: {**given.model_dump(), "most": _ENTRIES},
        gives=_listed,
    ),
    SessionTool(
        name="read_file",
        does="Read lines of a text file.",
        takes=ReadInputs,
        step=READ_TEXT,
        asks=lambda given: {**given.model_dump(), "lines": _LINES},
        gives=_read,
    ),
    SessionTool(
        name="search_files",
        does="Find the lines of files that match.",
        takes=FindInputs,
        step=SEARCH_FILES,
        asks=lambda given: {**given.model_dump(), "most": _HITS},
        gives=_found,
    ),
    SessionTool(
        name="write_file",
        does="Write a file whole; a new one, or in place of what is there. For a piece of a long one, replace.",
        takes=WriteInputs,
        step=WRITE_FILE,
        asks=lambda given: given.model_dump(),
        gives=_written,
        changes=True,
    ),
    SessionTool(
        name="replace_in_file",
        does="Replace a piece of a file.",
        takes=ReplaceInputs,
        step=WRITE_FILE,
        asks=lambda given: {"path": given.path, "replace": (Replacement(old=given.old, new=given.new),)},
        gives=_written,
        changes=True,
    ),
    SessionTool(
        name="delete_file",
        does="Delete a file.",
        takes=DeleteInputs,
        step=WRITE_FILE,
        asks=lambda given: {"path": given.path, "delete": True},
        gives=_written,
        changes=True,
    ),
    SessionTool(
        name="run",
        does="Run a program of the list, without a network. What is not on the list is refused with the list.",
        takes=RunInputs,
        step=RUN_PROGRAM,
        asks=lambda given: given.model_dump(),
        gives=ran,
        changes=True,
    ),
)


def offered(*, changes: bool) -> Mapping[str, SessionTool]:
    """The tools of a job, by their names: without those that change or run anything, where it only looks."""
    return {one.name: one for one in TOOLS if changes or not one.changes}


def told(tools: Mapping[str, SessionTool]) -> tuple[Tool, ...]:
    """As a model is told them."""
    return tuple(
        Tool(name=one.name, description=one.does, parameters=_plain(one.takes.model_json_schema()))
        for one in tools.values()
    )


def called(
    call: ToolCall, tools: Mapping[str, SessionTool], *, session: str, repository: str
) -> tuple[SessionTool, BaseModel]:
    """The tool, and its step's request.

    Args:
        call: As the model wrote it.
        tools: Those that it was told.
        session: The job's.
        repository: Of the session.

    Raises:
        ToolRefused: There is no such tool, or the inputs are none of its own.
    """
    tool = tools.get(call.tool)
    if tool is None:
        raise ToolRefused(f"there is no tool {visible(call.tool)!r}; there are: {', '.join(tools)}")
    if not call.well_formed or len(call.arguments) > MOST_ARGUMENTS:
        raise ToolRefused(
            f"the inputs have to be one JSON object of {MOST_ARGUMENTS} characters at most: write a long file in pieces"
        )
    try:
        given = tool.takes.model_validate_json(call.arguments)
        asked = tool.step.request.model_validate({**tool.asks(given), "session": session, "repository": repository})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)[:5]
        told_ = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the inputs'}: {one['msg']}" for one in found)
        raise ToolRefused(visible(told_)) from error
    return tool, asked


def gave(tool: SessionTool, answer: ToolAnswer) -> tuple[str, bool]:
    """What the model is told, and whether that is a refusal."""
    return (answer.refused, True) if answer.refused is not None else (tool.gives(answer), False)


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing to a model: it stands in every request."""
    clean: dict[str, Any] = json.loads(json.dumps(schema))
    for one in (clean, *clean.get("properties", {}).values()):
        one.pop("title", None)
    clean.pop("description", None)
    return clean
