"""What people ask for on repositories, and how it ended."""

import base64
import binascii
import hashlib
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from temporalio.common import SearchAttributeKey

from hitl.plan_language.labels import TRUST
from hitl.protocol import Effect
from sandbox.spec import Purpose
from workflows.contracts import (
    MAX_INLINE_BYTES,
    REPOSITORY_ATTRIBUTE,
    DestructiveGoalInput,
    GitRef,
    GoalInput,
    GoalResult,
    RepositoryName,
    RepositoryPath,
)
from workflows.goal_type import GoalType
from workflows.kept import Kept

_SHORT_COMMAND: Final = 80
_SHORT_BRANCH: Final = 40


def _command_part(value: str) -> str:
    if "\0" in value:
        msg = f"{value[:40]!r} contains a NUL character; an argument of a command cannot"
        raise ValueError(msg)
    return value


def _line(value: str) -> str:
    if not value.isprintable() or not value.strip():
        msg = f"{value[:40]!r} is not one line of text"
        raise ValueError(msg)
    return value.strip()


CommandPart = Annotated[str, StringConstraints(max_length=64 * 1024), AfterValidator(_command_part)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_line)]


class ReadFileInput(GoalInput):
    """Read one file of a repository, as it is at one commit."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    path: RepositoryPath = Field(description="The file, from the root of the repository.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")

    def business_key(self) -> str:
        """`read-file/OWNER/NAME/PATH`, with `@REF` when one is asked for."""
        return f"read-file/{self.repository}/{self.path}" + (f"@{self.ref}" if self.ref else "")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Read {self.path} of {self.repository}" + (f" at {self.ref}" if self.ref else "")

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class ReadFileResult(GoalResult):
    """The file, or a reference to it when it is larger than 256 kB."""

    repository: str = Field(description="As it was asked for.")
    path: str = Field(description="As it was asked for.")
    commit: str | None = Field(
        default=None,
        description="The commit that was read, so that it can be read again.",
        json_schema_extra={TRUST: "digest"},
    )
    blob: str | None = Field(default=None, description="Git's id of the content.", json_schema_extra={TRUST: "digest"})
    size: int | None = Field(default=None, description="Bytes.")
    encoding: Literal["utf-8", "base64"] | None = Field(default=None, description="How `content` is written.")
    content: str | None = Field(default=None, description="The file, up to 256 kB.")
    artifact: Annotated[str | None, Kept(name="file", named_by="path", about="the file")] = Field(
        default=None, description="Where a larger file lies in the artifact store."
    )


LONGEST_COMMAND: Final = 3600
"""Seconds that a command in the sandbox may be given."""


class RunInSandboxInput(GoalInput):
    """Run one command on one commit of a repository, in a container that holds no credential."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")
    command: tuple[CommandPart, ...] = Field(
        min_length=1,
        max_length=1000,
        description='Program and arguments, each by itself: no shell stands between. For one, ["sh", "-c", "…"].',
    )
    purpose: Purpose | None = Field(
        default=None,
        description="Why it needs a network, by a name that the deployment knows, such as package-registries; "
        "no network at all when left out.",
    )
    timeout_seconds: int = Field(
        default=600, ge=1, le=LONGEST_COMMAND, description="Then everything in the container ends."
    )

    def business_key(self) -> str:
        """`run-in-sandbox/OWNER/NAME/` and a digest of the rest, so that the same command is asked for once."""
        asked = self.model_dump_json(exclude={"repository", "rehearsal"}).encode()
        return f"run-in-sandbox/{self.repository}/{hashlib.sha256(asked).hexdigest()[:12]}"

    def place(self) -> str:
        """What the command works on."""
        return self.repository + (f" at {self.ref}" if self.ref else "")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        line = shlex.join(self.command)
        short = line if len(line) <= _SHORT_COMMAND else f"{line[: _SHORT_COMMAND - 1]}…"
        return f"Run `{short}` on {self.place()}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class DeleteBranchInput(DestructiveGoalInput):
    """Delete one branch of a repository, once people approved exactly that."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    branch: GitRef = Field(description="The branch. It goes at the commit that was approved, and at no other.")

    def business_key(self) -> str:
        """`delete-branch/OWNER/NAME/BRANCH`; in an emergency one of its own, beside what may wait for days."""
        kind = "delete-branch-break-glass" if self.break_glass else "delete-branch"
        return f"{kind}/{self.repository}/{self.branch}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Delete the branch {self.branch} of {self.repository}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class DeleteBranchResult(GoalResult):
    """What became of the branch."""

    repository: str = Field(description="As it was asked for.")
    branch: str = Field(description="As it was asked for.")
    head: str | None = Field(default=None, description="The commit that it stood at: enough to make it again, soon.")
    lost: int | None = Field(default=None, description="How many commits no other branch and no tag held.")


class FileEdit(BaseModel):
    """What one file shall be: its text, its bytes, or gone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: RepositoryPath = Field(description="The file, from the root of the repository.")
    content: str | None = Field(default=None, description="All of it, as text.")
    content_base64: str | None = Field(default=None, description="All of it, where it is no text.")
    delete: bool = Field(default=False, description="True to delete the file, instead of a content.")
    executable: bool = Field(default=False, description="Whether it is a program.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        said = [self.content is not None, self.content_base64 is not None, self.delete]
        if said.count(True) != 1:
            msg = f"{self.path!r} needs exactly one of 'content', 'content_base64' and 'delete': true"
            raise ValueError(msg)
        self.as_base64()
        return self

    def as_base64(self) -> str | None:
        """Its bytes; None to delete it.

        Raises:
            ValueError: They are not base64, or a text that UTF-8 cannot write.
        """
        if self.content is not None:
            return base64.b64encode(self.content.encode()).decode()
        if self.content_base64 is not None:
            try:
                base64.b64decode(self.content_base64, validate=True)
            except binascii.Error as error:
                msg = f"'content_base64' of {self.path!r} is not base64; for text use 'content'"
                raise ValueError(msg) from error
        return self.content_base64


class OpenPullRequestInput(GoalInput):
    """Open a pull request with one commit of some files, on a branch of its own."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    base: GitRef | None = Field(
        default=None, description="The branch to change and to begin from; the default branch when left out."
    )
    title: Line = Field(description="Of the pull request, and of the commit.")
    body: str = Field(default="", max_length=60_000, description="The pull request's text, in Markdown.")
    files: tuple[FileEdit, ...] = Field(
        min_length=1,
        max_length=100,
        description='Each a `path` with one of `content`, `content_base64` and `"delete": true`; `executable` for a '
        "program. 256 kB in all.",
    )

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        paths = [file.path for file in self.files]
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            msg = f"{twice!r} is named twice in 'files'; say once what it shall be"
            raise ValueError(msg)
        if (size := sum(len(file.as_base64() or "") for file in self.files)) * 3 // 4 > MAX_INLINE_BYTES:
            msg = f"'files' hold {size * 3 // 4} bytes, and at most {MAX_INLINE_BYTES} are taken; open several"
            raise ValueError(msg)
        return self

    def business_key(self) -> str:
        """`open-pull-request/OWNER/NAME/` and a digest of the rest, so that the same change is asked for once."""
        asked = self.model_dump_json(exclude={"repository", "rehearsal"}).encode()
        return f"open-pull-request/{self.repository}/{hashlib.sha256(asked).hexdigest()[:12]}"

    def branch(self, workflow_id: str) -> str:
        """The branch of the goal of that id: readable, and no other goal's."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower())[:_SHORT_BRANCH].strip("-") or "change"
        return f"banksman/{words}-{hashlib.sha256(workflow_id.encode()).hexdigest()[:12]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        short = self.title if len(self.title) <= _SHORT_COMMAND else f"{self.title[: _SHORT_COMMAND - 1]}…"
        return f"Open a pull request on {self.repository}: {short}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class OpenPullRequestResult(GoalResult):
    """The pull request. Where a refusal came in between, `commit` and `branch` say what was made before it."""

    repository: str = Field(description="As it was asked for.")
    number: int | None = Field(default=None, description="The pull request's number in the repository.")
    url: str | None = Field(default=None, description="Its page.")
    branch: str | None = Field(default=None, description="The branch that was made for it.")
    commit: str | None = Field(default=None, description="The one commit on that branch.")


class Connected(BaseModel):
    """One connection that the command asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    port: int
    allowed: bool = Field(description="Whether the deployment's list has the host.")
    bytes_received: int


class Downloaded(BaseModel):
    """One file that the command got from a package registry, through the mirror."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    path: str
    status: int = Field(description="As in HTTP.")
    bytes_received: int
    sha256: str | None = Field(default=None, description="Of the registry's answer; none when it was not given whole.")
    cached: bool = Field(description="Whether the registry was not asked for it.")


class RunInSandboxResult(GoalResult):
    """How the command ended. A command that failed is a completed goal: look at `exit_code` and `ended`."""

    reason: str | None = Field(
        default=None,
        description="Why it did not complete, or why its command was stopped before its end; and what to do about it.",
    )
    repository: str = Field(description="As it was asked for.")
    commit: str | None = Field(default=None, description="The commit that it ran on.")
    exit_code: int | None = Field(
        default=None, description="As a shell tells it: 128 and the signal's number for a signal."
    )
    ended: Literal["exit", "timeout", "out_of_memory", "killed"] | None = Field(
        default=None, description="By itself, at the end of its time, for lack of memory, or by a signal."
    )
    oom_seen: bool | None = Field(
        default=None, description="Something was killed for memory, also when the command went on without it."
    )
    stdout: str = Field(default="", description="Its beginning and end, up to 64 kB.")
    stderr: str = Field(default="", description="Its beginning and end, up to 64 kB.")
    truncated: bool = Field(default=False, description="Whether the middle of an output is left out.")
    seconds: float | None = Field(default=None, description="How long the command ran.")
    connections: tuple[Connected, ...] = Field(default=(), description="What it asked the network for; the first 200.")
    downloads: tuple[Downloaded, ...] = Field(default=(), description="What it got from registries; the first 200.")


READ_FILE: Final = GoalType(
    name="ReadFile",
    input=ReadFileInput,
    result=ReadFileResult,
    rehearses=frozenset({"github"}),
    effect=Effect.READ,
    example=ReadFileInput(repository="acme/shop", path="README.md"),
    data=("repository",),
)
RUN_IN_SANDBOX: Final = GoalType(
    name="RunInSandbox",
    input=RunInSandboxInput,
    result=RunInSandboxResult,
    rehearses=frozenset({"github"}),
    effect=Effect.WRITE,
    example=RunInSandboxInput(repository="acme/shop", command=("git", "log", "-1", "--format=%s")),
    needs="sandbox",
)
OPEN_PULL_REQUEST: Final = GoalType(
    name="OpenPullRequest",
    input=OpenPullRequestInput,
    result=OpenPullRequestResult,
    rehearses=frozenset({"github"}),
    effect=Effect.WRITE,
    example=OpenPullRequestInput(
        repository="acme/shop", title="Say hello", files=(FileEdit(path="HELLO.md", content="Hello.\n"),)
    ),
)
DELETE_BRANCH: Final = GoalType(
    name="DeleteBranch",
    input=DeleteBranchInput,
    result=DeleteBranchResult,
    rehearses=frozenset({"github"}),
    effect=Effect.DESTRUCTIVE,
    example=DeleteBranchInput(repository="acme/shop", branch="banksman/old-idea"),
)


class CopyRepositoryInput(GoalInput):
    """Copy a repository's branches, tags and open pull requests into the artifact store, for a rehearsal."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")

    def business_key(self) -> str:
        """`copy-repository/OWNER/NAME`."""
        return f"copy-repository/{self.repository}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Copy {self.repository} for a rehearsal"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class CopyRepositoryResult(GoalResult):
    """Where the copy lies."""

    repository: str = Field(description="As it was asked for.")
    described: str | None = Field(default=None, description="The artifact with branches, tags and pull requests.")
    pack: str | None = Field(default=None, description="The artifact with git's objects.")
    size: int | None = Field(default=None, description="Bytes of the objects.")
    branches: int | None = Field(default=None, description="How many there are.")
    pull_requests: int | None = Field(default=None, description="How many open ones were copied.")
    default_branch: str | None = Field(default=None, description="Its name.")
    head: str | None = Field(default=None, description="The commit that it stood at.")


COPY_REPOSITORY: Final = GoalType(
    name="CopyRepository",
    input=CopyRepositoryInput,
    result=CopyRepositoryResult,
    effect=Effect.READ,
    example=CopyRepositoryInput(repository="acme/shop"),
)
