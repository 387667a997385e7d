"""The steps of a session as goals call them: one container on a commit, and tools that work in it one after another.

Every answer is a result: `refused` says why a tool did not do what it was asked and what it does instead, and `lost`
that the session is gone. Nothing outside of the container changes by any of them. Looking is declared `read`. What
writes and what runs is declared `write`, as for a single command in the sandbox: where an environment is `read_only`,
no code of a repository runs and no change is prepared.
"""

from datetime import timedelta
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from temporalio.common import RetryPolicy

from activities.presets import Preset
from activities.queues import TaskQueue
from activities.sandbox.contracts import Source
from activities.step import Step
from hitl.protocol import Effect, PolicyContext
from sandbox.result import Ended
from sandbox.tools.rules import SessionRules

LONGEST_SESSION: Final = 3600
LONGEST_RUN: Final = 900
MOST_CALLS: Final = 500
"""Of one session."""
MOST_CONTENT: Final = 256 * 1024
"""Bytes that one call writes."""
TRIES: Final = 6
_LONGEST_CONTEXT: Final = 200


class OpenSessionRequest(BaseModel):
    """Which commit, and what may be done with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    rules: SessionRules = Field(default=SessionRules(), description="They narrow the deployment's.")
    patch: str | None = Field(
        default=None, description="The artifact of a change that is made first, as `sandbox.keep_changes` kept it."
    )
    libraries: str | None = Field(
        default=None, description="The artifact of packages that are there, as `sandbox.update_dependencies` kept it."
    )
    seconds: int = Field(default=1800, ge=10, le=LONGEST_SESSION, description="Then it is closed, whoever works in it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.source.repository)


class SessionOpened(BaseModel):
    """The session."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    session: str = Field(description="Its name, for the calls that follow.")


class SessionRequest(BaseModel):
    """What every call in a session says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    session: str
    repository: str = Field(description="OWNER/NAME of the session's: a call that names another is refused.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the repository, and the path or command as `resource`."""
        touched = PolicyContext.of_repository(self.repository)
        return touched.model_copy(update={"resource": self.touches()[:_LONGEST_CONTEXT] or None})

    def touches(self) -> str:
        """A path, a command, or nothing in particular."""
        return ""


class ListFilesRequest(SessionRequest):
    """What lies in a folder."""

    path: str = Field(default="", description="From the root of the repository; the root when empty.")
    depth: int = Field(default=1, ge=1, le=10, description="How many folders deep.")
    most: int = Field(default=500, ge=1, le=2000)

    def touches(self) -> str:
        """The folder."""
        return self.path


class ReadTextRequest(SessionRequest):
    """Lines of a text."""

    path: str
    first: int = Field(default=1, ge=1, description="The first line, from 1.")
    lines: int = Field(default=2000, ge=1, le=10_000)

    def touches(self) -> str:
        """The file."""
        return self.path


class SearchFilesRequest(SessionRequest):
    """Lines that match."""

    pattern: str = Field(min_length=1, max_length=500, description="A POSIX extended regular expression.")
    fixed: bool = Field(default=False, description="The pattern is the text itself.")
    any_case: bool = False
    paths: tuple[str, ...] = Field(default=(), max_length=20, description="Where, as in src/**/*.py; else everywhere.")
    most: int = Field(default=200, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if any("\0" in one or "\n" in one for one in (self.pattern, *self.paths)):
            msg = "a pattern is one line, without a zero byte"
            raise ValueError(msg)
        return self


class Replacement(BaseModel):
    """A piece of a file, and what it shall be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    old: str = Field(min_length=1, description="It must be there once.")
    new: str


class WriteFileRequest(SessionRequest):
    """What a file shall be: its content, the old one with pieces replaced, or gone."""

    path: str
    content: str | None = None
    replace: tuple[Replacement, ...] = Field(default=(), max_length=50)
    delete: bool = False
    executable: bool | None = Field(default=None, description="As it was when left out; a new file is none.")
    expects: str | None = Field(default=None, description="The SHA-256 that it was read with; of a new file, ''.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [self.content is not None, bool(self.replace), self.delete].count(True) != 1:
            msg = f"{self.path[:80]!r} needs exactly one of 'content', 'replace' and 'delete': true"
            raise ValueError(msg)
        return self

    def touches(self) -> str:
        """The file."""
        return self.path


class RunProgramRequest(SessionRequest):
    """One command of the list, in the root of the repository."""

    command: tuple[str, ...] = Field(max_length=200)
    seconds: int = Field(default=300, ge=1, le=LONGEST_RUN, description="Then it is stopped.")

    def touches(self) -> str:
        """The command, with a space between its words; what decides on it is the list, word by word."""
        return " ".join(self.command)


class KeepChangesRequest(SessionRequest):
    """Keep what differs from the commit."""


class CloseSessionRequest(SessionRequest):
    """End it."""


class ToolAnswer(BaseModel):
    """What every answer may say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refused: str | None = Field(default=None, description="Why it was not done, and what may be.")
    lost: bool = Field(default=False, description="Whether the session is gone; `refused` says how.")


class Entry(BaseModel):
    """One name in a folder. It is a stranger's word."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    kind: Literal["file", "folder", "link", "other"]
    size: int = 0


class FilesListed(ToolAnswer):
    """What was found."""

    entries: tuple[Entry, ...] = ()
    more: bool = Field(default=False, description="Whether some are left out.")


class TextRead(ToolAnswer):
    """The lines."""

    text: str = ""
    lines: int = Field(default=0, description="Of the whole file.")
    following: int | None = Field(default=None, description="The line to go on with; None at the end.")
    size: int = Field(default=0, description="Bytes of the whole file.")
    sha256: str = ""


class Hit(BaseModel):
    """One line that matches."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    line: int
    text: str


class FilesSearched(ToolAnswer):
    """The lines, in the order of their paths."""

    hits: tuple[Hit, ...] = ()
    more: bool = Field(default=False, description="Whether some are left out.")


class FileWritten(ToolAnswer):
    """What became of the file."""

    made: Literal["created", "changed", "deleted"] | None = None
    size: int = 0
    sha256: str = ""


class ProgramRun(ToolAnswer):
    """How a command ended. One that failed is a result."""

    exit_code: int | None = None
    ended: Ended | None = None
    oom_seen: bool = False
    stdout: str = ""
    stderr: str = ""
    truncated: bool = Field(default=False, description="Whether the middle of an output was left out.")
    seconds: float = 0


class ChangedFile(BaseModel):
    """One file of the change."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    change: Literal["added", "changed", "deleted"]
    executable: bool = False
    added: int | None = Field(default=None, description="Lines; None where it is no text.")
    removed: int | None = None
    size: int = Field(default=0, description="Bytes of what it is now.")
    content: str | None = Field(default=None, description="Where the artifact store has what it is now.")


class ChangesKept(ToolAnswer):
    """What differs from the commit, as far as the rules let it leave the session."""

    files: tuple[ChangedFile, ...] = ()
    patch: str | None = Field(default=None, description="Where the artifact store has all of it, as git's patch.")
    patch_size: int = 0
    head: str = Field(default="", description="The beginning of the patch, up to 32 kB.")
    left_out: tuple[str, ...] = Field(default=(), description="What is not in it, each with its reason.")


class SessionClosed(ToolAnswer):
    """It is gone, and was perhaps before."""


def _tried(seconds: float) -> Preset:
    """The worker that holds a session is found by trying; one that is lost is told as lost at the last try."""
    return Preset(
        start_to_close=timedelta(seconds=seconds),
        schedule_to_close=timedelta(hours=12),
        heartbeat=timedelta(seconds=20),
        retry=RetryPolicy(
            initial_interval=timedelta(milliseconds=500),
            backoff_coefficient=1.5,
            maximum_interval=timedelta(seconds=5),
            maximum_attempts=TRIES,
        ),
    )


_CALL: Final = _tried(180)
_ON: Final = TaskQueue.SANDBOX

OPEN_SESSION: Final = Step(
    name="sandbox.open_session", request=OpenSessionRequest, response=SessionOpened, effect=Effect.READ, on=_ON,
    tried=_tried(300),
)  # fmt: skip
LIST_FILES: Final = Step(
    name="sandbox.list_files", request=ListFilesRequest, response=FilesListed, effect=Effect.READ, on=_ON, tried=_CALL
)
READ_TEXT: Final = Step(
    name="sandbox.read_text", request=ReadTextRequest, response=TextRead, effect=Effect.READ, on=_ON, tried=_CALL
)
SEARCH_FILES: Final = Step(
    name="sandbox.search_files", request=SearchFilesRequest, response=FilesSearched, effect=Effect.READ, on=_ON,
    tried=_CALL,
)  # fmt: skip
WRITE_FILE: Final = Step(
    name="sandbox.write_file", request=WriteFileRequest, response=FileWritten, effect=Effect.WRITE, on=_ON, tried=_CALL
)
RUN_PROGRAM: Final = Step(
    name="sandbox.run_program", request=RunProgramRequest, response=ProgramRun, effect=Effect.WRITE, on=_ON,
    tried=_tried(LONGEST_RUN + 180),
)  # fmt: skip
KEEP_CHANGES: Final = Step(
    name="sandbox.keep_changes", request=KeepChangesRequest, response=ChangesKept, effect=Effect.READ, on=_ON,
    tried=_CALL,
)  # fmt: skip
CLOSE_SESSION: Final = Step(
    name="sandbox.close_session", request=CloseSessionRequest, response=SessionClosed, effect=Effect.READ, on=_ON,
    tried=_CALL,
)  # fmt: skip
