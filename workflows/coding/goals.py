"""What people ask to be found or changed in a repository's files, and what came of it."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from temporalio.common import SearchAttributeKey

from activities.sandbox.session_contracts import LONGEST_RUN, MOST_CONTENT
from hitl.plan_language.labels import POSITION, TRUST
from hitl.protocol import Effect
from sandbox.tools.rules import Glob
from workflows.contracts import REPOSITORY_ATTRIBUTE, GitRef, GoalInput, GoalResult, RepositoryName
from workflows.goal_type import GoalType
from workflows.kept import KeptPatch

MOST_CALLS: Final = 20
MOST_TOLD: Final = 8 * 1024
"""Characters of one call's answer that the result carries."""
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "list": (),
    "read": ("path",),
    "search": ("pattern",),
    "write": ("path",),
    "run": ("command",),
}
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "list": frozenset({"path"}),
    "read": frozenset({"path"}),
    "search": frozenset({"pattern", "path"}),
    "write": frozenset({"path", "content", "replace", "by", "delete", "executable"}),
    "run": frozenset({"command", "timeout_seconds"}),
}
Word = Annotated[str, StringConstraints(max_length=4096)]


class ToolCall(BaseModel):
    """One call of a tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: Literal["list", "read", "search", "write", "run"] = Field(description="Which one.")
    path: Word | None = Field(
        default=None, description="The file or folder, from the root; for `search` a pattern such as src/**/*.py."
    )
    pattern: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="For `search`: a POSIX extended regular expression."
    )
    content: str | None = Field(default=None, description="For `write`: all of the file.")
    replace: str | None = Field(default=None, description="For `write`: what is replaced; it must be there once.")
    by: str = Field(
        default="", description="For `write`: what stands in its place.", json_schema_extra={POSITION: "text"}
    )
    delete: bool = Field(default=False, description="For `write`: true to delete the file.")
    executable: bool | None = Field(default=None, description="For `write`: whether it is a program; else as it was.")
    command: tuple[Word, ...] | None = Field(
        default=None, max_length=200, description="For `run`: program and arguments; the deployment lists what may run."
    )
    timeout_seconds: int = Field(default=300, ge=1, le=LONGEST_RUN, description="For `run`: then it is stopped.")

    @model_validator(mode="after")
    def _of_its_tool(self) -> Self:
        if missing := [name for name in _NEEDS[self.tool] if not getattr(self, name)]:
            raise ValueError(f"a call of {self.tool!r} needs {missing[0]!r}")
        said = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        if odd := sorted(said - {"tool"} - _TAKES[self.tool]):
            takes = ", ".join(sorted(_TAKES[self.tool]))
            raise ValueError(f"a call of {self.tool!r} has no {odd[0]!r}; it takes {takes}")
        ways = [self.content is not None, self.replace is not None, self.delete]
        if self.tool == "write" and ways.count(True) != 1:
            raise ValueError(f"{self.path!r} needs exactly one of 'content', 'replace' and 'delete': true")
        if self.replace == "" or any("\0" in one or "\n" in one for one in (self.path or "", self.pattern or "")):
            raise ValueError("'replace' is not empty, and 'path' and 'pattern' are one line without a zero byte")
        return self

    def on(self) -> str:
        """What it is about, in a few words."""
        return " ".join(self.command) if self.command else self.pattern or self.path or "the root"


class EditRepositoryInput(GoalInput):
    """Read, search, change and try the files of one commit in a container, and keep the change as a patch."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")
    calls: tuple[ToolCall, ...] = Field(
        min_length=1, max_length=MOST_CALLS, description="The tools to call, one after the other, on one work tree."
    )
    write: tuple[Glob, ...] = Field(
        default=("**",),
        max_length=20,
        description="Which paths may change, as in docs/** or **/*.md; the deployment's rules hold as well.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        size = sum(len((call.content or "") + (call.replace or "") + call.by) for call in self.calls)
        if size > MOST_CONTENT:
            raise ValueError(f"'calls' hold {size} characters to write, and at most {MOST_CONTENT} are taken")
        return self

    def business_key(self) -> str:
        """`edit-repository/OWNER/NAME/` and a digest of the rest, so that the same change is asked for once."""
        asked = self.model_dump_json(exclude={"repository", "rehearsal"}).encode()
        return f"edit-repository/{self.repository}/{hashlib.sha256(asked).hexdigest()[:12]}"

    def place(self) -> str:
        """What is worked on."""
        return self.repository + (f" at {self.ref}" if self.ref else "")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        count = len(self.calls)
        return f"Work on {self.place()} with {count} {'call' if count == 1 else 'calls'} of tools"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class CallDone(BaseModel):
    """What one call of a tool answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tool: str
    on: str = Field(description="The path, pattern or command.")
    refused: str | None = Field(default=None, description="Why it was not done, and what may be.")
    told: str = Field(default="", description="The beginning and end of the answer, 8 kB. A stranger's words.")
    exit_code: int | None = Field(default=None, description="Of `run`.")
    ended: str | None = Field(default=None, description="Of `run`: exit, timeout, out_of_memory or killed.")


class FileChanged(BaseModel):
    """One file of the change."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    change: str = Field(description="added, changed or deleted.")
    added: int | None = Field(default=None, description="Lines; none where it is no text.")
    removed: int | None = Field(default=None, description="Lines; none where it is no text.")


class EditRepositoryResult(GoalResult):
    """The answers of the tools, and the change. Nothing was pushed."""

    repository: str = Field(description="As it was asked for.")
    commit: str | None = Field(
        default=None, description="What was worked on, and what the patch fits.", json_schema_extra={TRUST: "digest"}
    )
    calls: tuple[CallDone, ...] = Field(default=(), description="Those that were made, in their order.")
    files: tuple[FileChanged, ...] = Field(default=(), description="What differs from the commit.")
    left_out: tuple[str, ...] = Field(default=(), description="What differs and may not, each with its reason.")
    patch: KeptPatch = Field(default=None, description="Where the artifact store has the change, as git's patch.")
    diff: str = Field(default="", description="The beginning of the patch, 32 kB.")


EDIT_REPOSITORY: Final = GoalType(
    name="EditRepository",
    input=EditRepositoryInput,
    result=EditRepositoryResult,
    rehearses=frozenset({"github"}),
    effect=Effect.WRITE,
    example=EditRepositoryInput(
        repository="acme/shop",
        calls=(
            ToolCall(tool="list"),
            ToolCall(tool="read", path="README.md"),
            ToolCall(tool="search", pattern="[Ss]hop"),
            ToolCall(tool="write", path="docs/hello.md", content="Hello.\n"),
            ToolCall(tool="run", command=("git", "status", "--short")),
        ),
    ),
    needs="sandbox",
)


class SearchRepositoryInput(GoalInput):
    """Find the lines of a repository's files that match, as they are at one commit."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="A POSIX extended regular expression."
    )
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")
    paths: tuple[Glob, ...] = Field(
        default=(), max_length=20, description="Where, as in src/**/*.py; everywhere when left out."
    )
    fixed: bool = Field(default=False, description="True where the pattern is the text itself.")
    any_case: bool = Field(default=False, description="True where capitals and small letters are the same.")
    most: int = Field(default=200, ge=1, le=1000, description="So many lines.")

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        if not self.pattern.isprintable():
            raise ValueError("'pattern' is one line, without control characters")
        return self

    def business_key(self) -> str:
        """`search-repository/OWNER/NAME/` and a digest of the rest."""
        asked = self.model_dump_json(exclude={"repository", "rehearsal"}).encode()
        return f"search-repository/{self.repository}/{hashlib.sha256(asked).hexdigest()[:12]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Search {self.repository}{f' at {self.ref}' if self.ref else ''} for {self.pattern[:60]}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class LineFound(BaseModel):
    """One line. Its words, and those of its path, are a stranger's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    line: int = Field(description="Its number, from 1.")
    text: str


class SearchRepositoryResult(GoalResult):
    """The lines, in the order of their paths."""

    repository: str = Field(description="As it was asked for.")
    commit: str | None = Field(default=None, description="What was searched.", json_schema_extra={TRUST: "digest"})
    lines: tuple[LineFound, ...] = Field(default=(), description="Those that match.")
    more: bool = Field(default=False, description="Whether some are left out.")


SEARCH_REPOSITORY: Final = GoalType(
    name="SearchRepository",
    input=SearchRepositoryInput,
    result=SearchRepositoryResult,
    rehearses=frozenset({"github"}),
    effect=Effect.READ,
    example=SearchRepositoryInput(repository="acme/shop", pattern="[Ss]hop", paths=("*.md",)),
    data=("repository",),
    needs="sandbox",
)
