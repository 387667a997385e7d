"""What the steps on GitHub need of it: ports of their own, that the connector fits."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import SecretStr

from activities.guard.withheld import Withheld


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one path shall be.

    Attributes:
        path: From the root of the repository.
        content: All of it; None to delete the file.
        mode: As git writes it: a file or a program.
    """

    path: str
    content: bytes | None
    mode: Literal["100644", "100755"] = "100644"


class Pull(Protocol):
    """A pull request."""

    @property
    def number(self) -> int:
        """Its number in the repository."""
        ...

    @property
    def html_url(self) -> str:
        """Its page."""
        ...

    @property
    def state(self) -> str:
        """`open` or `closed`."""
        ...


class MadeThing(Protocol):
    """A comment or a check run."""

    @property
    def id(self) -> int:
        """GitHub's number for it."""
        ...

    @property
    def html_url(self) -> str | None:
        """Its page, where it has one."""
        ...


class Writes(Protocol):
    """What may be written to one repository. Each is done once for each key, or finds what was done."""

    async def default_branch(self) -> str:
        """The branch that is meant where none is named."""
        ...

    async def commit_files(self, branch: str, changes: Sequence[Change], *, base: str, message: str, key: str) -> str:
        """A new branch with one commit on top of `base`; its id."""
        ...

    async def open_pull_request(self, head: str, *, base: str, title: str, body: str) -> Pull:
        """A pull request from one branch to another."""
        ...

    async def comment(self, number: int, text: str, *, key: str) -> MadeThing:
        """A comment on a pull request."""
        ...

    async def label(self, number: int, labels: Sequence[str]) -> None:
        """Labels on a pull request."""
        ...

    async def check_run(  # noqa: PLR0913 - each is a field that GitHub wants
        self, head_sha: str, name: str, *, conclusion: str, title: str, summary: str, key: str
    ) -> MadeThing:
        """A completed check run on a commit."""
        ...


class File(Protocol):
    """A file as the connector hands it over."""

    @property
    def commit(self) -> str:
        """The commit that was read."""
        ...

    @property
    def sha(self) -> str:
        """Git's id of the content."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def content(self) -> bytes:
        """All of it."""
        ...


class Pack(Protocol):
    """A commit as git's own pack, unopened."""

    @property
    def commit(self) -> str:
        """Its id."""
        ...

    @property
    def content(self) -> bytes:
        """The pack file."""
        ...


class Commit(Protocol):
    """A commit as people know it."""

    @property
    def sha(self) -> str:
        """Its id."""
        ...

    @property
    def subject(self) -> str:
        """The first line of its message."""
        ...


class Loss(Protocol):
    """What goes with a branch."""

    @property
    def head(self) -> str:
        """The commit that it stands at."""
        ...

    @property
    def commits(self) -> Sequence[Commit]:
        """What only it holds, newest first."""
        ...

    @property
    def default(self) -> bool:
        """Whether it is the repository's default branch."""
        ...


class GitHubSession(Protocol):
    """One repository, with a token that lives as long as the session."""

    async def read_file(self, path: str, *, ref: str | None = None) -> File:
        """One file, at the default branch when no ref is given."""
        ...

    async def fetch_pack(self, *, ref: str | None = None) -> Pack:
        """One commit without its history, at the default branch when no ref is given."""
        ...

    async def branch_loss(self, branch: str) -> Loss:
        """Where a branch stands, and the commits that only it holds."""
        ...

    @property
    def writes(self) -> Writes:
        """What may be written to it."""
        ...


class GitHub(Protocol):
    """Opens sessions; the token is revoked when the session ends."""

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        """A session on one repository, with just these permissions."""
        ...


class Artifacts(Protocol):
    """Keeps what is too large for a history."""

    async def put(self, content: bytes) -> str:
        """Keep these bytes; the answer names them."""
        ...


class BranchRemoval(Protocol):
    """One repository, with a token that may delete and lives as long as the session."""

    async def delete_branch(self, branch: str, *, expected_head: str) -> bool:
        """Delete a branch that stands at this commit; whether it was there."""
        ...


class GitHubToDestroy(Protocol):
    """Opens sessions in which each effect comes after a last look; the token is revoked when the session ends."""

    def session(self, app: Withheld, *, repository: str) -> AbstractAsyncContextManager[BranchRemoval]:
        """A session on one repository."""
        ...
