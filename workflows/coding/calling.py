"""One call of a tool: the step that makes it, and its answer in a few lines."""

from typing import Protocol, TypedDict, TypeVar

from pydantic import BaseModel

from activities.sandbox.session_contracts import (
    LIST_FILES,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    ListFilesRequest,
    ReadTextRequest,
    Replacement,
    RunProgramRequest,
    SearchFilesRequest,
    ToolAnswer,
    WriteFileRequest,
)
from activities.step import Step
from workflows.coding.goals import MOST_TOLD, CallDone, ToolCall

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")


class SessionLost(Exception):
    """The session is gone, with what was changed in it; the message says how."""


class WorkEnds(Exception):
    """What is done in a session ends there, for good; the message says why."""


class JobRefused(WorkEnds):
    """A coding job ends here, and nothing was changed. The message says why, and what to do."""


class _Of(TypedDict):
    session: str
    repository: str


class TakesStep(Protocol):
    """`Goal.step`."""

    async def __call__(self, step: Step[Request, Response], request: Request, *, summary: str) -> Response:
        """See there."""
        ...


async def called(step: TakesStep, call: ToolCall, *, session: str, repository: str) -> CallDone:
    """Make one call.

    Args:
        step: Takes it.
        call: Which.
        session: Where.
        repository: Of the session.

    Raises:
        SessionLost: There is no session any more.
    """
    of = _Of(session=session, repository=repository)
    summary = f"{call.tool.capitalize()} {call.on()}"[:200]
    done = CallDone(tool=call.tool, on=call.on()[:500])
    match call.tool:
        case "list":
            listed = await step(LIST_FILES, ListFilesRequest(**of, path=call.path or ""), summary=summary)
            lines = [f"{one.path}{'/' if one.kind == 'folder' else ''}" for one in listed.entries]
            return _told(done, listed, "\n".join([*lines, *(["…"] if listed.more else [])]))
        case "read":
            read = await step(READ_TEXT, ReadTextRequest(**of, path=call.path or ""), summary=summary)
            return _told(done, read, read.text)
        case "search":
            where = (call.path,) if call.path else ()
            asked = SearchFilesRequest(**of, pattern=call.pattern or "", paths=where)
            found = await step(SEARCH_FILES, asked, summary=summary)
            lines = [f"{one.path}:{one.line}: {one.text}" for one in found.hits]
            return _told(done, found, "\n".join([*lines, *(["…"] if found.more else [])]))
        case "write":
            written = await step(WRITE_FILE, _writing(call, of), summary=summary)
            return _told(done, written, written.made or "")
        case "run":
            command = RunProgramRequest(**of, command=call.command or (), seconds=call.timeout_seconds)
            ran = await step(RUN_PROGRAM, command, summary=summary)
            ended = done.model_copy(update={"exit_code": ran.exit_code, "ended": ran.ended})
            return _told(ended, ran, ran.stdout + ran.stderr)


def _writing(call: ToolCall, of: _Of) -> WriteFileRequest:
    pieces = (Replacement(old=call.replace, new=call.by),) if call.replace is not None else ()
    return WriteFileRequest(
        **of,
        path=call.path or "",
        content=call.content,
        replace=pieces,
        delete=call.delete,
        executable=call.executable,
    )


def _told(done: CallDone, answer: ToolAnswer, text: str) -> CallDone:
    if answer.lost:
        raise SessionLost(answer.refused or "")
    if len(text) > MOST_TOLD:
        half, left = MOST_TOLD // 2, len(text) - MOST_TOLD
        text = f"{text[:half]}\n… {left} characters left out …\n{text[-half:]}"
    return done.model_copy(update={"refused": answer.refused, "told": text})
