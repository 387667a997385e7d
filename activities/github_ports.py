"""What the steps that write need of GitHub: a port of their own, that the connector fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


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
